"""Signature Version 4: canonical forms, signing and presigning. Knows no accounts and no sockets.

Text is held as latin-1, one character per byte on the wire."""

import hashlib
import hmac
import re
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
# Never part of a signature: proxies and clients change them.
NEVER_SIGNED = frozenset(("authorization", "connection", "expect", "keep-alive", "te", "trailer",
                          "transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id"))

_SPACES = re.compile(r" +")
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?|/")


def encode(text):
    """Percent-encodes all but the unreserved characters."""
    return quote(text.encode("latin-1"), safe="-._~")


def decode(text):
    return unquote_to_bytes(text.encode("latin-1")).decode("latin-1")


def header_value(value):
    """As it is signed: without outer spaces, inner runs as one."""
    value = value.strip(" \t")
    return _SPACES.sub(" ", value) if "  " in value else value


def without_dots(path):
    """The path without dot segments and double slashes; a trailing slash stays."""
    kept = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if path.endswith(("/", "/.", "/..")) and kept else ""
    return "/" + "/".join(kept) + slash


def canonical_path(sent, keep=False):
    """`sent` is the path of the request line. S3 keeps it; all others normalise it and encode what
    was encoded already once more."""
    if _PLAIN_PATH.fullmatch(sent):
        return sent
    if keep:
        return quote(unquote_to_bytes(sent.encode("latin-1")), safe="/-._~") or "/"
    return quote(without_dots(sent).encode("latin-1"), safe="/-._~")


def split_query(query):
    """(name, value) pairs, decoded. A plus sign is a plus sign: a space is sent as %20."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((decode(name), decode(value)))
    return pairs


def canonical_query(pairs):
    return "&".join(f"{name}={value}" for name, value in
                    sorted((encode(name), encode(value)) for name, value in pairs))


def canonical_request(method, path, pairs, headers, signed, payload_hash,
                      keep_path=False):
    """`headers` maps lower-case names to values; `signed` lists the names in order."""
    lines = [method, canonical_path(path, keep_path), canonical_query(pairs) if pairs else ""]
    for name in signed:
        lines.append(f"{name}:{header_value(headers[name])}")
    lines += ["", ";".join(signed), payload_hash]
    return "\n".join(lines)


def string_to_sign(amz_date, scope, canonical, algorithm=ALGORITHM):
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    return f"{algorithm}\n{amz_date}\n{scope}\n{digest}"


@lru_cache(maxsize=4096)
def signing_key(secret, date, region, service):
    key = ("AWS4" + secret).encode()
    for step in (date, region, service, "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return key


def signature(secret, scope, text):
    date, region, service, _ = scope.split("/")
    return hmac.digest(signing_key(secret, date, region, service), text.encode("latin-1"),
                       "sha256").hex()


def headers_to_sign(headers):
    return sorted(name for name in headers
                  if name not in NEVER_SIGNED and not name.startswith("proxy-"))


class Keys:
    """What a caller signs with."""

    def __init__(self, access_key_id, secret_access_key, token=None):
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.token = token


class Signer:
    """Signs for one service of one region at one time."""

    def __init__(self, keys, region, service, amz_date, keep_path=None):
        self.keys = keys
        self.amz_date = amz_date
        self.scope = f"{amz_date[:8]}/{region}/{service}/aws4_request"
        self.s3 = service == "s3"
        self.keep_path = self.s3 if keep_path is None else keep_path

    def sign(self, method, target, headers, body=b"", payload_hash=None, sign_token=True):
        """`headers` (lower-case names, with host) gains what was added for the signature. Returns
        canonical request, string to sign and signature."""
        payload_hash = payload_hash or hashlib.sha256(body).hexdigest()
        headers["x-amz-date"] = self.amz_date
        if self.s3:
            headers["x-amz-content-sha256"] = payload_hash
        if self.keys.token and sign_token:
            headers["x-amz-security-token"] = self.keys.token
        signed = headers_to_sign(headers)
        path, _, query = target.partition("?")
        canonical = canonical_request(method, path, split_query(query), headers, signed,
                                      payload_hash, self.keep_path)
        text = string_to_sign(self.amz_date, self.scope, canonical)
        made = signature(self.keys.secret_access_key, self.scope, text)
        if self.keys.token:
            headers["x-amz-security-token"] = self.keys.token
        headers["authorization"] = (
            f"{ALGORITHM} Credential={self.keys.access_key_id}/{self.scope}, "
            f"SignedHeaders={';'.join(signed)}, Signature={made}")
        return canonical, text, made

    def presign(self, method, target, headers, expires, payload_hash=None, sign_token=True):
        """Returns canonical request, string to sign, signature and the target with everything in
        its query."""
        if payload_hash is None:
            payload_hash = UNSIGNED_PAYLOAD if self.s3 else EMPTY_HASH
        signed = headers_to_sign(headers)
        path, _, query = target.partition("?")
        pairs = split_query(query) + [
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", f"{self.keys.access_key_id}/{self.scope}"),
            ("X-Amz-Date", self.amz_date), ("X-Amz-Expires", str(expires)),
            ("X-Amz-SignedHeaders", ";".join(signed))]
        token = [("X-Amz-Security-Token", self.keys.token)] if self.keys.token else []
        if sign_token:
            pairs += token
        canonical = canonical_request(method, path, pairs, headers, signed, payload_hash,
                                      self.keep_path)
        text = string_to_sign(self.amz_date, self.scope, canonical)
        made = signature(self.keys.secret_access_key, self.scope, text)
        if not sign_token:
            pairs += token
        return canonical, text, made, f"{path}?{canonical_query(pairs)}&X-Amz-Signature={made}"
