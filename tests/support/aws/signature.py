"""Who signed a request? Verifies Signature V4 in headers and in presigned links, as strictly as the
services do."""

import calendar
import hashlib
import re
import time
from functools import lru_cache

from .errors import signature_error
from .sigv4 import (ALGORITHM, EMPTY_HASH, UNSIGNED_PAYLOAD, canonical_request, signature,
                    string_to_sign)

_HEADER = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/([^,\s]+), ?"
                     r"SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})")
_SCOPE = re.compile(r"(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_DATE = re.compile(r"\d{8}T\d{6}Z")
_HASH = re.compile(r"[0-9a-f]{64}")
MINUTES = {"s3": 15}  # all others: 5
_PRESIGNED = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
              "X-Amz-SignedHeaders", "X-Amz-Signature")


class Caller:
    """Who signed, and for which region."""

    __slots__ = ("identity", "account", "arn", "user_id", "token", "region", "service")

    def __init__(self, identity, region, service):
        self.identity = identity
        self.account = identity.account
        self.arn = identity.arn
        self.user_id = identity.user_id
        self.token = identity.token
        self.region = region
        self.service = service

    def may(self, action):
        return self.identity.may(action)


@lru_cache(maxsize=1024)
def parse_date(text):
    return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))


def is_date(text):
    try:
        return bool(_DATE.fullmatch(text)) and parse_date(text) > 0
    except ValueError:
        return False


def payload_hash(request):
    return hashlib.sha256(request.body).hexdigest() if request.body else EMPTY_HASH


def signed_parts(world, service, request, listed, wanted=()):
    """The list of signed headers; it must hold all that matter, in order."""
    signed = listed.split(";")
    if signed != sorted(signed):
        raise signature_error(service, "incomplete", "SignedHeaders are not sorted")
    headers = request.headers
    for name in signed:
        if name not in headers:
            raise signature_error(service, "signature", f"Signed header {name} was not sent")
    for name in ("host",) + tuple(wanted):
        if name not in signed:
            raise signature_error(service, "unsigned_header", f"'{name}' must be a 'SignedHeader' "
                                  "in the AWS Authorization.", {"HeadersNotSigned": name})
    if world.settings.check_unsigned:
        for name in headers:
            if (name.startswith(("x-amz-", "x-amzn-")) or name == "content-type") and \
                    name not in signed and name != "x-amzn-trace-id":
                raise signature_error(service, "unsigned_header", "There were headers present in "
                                      "the request which were not signed",
                                      {"HeadersNotSigned": name})
    return signed


def check_time(world, service, amz_date, scope):
    if not is_date(amz_date):
        raise signature_error(service, "incomplete", "X-Amz-Date is missing or malformed")
    if not scope.startswith(amz_date[:8] + "/"):
        raise signature_error(service, "scope", "Date in Credential scope does not match "
                              "YYYYMMDD from ISO-8601 version of date from HTTP")
    now, minutes = world.clock.now(), MINUTES.get(service, 5)
    if abs(parse_date(amz_date) - now) <= minutes * 60:
        return
    server = world.clock.amz_date()
    if service == "s3":
        raise signature_error(service, "skew", "The difference between the request time and the "
                              "current time is too large.",
                              {"RequestTime": amz_date, "ServerTime": server})
    if parse_date(amz_date) < now:
        raise signature_error(service, "time", f"Signature expired: {amz_date} is now earlier than "
                              f"{server} ({minutes} min.)")
    raise signature_error(service, "time", f"Signature not yet current: {amz_date} is still later "
                          f"than {server} ({minutes} min.)")


def _check_scope(world, service, scope, endpoint_region):
    match = _SCOPE.fullmatch(scope)
    if not match:
        raise signature_error(service, "incomplete", "Credential is malformed")
    _, region, signed_service = match.groups()
    expected = endpoint_region(region)
    if region != expected:
        raise signature_error(
            service, "region", f"The authorization header is malformed; the region '{region}' is "
            f"wrong; expecting '{expected}'" if service == "s3" else
            "Credential should be scoped to a valid region.", {"Region": expected})
    old = world.settings.old_signing_name and (service, signed_service) == ("iot", "execute-api")
    if signed_service != service and not old:
        raise signature_error(service, "service", "Credential should be scoped to correct service: "
                              f"'{service}'.")
    return region


def _identity(world, service, access_key_id, token):
    """The holder of the access key, if key and token belong together and live."""
    identity = world.accounts.find_key(access_key_id)
    if identity is None:
        raise signature_error(service, "unknown_key", "The security token included in the request "
                              "is invalid.", {"AWSAccessKeyId": access_key_id})
    if identity.token != token:
        kind = "bad_token" if token else "unknown_key"
        raise signature_error(service, kind, "The security token included in the request is "
                              "invalid.")
    if identity.expires is not None and identity.expires <= world.clock.now():
        raise signature_error(service, "expired_token", "The security token included in the "
                              "request is expired")
    return identity


