"""The double of AWS, driven by a client that is not ours: Debian's `aws`."""

import base64
import hashlib
import json
import os
import re
import ssl
import subprocess
import urllib.request

import pytest

from aws_fixtures import aws, client, registered_ca as ca
from support.appliance import wait_until
from support.aws.calls import ACCOUNT, OTHER, POLICY, ROLE, bulk_template, register
from support.aws.certificates import TestCa, id_of, key_pem, new_key
from support.aws.x509_session import create_session

AWS = "/usr/bin/aws"


@pytest.fixture(autouse=True)
def forget(aws):
    # Debian's aws is of January 2023.
    aws.settings(old_signing_name=True)
    yield
    aws.reset()


@pytest.fixture
def cli(aws, tmp_path):
    """Runs `aws`; gives what it printed as JSON, or its error."""
    def run(*arguments, account=0, region="eu-west-1", environment=None, fails=False,
            endpoint=True):
        settings = aws.environment(account, region)
        settings.update({"HOME": str(tmp_path), "AWS_PAGER": "", "PATH": "/usr/bin:/bin",
                         "AWS_MAX_ATTEMPTS": "3", "AWS_RETRY_MODE": "standard",
                         "AWS_CONFIG_FILE": str(tmp_path / "config"),
                         "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")})
        settings.update(environment or {})
        where = ["--endpoint-url", aws.endpoint] if endpoint else []
        made = subprocess.run([AWS, *where, "--output", "json", *map(str, arguments)],
                              env=settings, capture_output=True, text=True, timeout=60,
                              check=False)
        if fails:
            assert made.returncode != 0, made.stdout
            return made.stderr
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout) if made.stdout.strip() else {}
    return run


