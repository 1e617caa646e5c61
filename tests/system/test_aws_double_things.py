"""The double keeps the rules of AWS IoT for things, policies and first connections, and S3's."""

import base64
import hashlib
import json
import zlib

import pytest

from aws_fixtures import aws, client, unknown_ca as ca
from support.appliance import wait_until
from support.aws.calls import (ACCOUNT, OTHER, POLICY, REGION, ROLE, arn_of, register, register_ca)
from support.aws.certificates import id_of, name, new_key
from support.aws.client import Keys

KEY = new_key()  # one for all devices: making keys is not what is tested
GONE = f"arn:aws:iot:eu-west-1:{ACCOUNT}:cert/{'0' * 64}"


# --- things, policies, groups --------------------------------------------------------------------

def test_a_thing_may_be_made_again_only_as_it_is(client):
    made = client.iot("POST", "/things/unit-1", {"attributePayload": {"attributes": {"a": "1"}}})
    same = client.iot("POST", "/things/unit-1", {"attributePayload": {"attributes": {"a": "1"}}})
    assert made.json() == same.json()
    other = client.iot("POST", "/things/unit-1", {"attributePayload": {"attributes": {"a": "2"}}})
    assert (other.status, other.error) == (409, "ResourceAlreadyExistsException")
    for bad in ({"a": "with space"}, {"bad name!": "1"}, dict.fromkeys("abcd", "1")):
        refused = client.iot("POST", "/things/unit-2", {"attributePayload": {"attributes": bad}})
        assert refused.error == "InvalidRequestException"
    assert client.iot("POST", "/things/unit-2", {"thingTypeName": "gone"}).error == \
        "ResourceNotFoundException"
    client.iot("POST", "/thing-types/typed", {})
    assert client.iot("POST", "/things/unit-2", {
        "thingTypeName": "typed",
        "attributePayload": {"attributes": dict.fromkeys("abcd", "1")}}).status == 200
    assert client.iot("POST", "/things/bad%20name", {}).error == "InvalidRequestException"


def test_an_exclusive_certificate_has_one_thing(client, ca):
    register_ca(client, ca)
    pem = ca.device(key=KEY)
    register(client, pem)
    for thing in ("one", "two"):
        client.iot("POST", f"/things/{thing}", {})

    def attach(thing, kind, arn=arn_of(pem)):
        return client.iot("PUT", f"/things/{thing}/principals?thingPrincipalType={kind}",
                          principal=arn)

    assert attach("one", "EXCLUSIVE_THING").status == 200
    assert attach("one", "EXCLUSIVE_THING").status == 200
    assert attach("two", "NON_EXCLUSIVE_THING").error == "InvalidRequestException"
    assert attach("gone", "EXCLUSIVE_THING").error == "ResourceNotFoundException"
    assert attach("two", "EXCLUSIVE_THING", GONE).error == "ResourceNotFoundException"
    assert client.iot("PUT", "/things/two/principals").error == "InvalidRequestException"


def test_a_certificate_is_deleted_in_the_documented_order(aws, client, ca):
    register_ca(client, ca)
    pem = ca.device(key=KEY)
    register(client, pem)
    client.iot("POST", "/things/one", {})
    client.iot("PUT", "/things/one/principals", principal=arn_of(pem))
    target = f"/certificates/{id_of(pem)}"
    assert client.iot("DELETE", f"{target}?forceDelete=true").error == "DeleteConflictException"
    aws.settings(detach_seconds=0.3)
    client.iot("DELETE", "/things/one/principals", principal=arn_of(pem))
    # Detaching takes a moment to be known everywhere.
    assert client.iot("DELETE", target).error == "DeleteConflictException"
    wait_until(lambda: client.iot("DELETE", target).status == 200, "it can be deleted")
    assert client.iot("GET", target).error == "ResourceNotFoundException"


def test_ten_policies_fit_a_target_and_attaching_twice_is_once(client, ca):
    register_ca(client, ca)
    pem = ca.device(key=KEY)
    register(client, pem)
    for number in range(11):
        client.iot("POST", f"/policies/p{number}", {"policyDocument": POLICY})

    def attach(number, arn=arn_of(pem)):
        return client.iot("PUT", f"/target-policies/p{number}", {"target": arn})

    assert [attach(number).status for number in (*range(10), 0)] == [200] * 11
    assert (attach(10).status, attach(10).error) == (410, "LimitExceededException")
    assert attach(99).error == "ResourceNotFoundException"
    assert attach(0, GONE).error == "ResourceNotFoundException"
    assert attach(0, "arn:aws:s3:::bucket").error == "InvalidRequestException"
    assert client.iot("POST", "/policies/p0", {"policyDocument": POLICY}).error == \
        "ResourceAlreadyExistsException"
    assert client.iot("POST", "/policies/px", {"policyDocument": "{}"}).error == \
        "MalformedPolicyException"


def test_the_deprecated_call_is_not_played(client):
    answer = client.iot("PUT", "/principal-policies/p0", principal=GONE)
    assert answer.error == "UnknownOperationException"