def _check_payload(service, request):
    """The hash that stands in the canonical request, proved by the body."""
    actual = payload_hash(request)
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed is None:
        if service == "s3":
            raise signature_error(service, "no_payload_hash", "Your request was missing a required "
                                  "header", {"MissingHeaderName": "x-amz-content-sha256"})
        return actual
    if claimed == UNSIGNED_PAYLOAD and service == "s3" and request.listener.tls:
        return claimed
    if not _HASH.fullmatch(claimed) or claimed != actual:
        raise signature_error(service, "payload", "The provided 'x-amz-content-sha256' header does "
                              "not match what was computed.",
                              {"ClientComputedContentSHA256": claimed,
                               "S3ComputedContentSHA256": actual})
    return claimed


def _compare(service, identity, scope, amz_date, canonical, made):
    text = string_to_sign(amz_date, scope, canonical)
    if signature(identity.secret, scope, text) != made:
        raise signature_error(
            service, "signature", "The request signature we calculated does not match the "
            "signature you provided. Check your AWS Secret Access Key and signing method.",
            {"StringToSign": text, "CanonicalRequest": canonical} if service == "s3" else
            {"canonicalRequest": canonical})


def _presigned(world, service, request, endpoint_region):
    values = dict(request.pairs)
    if any(name not in values for name in _PRESIGNED) or \
            values["X-Amz-Algorithm"] != ALGORITHM or not values["X-Amz-Expires"].isdigit() or \
            not 1 <= int(values["X-Amz-Expires"]) <= 604800 or \
            not is_date(values["X-Amz-Date"]):
        raise signature_error(service, "query_malformed", "Query-string authentication version 4 "
                              "requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
                              "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
    access_key_id, _, scope = values["X-Amz-Credential"].partition("/")
    region = _check_scope(world, service, scope, endpoint_region)
    amz_date, now = values["X-Amz-Date"], world.clock.now()
    if not scope.startswith(amz_date[:8] + "/"):
        raise signature_error(service, "query_malformed", "The dates differ")
    if parse_date(amz_date) > now + 60 * MINUTES.get(service, 5):
        raise signature_error(service, "presigned_expired", "Request is not valid yet")
    if parse_date(amz_date) + int(values["X-Amz-Expires"]) <= now:
        raise signature_error(service, "presigned_expired", "Request has expired",
                              {"X-Amz-Expires": values["X-Amz-Expires"],
                               "ServerTime": world.clock.amz_date()})
    identity = _identity(world, service, access_key_id, values.get("X-Amz-Security-Token"))
    signed = values["X-Amz-SignedHeaders"].split(";")
    if "host" not in signed or any(name not in request.headers for name in signed):
        raise signature_error(service, "unsigned_header", "Signed headers are missing")
    pairs = [pair for pair in request.pairs if pair[0] != "X-Amz-Signature"]
    hashed = UNSIGNED_PAYLOAD if service == "s3" else payload_hash(request)
    canonical = canonical_request(request.method, request.path, pairs, request.headers, signed,
                                  hashed, service == "s3")
    _compare(service, identity, scope, amz_date, canonical, values["X-Amz-Signature"])
    return Caller(identity, region, service)


def authenticate(world, service, request, endpoint_region):
    """The caller, or the error that the service would send. `endpoint_region` gives the region in
    which the endpoint is, for the region that the caller means."""
    header = request.headers.get("authorization")
    if header is None:
        if request.query_value("X-Amz-Signature") is not None:
            return _presigned(world, service, request, endpoint_region)
        raise signature_error(service, "missing", "Missing Authentication Token")
    match = _HEADER.fullmatch(header)
    if not match:
        raise signature_error(service, "incomplete", "The authorization header is malformed")
    access_key_id, scope, listed, made = match.groups()
    region = _check_scope(world, service, scope, endpoint_region)
    headers = request.headers
    wanted = ("x-amz-date", "x-amz-content-sha256") if service == "s3" and \
        "x-amz-content-sha256" in headers else ("x-amz-date",)
    amz_date = headers.get("x-amz-date", "")
    check_time(world, service, amz_date, scope)
    signed = signed_parts(world, service, request, listed, wanted)
    identity = _identity(world, service, access_key_id, headers.get("x-amz-security-token"))
    hashed = _check_payload(service, request)
    canonical = canonical_request(request.method, request.path, request.pairs, headers, signed,
                                  hashed, service == "s3")
    _compare(service, identity, scope, amz_date, canonical, made)
    return Caller(identity, region, service)
