"""Objects in a bucket."""

import base64
import hashlib
import zlib


class Object:
    __slots__ = ("content", "type", "modified", "etag", "metadata", "checksums", "encryption")

    def __init__(self, content, content_type, modified, metadata=None, checksums=None,
                 encryption=None):
        self.content = content
        self.type = content_type
        self.modified = modified
        self.etag = f'"{hashlib.md5(content).hexdigest()}"'
        self.metadata = metadata or {}
        self.checksums = checksums or {}
        self.encryption = encryption or {"x-amz-server-side-encryption": "AES256"}


def _base64(raw):
    return base64.b64encode(raw).decode()


CHECKSUMS = {
    "x-amz-checksum-sha256": lambda content: _base64(hashlib.sha256(content).digest()),
    "x-amz-checksum-sha1": lambda content: _base64(hashlib.sha1(content).digest()),
    "x-amz-checksum-crc32": lambda content: _base64(zlib.crc32(content).to_bytes(4, "big")),
}


def md5(content):
    return _base64(hashlib.md5(content).digest())
