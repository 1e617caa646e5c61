"""IAM Roles Anywhere: CreateSession, signed with the key of an X.509 certificate."""

import base64
import binascii
import json
import re

from cryptography import x509 as full
from cryptography.hazmat.primitives import hashes

from . import x509
from .errors import ServiceError, not_found
from .messages import Reply, new_request_id
from .signature import check_time, payload_hash, signed_parts
from .sigv4 import canonical_request, string_to_sign
from .sts import iso

ALGORITHMS = {"AWS4-X509-ECDSA-SHA256": "ec", "AWS4-X509-RSA-SHA256": "rsa"}
_HEADER = re.compile(r"(AWS4-X509-[A-Z0-9-]+) Credential=(\d+)/(\d{8}/[a-z0-9-]+/rolesanywhere/"
                     r"aws4_request), ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]+)")
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
_CHAIN = 5


def _denied(message):
    return ServiceError("AccessDeniedException", message)


def _invalid(message):
    return ServiceError("ValidationException", message)


def _certificate(text):
    try:
        return x509.Certificate(base64.b64decode(text, validate=True))
    except (binascii.Error, x509.BadCertificate) as error:
        raise _denied(f"Unable to read the certificate: {error}") from None


def _check_leaf(leaf, moment):
    if leaf.whole("version") is not full.Version.v3 or x509.is_ca(leaf):
        raise x509.BadCertificate("The certificate is not a version 3 end-entity certificate")
    try:
        usage = leaf.whole("extensions").get_extension_for_class(full.KeyUsage).value
        if not usage.digital_signature:
            raise x509.BadCertificate("The certificate's key usage has no digitalSignature")
    except full.ExtensionNotFound:
        raise x509.BadCertificate("The certificate has no key usage") from None
    x509.check_valid_at(leaf, moment)


def _check_chain(leaf, intermediates, anchor, moment):
    """Each is signed by the next; the last by the trust anchor."""
    current = leaf
    for each in intermediates + [anchor]:
        if x509.signed_by(current, each):
            x509.check_valid_at(each, moment)
            if not x509.is_ca(each):
                raise x509.BadCertificate("An issuing certificate is not a CA's")
            current = each
    if current is not anchor:
        raise x509.BadCertificate("Untrusted certificate")


class Caller:
    """Who holds the certificate; nobody's account yet."""

    def __init__(self, leaf, intermediates, region):
        self.leaf = leaf
        self.intermediates = intermediates
        self.region = region
        self.account = "-"


def authenticate(world, request, region_of_endpoint):
    """Checks the signature. Whether the certificate is trusted depends on the anchor."""
    match = _HEADER.fullmatch(request.headers.get("authorization", ""))
    if not match or match.group(1) not in ALGORITHMS:
        raise _denied("Missing or malformed signature")
    algorithm, serial, scope, signed, signature = match.groups()
    region = scope.split("/")[1]
    if region != region_of_endpoint(region):
        raise _denied("Credential should be scoped to a valid region")
    signed = signed_parts(world, "rolesanywhere", request, signed, ("x-amz-x509",))
    amz_date = request.headers.get("x-amz-date", "")
    check_time(world, "rolesanywhere", amz_date, scope)
    leaf = _certificate(request.headers["x-amz-x509"])
    if str(leaf.serial) != serial:
        raise _denied("The credential is not the certificate's serial number")
    intermediates = [_certificate(each) for each in
                     request.headers.get("x-amz-x509-chain", "").split(",") if each]
    if len(intermediates) > _CHAIN:
        raise _denied("The chain is too long")
    canonical = canonical_request(request.method, request.path, request.pairs, request.headers,
                                  signed, payload_hash(request))
    text = string_to_sign(amz_date, scope, canonical, algorithm)
    try:
        good = x509.verify_bytes(x509.public_key(leaf.spki), ALGORITHMS[algorithm], hashes.SHA256,
                                 None, bytes.fromhex(signature), text.encode("latin-1"))
    except (ValueError, x509.BadCertificate):
        good = False
    if not good:
        raise _denied("Signature does not match")
    return Caller(leaf, intermediates, region)


def operation_name(request):
    if (request.method, request.path) == ("POST", "/sessions"):
        return "CreateSession"
    return "Unknown"


def _input(request):
    try:
        given = json.loads(request.body) if request.body else {}
    except ValueError:
        raise _invalid("The body is not JSON") from None
    if not isinstance(given, dict):
        raise _invalid("The body is not a JSON object")
    for name in ("profileArn", "roleArn", "trustAnchorArn"):
        given.setdefault(name, request.query_value(name))
        if not isinstance(given[name], str):
            raise _invalid(f"{name} is missing")
    seconds = given.get("durationSeconds")
    if seconds is not None and (not isinstance(seconds, int) or not 900 <= seconds <= 43200):
        raise _invalid("durationSeconds")
    return given


def serve(call):
    if call.operation != "CreateSession":
        raise ServiceError("UnknownOperationException", "Not played")
    world, caller, given = call.world, call.caller, _input(call.request)
    account_id = given["trustAnchorArn"].split(":")[4:5]
    account = world.accounts.by_id.get(account_id[0]) if account_id else None
    anchor = account.trust_anchors.get(given["trustAnchorArn"]) if account else None
    profile = account.profiles.get(given["profileArn"]) if account else None
    if anchor is None or profile is None:
        raise not_found("Trust anchor or profile not found")
    if not anchor.enabled or not profile.enabled or \
            {anchor.region, profile.region} != {caller.region}:
        raise _denied("Trust anchor or profile is disabled or in another region")
    moment = world.clock.moment()
    try:
        _check_leaf(caller.leaf, moment)
        _check_chain(caller.leaf, caller.intermediates, anchor.certificate, moment)
    except x509.BadCertificate as error:
        raise _denied(str(error)) from None
    role = world.accounts.find_role(given["roleArn"])
    if role is None or given["roleArn"] not in profile.roles or \
            not role.trusts_service("rolesanywhere.amazonaws.com"):
        raise _denied("Unable to assume role for " + given["roleArn"])
    serial = f"{caller.leaf.serial:x}"
    name = given.get("roleSessionName")
    if name is not None and (not profile.accept_session_name or not _SESSION_NAME.fullmatch(name)):
        raise _denied("roleSessionName is not accepted by the profile")
    seconds = min(profile.duration, given.get("durationSeconds") or profile.duration)
    session = world.accounts.open_session(role, name or serial[:64],
                                          world.settings.session_seconds or seconds)
    answer = {"credentialSet": [{
        "assumedRoleUser": {"arn": session.arn, "assumedRoleId": session.user_id},
        "credentials": {"accessKeyId": session.access_key_id, "secretAccessKey": session.secret,
                        "sessionToken": session.token, "expiration": iso(session.expires)},
        "packedPolicySize": 10, "roleArn": role.arn, "sourceIdentity": serial}],
        "subjectArn": f"arn:aws:rolesanywhere:{caller.region}:{account.id}:subject/"
                      f"{caller.leaf.id[:8]}-0000-4000-8000-000000000000"}
    return Reply(201, json.dumps(answer).encode(), {"content-type": "application/json",
                                                    "x-amzn-requestid": new_request_id()})
