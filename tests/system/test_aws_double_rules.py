"""The double keeps the rules of AWS IoT for CA and device certificates: what the service refuses,
it refuses."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519

from aws_fixtures import aws, client, unknown_ca as ca
from support.aws.calls import (ACCOUNT, arn_of, register, register_ca,
                               register_ca_with_proof)
from support.aws.certificates import DAY, TestCa, id_of, new_key

KEY = new_key()  # one for all devices: making keys is not what is tested


# --- CA certificates -----------------------------------------------------------------------------

def test_default_mode_wants_a_proof_and_sni_only_none(client, ca):
    code = client.iot("GET", "/registrationcode").json()["registrationCode"]
    proof = ca.verification(code, key=KEY)
    assert register_ca(client, ca, certificateMode="DEFAULT").error == "InvalidRequestException"
    assert register_ca(client, ca, verificationCertificate=proof).error == \
        "InvalidRequestException"
    assert register_ca(client, ca, certificateMode="DEFAULT",
                       verificationCertificate=proof).status == 200


def test_the_proof_must_carry_the_code_and_the_ca_s_signature(client, ca):
    code = client.iot("GET", "/registrationcode").json()["registrationCode"]
    wrong_code = ca.verification("0" * 64, key=KEY)
    assert register_ca_with_proof(client, ca, wrong_code).error == \
        "RegistrationCodeValidationException"
    stranger = TestCa("Device CA").verification(code, key=KEY)
    assert register_ca_with_proof(client, ca, stranger).error == "CertificateValidationException"
    old = ca.device(code, key=KEY, start=-2 * DAY, end=-DAY)
    assert register_ca_with_proof(client, ca, old).error == "CertificateValidationException"
    client.iot("DELETE", "/registrationcode")
    assert register_ca_with_proof(client, ca, ca.verification(code, key=KEY)).error == \
        "RegistrationCodeValidationException"


def test_one_account_per_region_has_a_ca_in_default_mode(aws, client, ca):
    assert register_ca_with_proof(client, ca).status == 200
    other = aws.client(1)
    refused = register_ca_with_proof(other, ca)
    assert refused.error == "ResourceAlreadyExistsException"
    assert "resourceId" not in refused.json()
    assert register_ca(other, ca).status == 200
    assert register_ca_with_proof(aws.client(1, region="us-east-1"), ca).status == 200


def test_a_registered_ca_is_named_when_it_comes_again(client, ca):
    assert register_ca(client, ca).json()["certificateId"] == ca.id
    again = register_ca(client, ca)
    assert (again.status, again.error) == (409, "ResourceAlreadyExistsException")
    assert again.json()["resourceId"] == ca.id
    assert again.json()["resourceArn"].endswith(f":cacert/{ca.id}")


@pytest.mark.parametrize("bad", [
    lambda: TestCa(is_ca=False), lambda: TestCa(key=new_key("RSA-1024")),
    lambda: TestCa(key=new_key("secp256k1")),
    lambda: TestCa(algorithm=hashes.SHA1, key=new_key("RSA-2048")),
], ids=["no CA", "RSA-1024", "secp256k1", "SHA-1"])
def test_a_certificate_that_is_no_good_ca_is_refused(client, bad):
    assert register_ca(client, bad()).error == "CertificateValidationException"


@pytest.mark.parametrize("kind", ["P-384", "P-521", "RSA-2048"])
def test_all_usual_keys_are_accepted(client, kind):
    ca = TestCa(key=new_key(kind))
    assert register_ca_with_proof(client, ca).status == 200
    assert register(client, ca.device(key=new_key(kind))).status == 200


def test_an_eleventh_ca_with_the_same_subject_is_refused(client):
    for _ in range(10):
        assert register_ca(client, TestCa("Same", key=new_key())).status == 200
    eleventh = register_ca(client, TestCa("Same"))
    assert (eleventh.status, eleventh.error) == (410, "LimitExceededException")


def test_a_ca_is_deactivated_before_it_is_deleted(client, ca):
    register_ca(client, ca)
    assert client.iot("DELETE", f"/cacertificate/{ca.id}").error == "CertificateStateException"
    assert client.iot("PUT", f"/cacertificate/{ca.id}?newStatus=INACTIVE", {}).status == 200
    assert client.iot("DELETE", f"/cacertificate/{ca.id.upper()}").status == 200
    assert client.iot("GET", f"/cacertificate/{ca.id}").error == "ResourceNotFoundException"
    assert register_ca_with_proof(client, ca).status == 200


# --- device certificates -------------------------------------------------------------------------

def test_a_device_wants_a_registered_active_ca(client, ca):
    pem = ca.device(key=KEY)
    assert register(client, pem).error == "CertificateValidationException"
    register_ca(client, ca, "setAsActive=false")
    refused = register(client, pem)
    assert (refused.status, refused.error) == (406, "CertificateStateException")
    client.iot("PUT", f"/cacertificate/{ca.id}?newStatus=ACTIVE", {})
    assert register(client, pem).json() == {"certificateId": id_of(pem),
                                            "certificateArn": arn_of(pem)}


@pytest.mark.parametrize("change", [
    {"end": -DAY / 2}, {"start": DAY}, {"key": "RSA-1024"}, {"key": "secp256k1"},
    {"algorithm": hashes.SHA1},
], ids=["expired", "not yet valid", "RSA-1024", "secp256k1", "SHA-1"])
def test_a_bad_device_certificate_is_refused(client, change):
    ca = TestCa(key=new_key("RSA-2048"))
    register_ca(client, ca)
    options = {"key": KEY, **change}
    if isinstance(options["key"], str):
        options["key"] = new_key(options["key"])
    assert register(client, ca.device(**options)).error == "CertificateValidationException"


def test_what_is_not_one_certificate_is_refused(client, ca):
    register_ca(client, ca)
    pem = ca.device(key=KEY)
    for bad in (pem + ca.pem, pem.replace("M", "!", 1), "", pem.replace("BEGIN", "BEGUN"),
                TestCa("Device CA").device(key=KEY)):
        assert register(client, bad).error in ("CertificateValidationException",
                                               "InvalidRequestException")
    assert client.iot("POST", "/certificate/register", {"certificatePem": 7}).error == \
        "SerializationException"
    edwards = ed25519.Ed25519PrivateKey.generate()
    assert register(client, ca.device(key=edwards)).error == "CertificateValidationException"


def test_a_duplicate_names_the_certificate(aws, client, ca):
    register_ca(client, ca)
    pem = ca.device(key=KEY)
    register(client, pem)
    again = register(client, pem)
    assert (again.status, again.error) == (409, "ResourceAlreadyExistsException")
    assert again.json()["resourceId"] == id_of(pem) and again.json()["resourceArn"] == arn_of(pem)
    without = client.iot("POST", "/certificate/register-no-ca", {"certificatePem": pem})
    assert without.json()["resourceId"] == id_of(pem)
    assert aws.space(ACCOUNT)["certificates"][id_of(pem)]["refused"] == 2


def test_cas_of_one_subject_want_the_ca_named(client):
    one, two = TestCa("Twin"), TestCa("Twin")
    register_ca(client, one)
    register_ca(client, two)
    pem = two.device(key=KEY)
    assert register(client, pem).error == "CertificateConflictException"
    assert register(client, pem, caCertificatePem=one.pem).error == \
        "CertificateValidationException"
    assert register(client, pem, caCertificatePem=two.pem).status == 200


def test_cas_of_one_subject_and_one_key_cannot_be_told_apart(client):
    one = TestCa("Twin")
    two = TestCa("Twin", key=one.key)
    register_ca(client, one)
    register_ca(client, two)
    refused = register(client, one.device(key=KEY), caCertificatePem=one.pem)
    assert (refused.status, refused.error) == (409, "CertificateConflictException")


def test_a_certificate_without_a_ca_is_found_by_no_ca(client, ca):
    register_ca(client, ca)
    pem = ca.device(key=KEY)
    client.iot("POST", "/certificate/register-no-ca", {"certificatePem": pem, "status": "ACTIVE"})
    shown = client.iot("GET", f"/certificates/{id_of(pem)}").json()["certificateDescription"]
    assert shown["certificateMode"] == "SNI_ONLY" and "caCertificateId" not in shown
    assert client.iot("GET", f"/certificates-by-ca/{ca.id}").json() == {"certificates": []}


def test_statuses_change_as_documented(client, ca):
    register_ca(client, ca)
    pem = ca.device(key=KEY)
    assert register(client, pem, status="PENDING_ACTIVATION").error == "InvalidRequestException"
    register(client, pem)
    target = f"/certificates/{id_of(pem)}"

    def status():
        return client.iot("GET", target).json()["certificateDescription"]["status"]

    assert status() == "INACTIVE"
    assert client.iot("PUT", f"{target}?newStatus=ACTIVE").body == b""
    assert status() == "ACTIVE"
    assert client.iot("PUT", f"{target}?newStatus=PENDING_TRANSFER").error == \
        "InvalidRequestException"
    assert client.iot("DELETE", target).error == "CertificateStateException"
    revoked = ca.device("revoked", key=KEY)
    register(client, revoked, status="REVOKED")
    assert client.iot("PUT", f"/certificates/{id_of(revoked)}?newStatus=ACTIVE").error == \
        "CertificateStateException"
