"""S3: objects of buckets that exist. Path style, or virtual hosts where the real names are used."""

import base64
import binascii
import re
import time
from email.utils import formatdate
from urllib.parse import quote
from xml.sax.saxutils import escape

from .errors import ServiceError
from .messages import Reply, new_request_id
from .paging import page
from .s3_objects import CHECKSUMS, Object, md5
from .sigv4 import decode

OBJECT_SIZE = 5 << 30
METADATA_SIZE = 2048
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_VIRTUAL = re.compile(r"(.+)\.s3[.-](?:fips\.|dualstack\.)*([a-z0-9-]+)\.amazonaws\.com")
_OPERATIONS = {("GET", True): "GetObject", ("HEAD", True): "HeadObject",
               ("PUT", True): "PutObject", ("DELETE", True): "DeleteObject",
               ("HEAD", False): "HeadBucket", ("GET", False): "ListObjectsV2"}


def address(request):
    """(bucket, key) of a request; either may be empty."""
    path = decode(request.path)
    match = _VIRTUAL.fullmatch(request.headers.get("host", "").partition(":")[0])
    if match:
        return match.group(1), path[1:]
    bucket, _, key = path[1:].partition("/")
    return bucket, key


def operation_name(request):
    bucket, key = address(request)
    if not bucket:
        return "ListBuckets"
    name = _OPERATIONS.get((request.method, bool(key)), "")
    if name == "ListObjectsV2" and request.query_value("list-type") != "2":
        return "ListObjects" if "location" not in request.query else "GetBucketLocation"
    return name or request.method


def _reply(status=200, body=b"", **headers):
    request_id = new_request_id()[:16].upper().replace("-", "0")
    made = {"x-amz-request-id": request_id, "x-amz-id-2": "double"}
    made.update({name.replace("_", "-"): value for name, value in headers.items()})
    return Reply(status, body, made)


def _find_bucket(call, name):
    """The bucket, if the caller may see it and asked in its region."""
    if not _BUCKET.fullmatch(name):
        raise ServiceError("InvalidBucketName", "The specified bucket is not valid.")
    bucket = call.world.buckets.get(name)
    if bucket is None:
        raise ServiceError("NoSuchBucket", "The specified bucket does not exist",
                           members={"BucketName": name})
    if bucket.region != call.caller.region:
        raise ServiceError("PermanentRedirect", "The bucket you are attempting to access must be "
                           "addressed using the specified endpoint.",
                           members={"Bucket": name,
                                    "Endpoint": f"s3.{bucket.region}.amazonaws.com"},
                           headers={"x-amz-bucket-region": bucket.region})
    expected = call.request.headers.get("x-amz-expected-bucket-owner", bucket.account)
    if bucket.account != call.caller.account or bucket.account != expected:
        raise ServiceError("AccessDenied", "Access Denied")
    return bucket


def _find_object(bucket, key):
    found = bucket.objects.get(key)
    if found is None:
        raise ServiceError("NoSuchKey", "The specified key does not exist.", members={"Key": key})
    return found


def _check_integrity(request):
    """The checksums of the object, each compared with what was sent."""
    headers, content = request.headers, request.body
    if "content-md5" in headers:
        try:
            if len(base64.b64decode(headers["content-md5"], validate=True)) != 16:
                raise ValueError
        except (binascii.Error, ValueError):
            raise ServiceError("InvalidDigest",
                               "The Content-MD5 you specified was invalid.") from None
        if md5(content) != headers["content-md5"]:
            raise ServiceError("BadDigest", "The Content-MD5 you specified did not match what we "
                               "received.")
    checksums = {}
    for name, compute in CHECKSUMS.items():
        if name in headers:
            if compute(content) != headers[name]:
                raise ServiceError("BadDigest", f"The {name[15:].upper()} you specified did not "
                                   "match the calculated checksum.")
            checksums[name] = headers[name]
    promised = headers.get("x-amz-sdk-checksum-algorithm")
    if promised and f"x-amz-checksum-{promised.lower()}" not in headers:
        raise ServiceError("InvalidRequest", "x-amz-sdk-checksum-algorithm specified, but no "
                           "corresponding x-amz-checksum-* header was found.")
    for name in headers:
        if name.startswith(("x-amz-checksum-crc32c", "x-amz-checksum-crc64", "x-amz-trailer")):
            raise ServiceError("NotImplemented", f"{name} is not played")
    return checksums


