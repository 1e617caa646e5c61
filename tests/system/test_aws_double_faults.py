"""The bad days that the double can make: each fault does what it says, and only that."""

import http.client
import ssl
import time

import pytest

from aws_fixtures import aws, client, registered_ca as ca
from support.aws.calls import ACCOUNT, REGION, register
from support.aws.certificates import TestCa, id_of, key_pem, new_key
from support.aws.running import ControlError
from support.aws.x509_session import create_session

CODE = "/registrationcode"
KEY = new_key()
# What a client sees when nobody answers.
CUT = (http.client.RemoteDisconnected, http.client.IncompleteRead, ConnectionError, ssl.SSLError)


# --- single calls --------------------------------------------------------------------------------

def test_a_lost_reply_has_its_effect_once_per_call(aws, client, ca):
    aws.fault(operation="RegisterCertificate", do="lose_reply", each="call")
    pems = [ca.device(f"unit-{number}", key=KEY) for number in range(3)]
    for pem in pems:
        with pytest.raises(CUT):
            register(client, pem)
        client.close()
        again = register(client, pem)
        assert again.error == "ResourceAlreadyExistsException"
        assert again.json()["resourceId"] == id_of(pem)
    assert set(aws.space(ACCOUNT)["certificates"]) == {id_of(pem) for pem in pems}
    assert aws.log()["replies_lost"] == {"RegisterCertificate": 3}


def test_a_lost_reply_of_every_operation_hits_each_once(aws, client):
    aws.fault(operation="*", do="lose_reply", each="operation")
    for target in ("/things/one", "/thing-types/one", "/thing-groups/one"):
        with pytest.raises(CUT):
            client.iot("POST", target, {})
        client.close()
        assert client.iot("POST", target, {}).status == 200


def test_a_call_cut_before_its_effect_has_none(aws, client):
    aws.fault(operation="CreateThing", do="cut_before")
    with pytest.raises(CUT):
        client.iot("POST", "/things/one", {})
    client.close()
    assert client.iot("GET", "/things/one").error == "ResourceNotFoundException"


def test_an_answer_can_break_off_in_the_middle(aws, client):
    aws.fault(operation="GetRegistrationCode", do="cut_middle")
    with pytest.raises(CUT):
        client.iot("GET", CODE)


def test_an_error_comes_as_often_as_asked(aws, client):
    aws.fault(operation="Get*", do="error", code="InternalFailureException", times=2, skip=1)
    answers = [client.iot("GET", CODE) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 500, 500, 200]
    assert aws.faults()[0]["hits"] == 2


def test_a_poisoned_certificate_is_refused_for_ever(aws, client, ca):
    bad, good = ca.device("bad", key=KEY), ca.device("good", key=KEY)
    aws.fault(operation="RegisterCertificate", do="error", code="InvalidRequestException",
              contains=bad.split("\n")[3], times=None)
    assert [register(client, pem).status for pem in (bad, good, bad)] == [400, 200, 400]


def test_an_answer_can_name_the_wrong_certificate(aws, client, ca):
    aws.fault(operation="RegisterCertificate", do="replace", members={"certificateId": "0" * 64})
    pem = ca.device(key=KEY)
    assert register(client, pem).json()["certificateId"] == "0" * 64
    assert id_of(pem) in aws.space(ACCOUNT)["certificates"]


def test_an_answer_can_be_late(aws, client):
    aws.fault(operation="GetRegistrationCode", do="delay", seconds=0.4)
    started = time.monotonic()
    assert client.iot("GET", CODE).status == 200
    assert time.monotonic() - started >= 0.4


def test_a_fault_with_a_misspelt_field_is_refused(aws):
    with pytest.raises(ControlError):
        aws.fault(operation="*", do="lose_replies")
    with pytest.raises(ControlError):
        aws.fault(operatoin="*", do="hang")
    with pytest.raises(ControlError):
        aws.settings(clock_skw=1)


# --- rates ---------------------------------------------------------------------------------------

