"""Signature V4: the vectors of others, and what the double refuses. The vectors' own implementation
here is the double's, so that it can judge ours."""

import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aws_fixtures import aws, client
from support.aws.sigv4 import ALGORITHM, Keys, Signer, split_query

SUITE = Path(__file__).resolve().parent.parent / "data/aws-sig-v4-test-suite"
TOKEN = "x-amz-security-token"


def parse_request(raw):
    """(method, target, headers, body) of a request as the suites write it."""
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = head.decode("latin-1").split("\n")
    method, rest = lines[0].split(" ", 1)
    headers, last = {}, None
    for line in filter(None, lines[1:]):
        if line[0] in " \t":
            headers[last] += " " + line.strip()
            continue
        last, _, value = line.partition(":")
        last, value = last.lower(), value.strip()
        headers[last] = f"{headers[last]},{value}" if last in headers else value
    return method, rest.rsplit(" ", 1)[0], headers, body


def text(path):
    return path.read_bytes().decode("latin-1").replace("\r\n", "\n")


# --- awslabs/aws-c-auth --------------------------------------------------------------------------

CASES = sorted(path.parent.name for path in SUITE.glob("aws-c-auth-v4/*/context.json"))


def signer_of(context):
    keys = context["credentials"]
    return Signer(Keys(keys["access_key_id"], keys["secret_access_key"], keys.get("token")),
                  context["region"], context["service"],
                  context["timestamp"].replace("-", "").replace(":", ""),
                  keep_path=not context["normalize"])


@pytest.mark.parametrize("form", ["header", "query"])
@pytest.mark.parametrize("case", CASES)
def test_a_vector_of_aws_c_auth_is_met(case, form):
    folder = SUITE / "aws-c-auth-v4" / case
    context = json.loads((folder / "context.json").read_text())
    method, target, headers, body = parse_request((folder / "request.txt").read_bytes())
    hashed = hashlib.sha256(body).hexdigest()
    with_token = not context.get("omit_session_token")
    signer = signer_of(context)
    if form == "header":
        if context["sign_body"]:
            headers["x-amz-content-sha256"] = hashed
        made = signer.sign(method, target, headers, body, sign_token=with_token)
    else:
        made = signer.presign(method, target, headers, context["expiration_in_seconds"], hashed,
                              sign_token=with_token)
        _, signed_target, _, _ = parse_request((folder / "query-signed-request.txt").read_bytes())
        assert sorted(split_query(made[3].partition("?")[2])) == \
            sorted(split_query(signed_target.partition("?")[2]))
    names = ("canonical-request", "string-to-sign", "signature")
    for name, value in zip(names, made):
        assert value == text(folder / f"{form}-{name}.txt"), name


def test_all_vectors_of_aws_c_auth_are_here():
    assert len(CASES) == 38


# --- the original suite --------------------------------------------------------------------------

CLASSIC = sorted(SUITE.glob("classic/**/*.req"), key=lambda path: path.stem)
EXTRA_NEWLINES = ("get-vanilla-query-order-encoded", "get-special-character")


@pytest.mark.parametrize("path", CLASSIC, ids=lambda path: path.stem)
def test_a_vector_of_the_original_suite_is_met(path):
    method, target, headers, body = parse_request(path.read_bytes())
    if path.stem in EXTRA_NEWLINES:
        body = b""
    amz_date, token = headers.pop("x-amz-date"), headers.pop(TOKEN, None)
    sent = parse_request(path.with_suffix(".sreq").read_bytes())[2]
    sign_token = TOKEN in text(path.with_suffix(".authz"))
    keys = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                (token or sent.get(TOKEN)) if sign_token else None)
    signer = Signer(keys, "us-east-1", "service", amz_date)
    canonical, to_sign, _ = signer.sign(method, target, headers, body)
    assert canonical == text(path.with_suffix(".creq"))
    assert to_sign == text(path.with_suffix(".sts"))
    assert headers["authorization"] == text(path.with_suffix(".authz"))


def test_all_vectors_of_the_original_suite_are_here():
    assert len(CLASSIC) == 34


# --- linesign's own calls ------------------------------------------------------------------------

OPERATIONS = json.loads((SUITE / "linesign-operations.json").read_text())


@pytest.mark.parametrize("vector", OPERATIONS, ids=lambda vector: vector["name"])
def test_a_call_of_linesign_is_signed_as_botocore_signs_it(vector):
    signer = Signer(Keys(vector["access_key_id"], vector["secret_access_key"],
                         vector["session_token"]),
                    vector["region"], vector["signing_name"], vector["timestamp"])
    url = urlsplit(vector["url"] if "url" in vector else vector["request"]["url"])
    if "url" in vector:
        made = signer.presign("GET", url.path, {"host": url.netloc}, vector["expires"])
        assert sorted(split_query(made[3].partition("?")[2])) == sorted(split_query(url.query))
    else:
        request = vector["request"]
        signed = request["headers"]["Authorization"].partition("SignedHeaders=")[2].partition(",")
        headers = {name.lower(): value for name, value in request["headers"].items()
                   if name.lower() in signed[0].split(";")}
        headers["host"] = url.netloc
        body = (request["body"] or "").encode()
        target = url.path + (f"?{url.query}" if url.query else "")
        made = signer.sign(request["method"], target, headers, body)
        assert headers["authorization"] == vector["authorization"]
    assert made[:3] == (vector["canonical_request"], vector["string_to_sign"],
                        vector["signature"])


# --- what the double refuses ---------------------------------------------------------------------

CODE = "/registrationcode"
PINS = ["iot/us-east-1"]


def changed(name, change):
    def apply(headers):
        headers[name] = change(headers[name])
    return apply


def without(name):
    return lambda headers: headers.pop(name)