@pytest.fixture
def files(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_text(content)
        return f"file://{path}"
    return write


def test_a_ca_is_registered_with_its_proof(aws, cli, files):
    ca = TestCa("Plant CA")
    code = cli("iot", "get-registration-code")["registrationCode"]
    assert re.fullmatch("[0-9a-f]{64}", code)
    made = cli("iot", "register-ca-certificate", "--ca-certificate", files("ca.pem", ca.pem),
               "--verification-cert", files("proof.pem", ca.verification(code)),
               "--set-as-active", "--no-allow-auto-registration")
    assert made == {"certificateArn": f"arn:aws:iot:eu-west-1:{ACCOUNT}:cacert/{ca.id}",
                    "certificateId": ca.id}
    described = cli("iot", "describe-ca-certificate", "--certificate-id", ca.id)
    description = described["certificateDescription"]
    assert (description["status"], description["autoRegistrationStatus"],
            description["certificateMode"]) == ("ACTIVE", "DISABLE", "DEFAULT")
    assert description["certificatePem"] == ca.pem
    # Another account can have it in the same region in the other mode.
    cli("iot", "register-ca-certificate", "--ca-certificate", files("ca.pem", ca.pem),
        "--certificate-mode", "SNI_ONLY", account=1)
    assert aws.space(OTHER)["cas"][ca.id]["mode"] == "SNI_ONLY"
    assert aws.space(OTHER)["cas"][ca.id]["status"] == "INACTIVE"


def test_a_device_is_registered_step_by_step(aws, cli, files, ca):
    pem = ca.device("unit-1")
    made = cli("iot", "register-certificate", "--certificate-pem", files("device.pem", pem),
               "--ca-certificate-pem", files("ca.pem", ca.pem), "--status", "ACTIVE")
    arn = f"arn:aws:iot:eu-west-1:{ACCOUNT}:cert/{id_of(pem)}"
    assert made == {"certificateArn": arn, "certificateId": id_of(pem)}
    aws.client().iot("POST", "/thing-types/line-device", {})
    cli("iot", "create-thing", "--thing-name", "line:unit-1", "--thing-type-name", "line-device",
        "--attribute-payload", json.dumps({"attributes": {"serial": "0001", "order": "A-7"}}))
    cli("iot", "attach-thing-principal", "--thing-name", "line:unit-1", "--principal", arn)
    aws.client().iot("POST", "/policies/device%2Cv%3D1", {"policyDocument": POLICY})
    cli("iot", "attach-policy", "--policy-name", "device,v=1", "--target", arn)
    aws.client().iot("POST", "/thing-groups/devices", {})
    cli("iot", "add-thing-to-thing-group", "--thing-group-name", "devices", "--thing-name",
        "line:unit-1")

    attached = cli("iot", "list-attached-policies", "--target", arn)["policies"]
    assert [each["policyName"] for each in attached] == ["device,v=1"]
    assert cli("iot", "list-thing-principals", "--thing-name", "line:unit-1") == \
        {"principals": [arn]}
    assert cli("iot", "describe-thing", "--thing-name", "line:unit-1")["attributes"] == \
        {"serial": "0001", "order": "A-7"}
    space = aws.space(ACCOUNT)
    assert space["certificates"][id_of(pem)]["things"] == ["line:unit-1"]
    assert space["things"]["line:unit-1"]["groups"] == ["devices"]
    assert aws.counts()["RegisterCertificate"] == 1


def test_certificates_of_a_ca_are_listed_in_pages(aws, cli, ca):
    client, key = aws.client(), new_key()
    ids = []
    for number in range(60):
        answer = register(client, ca.device(f"unit-{number}", key=key))
        ids.append(answer.json()["certificateId"])
    client.close()
    # Newest first, 25 on a page unless asked otherwise; the tool asks for page after page.
    listed = cli("iot", "list-certificates-by-ca", "--ca-certificate-id", ca.id)
    assert [each["certificateId"] for each in listed["certificates"]] == ids[::-1]
    assert aws.counts()["ListCertificatesByCA"] == 3
    page = cli("iot", "list-certificates-by-ca", "--ca-certificate-id", ca.id, "--page-size", 4,
               "--ascending-order")
    assert [each["certificateId"] for each in page["certificates"]] == ids[:4]
    assert not aws.log()["unknown_members"]


def test_objects_go_into_a_bucket_and_out_again(aws, cli, tmp_path):
    source = tmp_path / "lines.ndjson"
    source.write_bytes(os.urandom(200_000))
    key = "orders/a b+c/lines.ndjson"
    digest = base64.b64encode(hashlib.sha256(source.read_bytes()).digest()).decode()
    cli("s3api", "put-object", "--bucket", "manifests", "--key", key, "--body", source,
        "--checksum-sha256", digest, "--metadata", "order=A-7")
    head = cli("s3api", "head-object", "--bucket", "manifests", "--key", key)
    assert head["ContentLength"] == 200_000 and head["Metadata"] == {"order": "A-7"}
    cli("s3api", "get-object", "--bucket", "manifests", "--key", key, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    listed = cli("s3api", "list-objects-v2", "--bucket", "manifests", "--prefix", "orders/",
                 "--page-size", 1)
    assert [each["Key"] for each in listed["Contents"]] == [key]
    assert not aws.log()["unknown_members"]


def test_a_bulk_task_registers_line_by_line(aws, cli, files, ca, tmp_path):
    aws.client().iot("POST", "/policies/device", {"policyDocument": POLICY})
    pems = [ca.device(f"unit-{number}") for number in range(5)]
    stranger = TestCa("Nobody").device("stranger")
    lines = [{"ThingName": f"unit-{number}", "SerialNumber": str(number), "CertificatePem": pem}
             for number, pem in enumerate(pems)]
    lines.insert(2, {"ThingName": "stranger", "SerialNumber": "x", "CertificatePem": stranger})
    source = tmp_path / "lines.ndjson"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    aws.client().s3("PUT", "manifests", "lines.ndjson", source.read_bytes())
    template = files("template.json", json.dumps(bulk_template()))
    task = cli("iot", "start-thing-registration-task", "--template-body", template,
               "--input-file-bucket", "manifests",
               "--input-file-key", "lines.ndjson", "--role-arn", ROLE)["taskId"]
    wait_until(lambda: aws.space(ACCOUNT)["tasks"][task]["status"] == "Completed", "the task ends")
    described = cli("iot", "describe-thing-registration-task", "--task-id", task)
    assert (described["successCount"], described["failureCount"],
            described["percentageProgress"]) == (5, 1, 100)

    def report(kind):
        links = cli("iot", "list-thing-registration-task-reports", "--task-id", task,
                    "--report-type", kind)["resourceLinks"]
        trust = ssl.create_default_context(cafile=aws.ca)
        text = b"".join(urllib.request.urlopen(link, context=trust, timeout=20).read()
                        for link in links)
        return [json.loads(line) for line in text.splitlines()]

    results = report("RESULTS")
    assert [line["lineNumber"] for line in results] == [1, 2, 4, 5, 6]
    assert [line["response"]["CertificatePem"] for line in results] == pems
    arns = results[0]["response"]["ResourceArns"]
    assert arns["thing"] == f"arn:aws:iot:eu-west-1:{ACCOUNT}:thing/unit-0"
    assert set(arns) == {"thing", "certificate", "policy"}
    errors = report("ERRORS")
    assert [line["lineNumber"] for line in errors] == [3]
    assert "Error Code: ResourceRegistrationFailureException;" in errors[0]["errorMessage"]
    space = aws.space(ACCOUNT)
    assert set(space["certificates"]) == {id_of(pem) for pem in pems}
    assert space["policies"] == {"device": 5}


def test_the_wrong_secret_is_refused(cli):
    assert "InvalidSignatureException" in cli(
        "iot", "get-registration-code", environment={"AWS_SECRET_ACCESS_KEY": "wrong"}, fails=True)
    assert "SignatureDoesNotMatch" in cli(
        "s3api", "list-objects-v2", "--bucket", "manifests",
        environment={"AWS_SECRET_ACCESS_KEY": "wrong"}, fails=True)


def test_the_wrong_region_is_refused(aws, cli):
    aws.settings(wrong_region="us-east-1")
    assert "valid region" in cli("iot", "get-registration-code", fails=True)
    # It follows the hint to sign for us-east-1, and the bucket is not there.
    assert "PermanentRedirect" in cli("s3api", "get-object", "--bucket", "manifests", "--key", "a",
                                      "/dev/null", fails=True)
    assert aws.log()["results"]["GetObject AuthorizationHeaderMalformed"] == 1


def test_a_throttled_call_is_tried_again(aws, cli):
    aws.fault(operation="GetRegistrationCode", do="error", code="ThrottlingException",
              message="Rate exceeded", times=2)
    cli("iot", "get-registration-code")
    assert aws.counts()["GetRegistrationCode"] == 3


def test_an_expired_token_is_refused(aws, cli):
    made = cli("sts", "assume-role", "--role-arn", f"arn:aws:iam::{ACCOUNT}:role/deploy",
               "--role-session-name", "plant-7")["Credentials"]
    session = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"],
               "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
               "AWS_SESSION_TOKEN": made["SessionToken"]}
    who = cli("sts", "get-caller-identity", environment=session)
    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/plant-7"
    assert aws.expire_tokens() == 1
    assert "ExpiredTokenException" in cli("iot", "get-registration-code", environment=session,
                                          fails=True)


def test_the_real_names_are_reached_through_the_proxy(aws, cli, tmp_path):
    proxied = {"HTTPS_PROXY": aws.ports["proxy"]}
    cli("iot", "get-registration-code", environment=proxied, endpoint=False)
    source = tmp_path / "file"
    source.write_text("content")
    # awscli 2.23 sends a body over HTTPS in signed chunks, which the double does not read.
    cli("s3api", "put-object", "--bucket", "manifests", "--key", "a/b", "--body", source)
    there = cli("s3api", "head-object", "--bucket", "manifests", "--key", "a/b",
                environment=proxied, endpoint=False)
    assert there["ContentLength"] == 7
    assert set(aws.log()["proxied"]) == {"iot.eu-west-1.amazonaws.com:443",
                                         "manifests.s3.eu-west-1.amazonaws.com:443"}


def test_credentials_come_from_the_metadata_services(aws, cli):
    aws.add(metadata={"account": ACCOUNT, "role": "deploy", "container_token": "let-me-in"})
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    instance = cli("sts", "get-caller-identity", environment={
        **nothing, "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": aws.ports["metadata"] + "/"})
    assert instance["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/i-")
    container = cli("sts", "get-caller-identity", environment={
        **nothing, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let-me-in",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": aws.ports["metadata"] + "/v2/credentials/double"})
    assert container["Account"] == ACCOUNT


def test_roles_anywhere_gives_keys_to_a_certificate(aws, cli, tmp_path):
    anchor, key = TestCa("Plant root"), new_key()
    aws.add(accounts=[{"id": ACCOUNT,
                       "roles": [{"name": "plant", "trust": ["rolesanywhere.amazonaws.com"]}],
                       "trust_anchors": [{"region": "eu-west-1", "anchor_id": "anchor",
                                          "certificate": anchor.pem}],
                       "profiles": [{"region": "eu-west-1", "profile_id": "profile",
                                     "roles": ["plant"]}]}])
    helper = create_session(aws, anchor.device("plant-7", key=key), key_pem(key), ACCOUNT, "plant")
    assert helper.status == 201, helper.body
    made = helper.json()["credentialSet"][0]["credentials"]
    who = cli("sts", "get-caller-identity", environment={
        "AWS_ACCESS_KEY_ID": made["accessKeyId"], "AWS_SECRET_ACCESS_KEY": made["secretAccessKey"],
        "AWS_SESSION_TOKEN": made["sessionToken"]})
    assert who["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/plant/")