def _put(call, bucket, key):
    request, headers = call.request, call.request.headers
    if len(key.encode("latin-1")) > 1024:
        raise ServiceError("KeyTooLongError", "Your key is too long")
    if len(request.body) > OBJECT_SIZE:
        raise ServiceError("EntityTooLarge", "Your proposed upload exceeds the maximum size")
    if "aws-chunked" in headers.get("content-encoding", ""):
        raise ServiceError("NotImplemented", "Streaming signatures are not played")
    if "x-amz-copy-source" in headers:
        raise ServiceError("NotImplemented", "Copies are not played")
    checksums = _check_integrity(request)
    metadata = {name: value for name, value in headers.items() if name.startswith("x-amz-meta-")}
    if sum(len(name) - 11 + len(value) for name, value in metadata.items()) > METADATA_SIZE:
        raise ServiceError("MetadataTooLarge", "Your metadata headers exceed the maximum size")
    condition = headers.get("if-none-match")
    if condition not in (None, "*"):
        raise ServiceError("NotImplemented", "If-None-Match of a PUT is * or absent")
    if condition and key in bucket.objects:
        raise ServiceError("PreconditionFailed", "At least one of the pre-conditions you specified "
                           "did not hold", members={"Condition": "If-None-Match"})
    encryption = {name: value for name, value in headers.items()
                  if name.startswith("x-amz-server-side-encryption")}
    made = Object(request.body, headers.get("content-type", "binary/octet-stream"),
                  call.world.clock.now(), metadata, checksums, encryption)
    bucket.objects[key] = made
    return _reply(etag=made.etag, **made.encryption, **checksums)


def _describe(found, with_checksums):
    return {"etag": found.etag, "last-modified": formatdate(found.modified, usegmt=True),
            "content-type": found.type, "accept-ranges": "bytes", **found.encryption,
            **found.metadata, **(found.checksums if with_checksums else {})}


def _get(call, bucket, key):
    found = _find_object(bucket, key)
    wants_checksums = call.request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    return _reply(body=found.content, **_describe(found, wants_checksums))


def _list(call, bucket):
    def show(key):
        return quote(key.encode("latin-1"), safe="/-._~") if encoded else escape(key)

    ask = call.request.query_value
    prefix, delimiter = ask("prefix") or "", ask("delimiter") or ""
    encoded = ask("encoding-type") == "url"
    size = ask("max-keys") or "1000"
    if not size.isdigit():
        raise ServiceError("InvalidArgument", "max-keys")
    after = ask("start-after") or ""
    names = {}  # what is listed: a key, or a prefix for all keys below it
    for key in sorted(bucket.objects):
        if key.startswith(prefix) and key > after:
            rest = key[len(prefix):]
            head, found, _ = rest.partition(delimiter) if delimiter else (rest, "", "")
            names[prefix + head + found if found else key] = bool(found)
    try:
        shown, following = page(f"list/{bucket.name}", list(names), min(int(size), 1000),
                                ask("continuation-token"), lambda name: name)
    except ServiceError:
        raise ServiceError("InvalidArgument",
                           "The continuation token provided is incorrect") from None
    parts = []
    for name in shown:
        if names[name]:
            parts.append(f"<CommonPrefixes><Prefix>{show(name)}</Prefix></CommonPrefixes>")
            continue
        found = bucket.objects[name]
        modified = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(found.modified))
        parts.append(f"<Contents><Key>{show(name)}</Key><LastModified>{modified}</LastModified>"
                     f"<ETag>{escape(found.etag)}</ETag><Size>{len(found.content)}</Size>"
                     "<StorageClass>STANDARD</StorageClass></Contents>")
    more = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
    body = ('<?xml version="1.0" encoding="UTF-8"?>\n'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{bucket.name}</Name><Prefix>{show(prefix)}</Prefix><MaxKeys>{size}</MaxKeys>"
            f"<KeyCount>{len(shown)}</KeyCount>"
            f"{'<EncodingType>url</EncodingType>' if encoded else ''}"
            f"<IsTruncated>{'true' if following else 'false'}</IsTruncated>{more}"
            f"{''.join(parts)}</ListBucketResult>")
    return _reply(body=body.encode("latin-1"), content_type="application/xml")


def serve(call):
    reply, kind = _serve(call), call.world.settings.empty_type
    if kind and not reply.body:
        reply.headers.setdefault("content-type", kind)
    return reply


def _serve(call):
    request = call.request
    name, key = address(request)
    bucket = _find_bucket(call, name)
    if call.operation == "HeadBucket":
        return _reply(x_amz_bucket_region=bucket.region)
    if call.operation == "ListObjectsV2":
        return _list(call, bucket)
    if call.operation in ("GetObject", "HeadObject"):
        return _get(call, bucket, key)
    if call.operation == "PutObject":
        return _put(call, bucket, key)
    if call.operation == "DeleteObject":
        bucket.objects.pop(key, None)
        return _reply(204)
    raise ServiceError("NotImplemented", f"{call.operation} is not played")