def test_a_good_signature_is_accepted(client):
    assert client.iot("GET", CODE).status == 200


@pytest.mark.parametrize("change,error", [
    (without("authorization"), "MissingAuthenticationTokenException"),
    (changed("authorization", lambda text: text[:-1] + ("0" if text[-1] != "0" else "1")),
     "InvalidSignatureException"),
    (changed("authorization", lambda text: text.replace("host;", "")), "InvalidSignatureException"),
    (changed("authorization", lambda text: text.replace("host;x-amz-date", "x-amz-date;host")),
     "IncompleteSignatureException"),
    (changed("authorization", lambda text: text.replace(ALGORITHM, "AWS4-HMAC-SHA1")),
     "IncompleteSignatureException"),
    (changed("authorization", lambda text: text.replace("/eu-west-1/", "/mars-west-1/")),
     "InvalidSignatureException"),
    (changed("authorization", lambda text: text.replace("KIALINESIGN", "KIANOBODYXX")),
     "UnrecognizedClientException"),
    (changed("x-amz-date", lambda date: date[:-2] + ("1Z" if date[-2] != "1" else "2Z")),
     "InvalidSignatureException"),
    (lambda headers: headers.update({"x-amz-extra": "unsigned"}), "InvalidSignatureException"),
    (lambda headers: headers.update({TOKEN: "a token for a static key"}),
     "InvalidSignatureException"),
])
def test_a_changed_signature_is_refused(client, change, error):
    answer = client.iot("GET", CODE, change=change)
    assert (answer.status, answer.error) == (403, error)


def test_a_changed_body_target_or_method_is_refused(client, aws):
    def resend(method, target, body):
        headers = {"host": client.host, "content-type": "application/json"}
        Signer(client.keys, "eu-west-1", "iot", client.amz_date()).sign(
            "POST", "/policies/one", headers, b'{"policyDocument":"{}"}')
        return client.send(method, target, headers, body).error

    body = b'{"policyDocument":"{}"}'
    assert resend("POST", "/policies/one", body) == "MalformedPolicyException"
    assert resend("POST", "/policies/one", body + b" ") == "InvalidSignatureException"
    assert resend("POST", "/policies/two", body) == "InvalidSignatureException"
    assert resend("POST", "/policies/one?a=b", body) == "InvalidSignatureException"
    assert resend("PUT", "/policies/one", body) == "InvalidSignatureException"
    assert not aws.space("111122223333")["policies"]


def test_the_wrong_secret_is_refused(aws):
    keys = Keys(aws.keys().access_key_id, "another secret")
    assert aws.client(keys=keys).iot("GET", CODE).error == "InvalidSignatureException"


@pytest.mark.parametrize("skew,error", [(290, None), (-290, None),
                                        (310, "InvalidSignatureException"),
                                        (-310, "InvalidSignatureException")])
def test_five_minutes_is_what_the_clock_may_differ(aws, skew, error):
    assert aws.client(skew=skew).iot("GET", CODE).error == error


@pytest.mark.parametrize("skew,error", [(310, None), (890, None), (910, "RequestTimeTooSkewed"),
                                        (-910, "RequestTimeTooSkewed")])
def test_s3_allows_fifteen_minutes(aws, skew, error):
    assert aws.client(skew=skew).s3("GET", "manifests", query="list-type=2").error == error


def test_the_date_header_shows_the_service_s_clock(aws, client):
    aws.settings(clock_skew=600)
    answer = client.iot("GET", CODE)
    assert "Signature expired" in answer.json()["message"]
    from email.utils import parsedate_to_datetime
    import time
    assert 590 < parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time() < 610
    assert aws.client(skew=600).iot("GET", CODE).status == 200


def test_an_endpoint_of_one_region_refuses_the_others(aws):
    endpoint = aws.ports["pinned"]["iot/us-east-1"]
    wrong = aws.client(endpoint=endpoint, region="eu-west-1").iot("GET", CODE)
    assert wrong.error == "InvalidSignatureException"
    assert "valid region" in wrong.json()["message"]
    assert aws.client(endpoint=endpoint, region="us-east-1").iot("GET", CODE).status == 200
    other = aws.client(endpoint=endpoint, region="us-east-1").call("s3", "GET", CODE)
    assert "correct service" in other.json()["message"]


def test_s3_wants_the_hash_of_the_body(client):
    assert client.s3("PUT", "manifests", "a", b"one",
                     payload_hash=hashlib.sha256(b"two").hexdigest()).error == \
        "XAmzContentSHA256Mismatch"
    assert client.s3("PUT", "manifests", "a", b"one",
                     payload_hash="UNSIGNED-PAYLOAD").status == 200
    assert client.s3("GET", "manifests", "a",
                     change=without("x-amz-content-sha256")).error == "SignatureDoesNotMatch"


def test_a_presigned_link_works_until_it_expires(aws, client):
    client.s3("PUT", "manifests", "odd key+%2F/ö.csv", b"content")

    def link(seconds, skew=0.0):
        signer = Signer(client.keys, "eu-west-1", "s3", aws.client(skew=skew).amz_date())
        return signer.presign("GET", "/manifests/odd%20key%2B%252F/%C3%B6.csv",
                              {"host": client.host}, seconds)[3]

    host = {"host": client.host}
    assert client.send("GET", link(60), host).body == b"content"
    assert client.send("GET", link(60, -61), host).error == "AccessDenied"
    assert client.send("GET", link(604801), host).error == "AuthorizationQueryParametersError"
    assert client.send("GET", link(60)[:-1] + "x", host).error == "SignatureDoesNotMatch"
    assert client.send("GET", link(60).replace("odd", "even"), host).error == \
        "SignatureDoesNotMatch"
    assert client.send("DELETE", link(60), host).error == "SignatureDoesNotMatch"
