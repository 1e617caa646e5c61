"""The calls that most tests start with."""

from .certificates import id_of

ACCOUNT, OTHER, REGION = "111122223333", "444455556666", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/bulk"
POLICY = ('{"Version": "2012-10-17", "Statement": '
          '[{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}]}')


def arn_of(pem, account=ACCOUNT, region=REGION):
    return f"arn:aws:iot:{region}:{account}:cert/{id_of(pem)}"


def register_ca(client, ca, query="setAsActive=true", **members):
    members = {"caCertificate": ca.pem, "certificateMode": "SNI_ONLY", **members}
    return client.iot("POST", f"/cacertificate?{query}", members)


def register_ca_with_proof(client, ca, proof=None):
    code = client.iot("GET", "/registrationcode").json()["registrationCode"]
    return register_ca(client, ca, certificateMode="DEFAULT",
                       verificationCertificate=proof or ca.verification(code))


def register(client, pem, **members):
    return client.iot("POST", "/certificate/register", {"certificatePem": pem, **members})


def bulk_template(**certificate):
    """A template for signed certificates; the arguments are more properties of the certificate."""
    ref = {name: {"Ref": name} for name in ("ThingName", "SerialNumber", "CertificatePem")}
    return {
        "Parameters": {name: {"Type": "String"} for name in ref},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing",
                      "Properties": {"ThingName": ref["ThingName"],
                                     "AttributePayload": {"serial": ref["SerialNumber"]}},
                      "OverrideSettings": {"AttributePayload": "MERGE", "ThingTypeName": "REPLACE",
                                           "ThingGroups": "DO_NOTHING"}},
            "certificate": {"Type": "AWS::IoT::Certificate",
                            "Properties": {"CertificatePem": ref["CertificatePem"],
                                           "Status": "ACTIVE",
                                           "ThingPrincipalType": "EXCLUSIVE_THING", **certificate},
                            "OverrideSettings": {"Status": "DO_NOTHING"}},
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "device"}}}}