def test_accounts_and_regions_do_not_see_each_other(aws, client, ca):
    register_ca(client, ca)
    pem = ca.device(key=KEY)
    register(client, pem)
    for other in (aws.client(1), aws.client(region="us-east-1")):
        assert other.iot("GET", f"/certificates/{id_of(pem)}").error == "ResourceNotFoundException"
        register_ca(other, ca)
        assert register(other, pem).json()["certificateId"] == id_of(pem)


def test_what_a_key_may_not_do_is_denied(aws, client):
    aws.add(accounts=[{"id": ACCOUNT, "keys": [{
        "access_key_id": "AKIALIMITED000000001", "secret_access_key": "limited", "user": "limited",
        "deny": ["iot:Create*"]}]}])
    limited = aws.client(keys=Keys("AKIALIMITED000000001", "limited"))
    assert limited.iot("GET", "/registrationcode").status == 200
    refused = limited.iot("POST", "/things/one", {})
    assert (refused.status, refused.error) == (403, "AccessDeniedException")


# --- just-in-time provisioning -------------------------------------------------------------------

JITP = {"Parameters": {"AWS::IoT::Certificate::CommonName": {"Type": "String"},
                       "AWS::IoT::Certificate::SerialNumber": {"Type": "String"},
                       "AWS::IoT::Certificate::Id": {"Type": "String"}},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": {
                "ThingName": {"Ref": "AWS::IoT::Certificate::CommonName"},
                "AttributePayload": {"serial": {"Ref": "AWS::IoT::Certificate::SerialNumber"}}}},
            "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {
                "CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"}}}}


def test_a_device_provisions_itself_at_its_first_connection(aws, client, ca):
    body = {"templateName": "jitp", "templateBody": json.dumps(JITP), "enabled": True,
            "provisioningRoleArn": ROLE, "type": "JITP"}
    assert client.iot("POST", "/provisioning-templates",
                      {**body, "provisioningRoleArn": ROLE + "x"}).error == \
        "InvalidRequestException"
    assert client.iot("POST", "/provisioning-templates", body).status == 200
    answer = register_ca(client, ca, "setAsActive=true&allowAutoRegistration=true",
                         registrationConfig={"templateName": "jitp"})
    assert answer.status == 200
    subject = {"subject": name(CN="unit-9", serialNumber="S9"), "key": KEY}
    good, without_serial = ca.device(**subject), ca.device("unit-10", key=KEY)

    def connect(pem):
        return aws.control("POST", "connect", {"account": ACCOUNT, "region": REGION,
                                               "certificatePem": pem})

    first = connect(good)
    assert (first["connected"], first["status"]) == (False, "ACTIVE")
    assert connect(good)["connected"]
    assert aws.space(ACCOUNT)["things"]["unit-9"]["attributes"] == {"serial": "S9"}
    assert "SerialNumber" in connect(without_serial)["error"]


# --- S3 ------------------------------------------------------------------------------------------

def test_an_object_is_created_once_where_that_is_asked_for(client):
    once = {"if-none-match": "*"}
    assert client.s3("PUT", "manifests", "a", b"one", headers=once).status == 200
    again = client.s3("PUT", "manifests", "a", b"two", headers=once)
    assert (again.status, again.error) == (412, "PreconditionFailed")
    assert client.s3("GET", "manifests", "a").body == b"one"


@pytest.mark.parametrize("header,good", [
    ("content-md5", base64.b64encode(hashlib.md5(b"one").digest()).decode()),
    ("x-amz-checksum-sha256", base64.b64encode(hashlib.sha256(b"one").digest()).decode()),
    ("x-amz-checksum-crc32", base64.b64encode(zlib.crc32(b"one").to_bytes(4, "big")).decode()),
])
def test_checksums_are_compared(client, header, good):
    made = client.s3("PUT", "manifests", "a", b"one", headers={header: good})
    assert made.status == 200 and made.headers["etag"] == f'"{hashlib.md5(b"one").hexdigest()}"'
    bad = client.s3("PUT", "manifests", "a", b"two", headers={header: good})
    assert (bad.status, bad.error) == (400, "BadDigest")
    assert client.s3("GET", "manifests", "a").body == b"one"


def test_a_bucket_belongs_to_one_account_and_one_region(aws, client):
    client.s3("PUT", "manifests", "a", b"one")
    assert aws.client(1).s3("GET", "manifests", "a").error == "AccessDenied"
    elsewhere = aws.client(region="us-east-1").s3("GET", "manifests", "a")
    assert (elsewhere.status, elsewhere.error) == (301, "PermanentRedirect")
    assert elsewhere.headers["x-amz-bucket-region"] == "eu-west-1"
    head = aws.client(region="us-east-1").s3("HEAD", "manifests")
    assert (head.status, head.body) == (301, b"")
    assert client.s3("GET", "manifests", "b").error == "NoSuchKey"
    assert client.s3("GET", "not-there", "b").error == "NoSuchBucket"
    owner = {"x-amz-expected-bucket-owner": OTHER}
    assert client.s3("PUT", "manifests", "a", b"", headers=owner).error == "AccessDenied"