def test_a_rate_is_kept_and_the_peak_is_seen(aws, client):
    aws.throttle("CreateThing", 20, burst=5)
    started, made = time.monotonic(), 0
    while time.monotonic() - started < 1.5:
        answer = client.iot("POST", f"/things/unit-{made}", {})
        assert answer.error in (None, "ThrottlingException")
        made += answer.status == 200
    assert 20 <= made <= 36
    peak = aws.log()["peak_per_second"][f"{ACCOUNT} {REGION} CreateThing"]
    assert peak <= 26
    assert aws.client(1).iot("POST", "/things/unit-0", {}).status == 200


def test_the_documented_quotas_hold_all_at_once(aws, client):
    aws.aws_quotas()
    answers = [client.iot("GET", CODE).error for _ in range(30)]
    assert answers[:10] == [None] * 10 and "ThrottlingException" in answers
    aws.aws_quotas(False)
    assert {client.iot("GET", CODE).error for _ in range(30)} == {None}


# --- the endpoints -------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["refuse", "close"])
def test_aws_can_be_away_and_come_back(aws, client, how):
    assert client.iot("GET", CODE).status == 200
    aws.settings(away=how)
    for _ in range(2):
        client.close()
        with pytest.raises(CUT):
            client.iot("GET", CODE)
    aws.settings(away="")
    client.close()
    assert client.iot("GET", CODE).status == 200


def test_aws_can_accept_and_never_answer(aws, client):
    aws.settings(away="hang")
    client.connection.timeout = 0.3
    with pytest.raises(TimeoutError):
        client.iot("GET", CODE)


def test_a_captive_portal_answers_everything_with_a_page(aws, client):
    aws.settings(captive_portal="html")
    answer = client.iot("GET", CODE)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<html>" in answer.body
    aws.settings(captive_portal="redirect")
    assert client.iot("GET", CODE).headers["location"].startswith("http://")
    assert "GetRegistrationCode" not in aws.counts()


def test_a_stranger_s_certificate_ends_the_handshake(aws, client):
    aws.settings(untrusted_tls=True)
    client.close()
    with pytest.raises(ssl.SSLCertVerificationError):
        client.iot("GET", CODE)


# --- credentials ---------------------------------------------------------------------------------

@pytest.fixture
def plant(aws):
    """A trust anchor with an intermediate CA, a profile and a role."""
    root = TestCa("Plant root")
    aws.add(accounts=[{"id": ACCOUNT,
                       "roles": [{"name": "plant", "trust": ["rolesanywhere.amazonaws.com"]}],
                       "trust_anchors": [{"region": REGION, "anchor_id": "anchor",
                                          "certificate": root.pem}],
                       "profiles": [{"region": REGION, "profile_id": "profile",
                                     "roles": ["plant"]}]}])
    return root


@pytest.mark.parametrize("kind", ["P-256", "P-384", "RSA-2048"])
def test_a_chain_to_the_trust_anchor_gives_a_session(aws, client, plant, kind):
    issuing, key = TestCa("Plant issuing", issuer=plant), new_key(kind)
    leaf = issuing.device("line", key=key)
    assert create_session(aws, leaf, key_pem(key), ACCOUNT, "plant").status == 403
    made = create_session(aws, leaf, key_pem(key), ACCOUNT, "plant", chain=[issuing.pem])
    assert made.status == 201
    assert made.json()["credentialSet"][0]["roleArn"] == f"arn:aws:iam::{ACCOUNT}:role/plant"


def test_what_is_wrong_with_a_certificate_s_session_is_refused(aws, client, plant):
    key = new_key()
    leaf, pem = plant.device("line", key=key), key_pem(key)

    def answer(certificate=leaf, secret=pem, role="plant", **more):
        made = create_session(aws, certificate, secret, ACCOUNT, role, **more)
        return made.status, made.error

    denied = (403, "AccessDeniedException")
    assert answer()[0] == 201
    assert answer(TestCa("Plant root").device(key=key)) == denied
    assert answer(secret=key_pem(new_key())) == denied
    assert answer(plant.device(key=key, is_ca=True)) == denied
    assert answer(plant.device(key=key, usage=False)) == denied
    assert answer(role="deploy") == denied
    assert answer(change=lambda headers: headers.update({"x-amz-extra": "1"})) == denied
    assert answer(anchor="gone") == (404, "ResourceNotFoundException")
    assert answer(seconds=60) == (400, "ValidationException")
    assert answer(region="us-east-1") == (404, "ResourceNotFoundException")
