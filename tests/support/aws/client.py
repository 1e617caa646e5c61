"""A small client that signs its calls, for the tests of the double and for measuring it."""

import http.client
import json
import ssl
import time
from urllib.parse import quote, urlsplit

from .sigv4 import Keys, Signer

__all__ = ["Answer", "Client", "Keys"]


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    def json(self):
        return json.loads(self.body or b"{}")

    @property
    def error(self):
        """The code of an error, in whichever envelope it came."""
        if "x-amzn-errortype" in self.headers:
            return self.headers["x-amzn-errortype"].partition(":")[0]
        _, found, rest = self.body.partition(b"<Code>")
        return rest.partition(b"<")[0].decode() if found else None


class Client:
    """One connection that is kept. `skew` moves the clock that it signs with."""

    def __init__(self, endpoint, ca, keys, region="eu-west-1", skew=0.0):
        parts = urlsplit(endpoint)
        self.host = parts.netloc
        if parts.scheme == "https":
            self.connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=60,
                context=ssl.create_default_context(cafile=ca))
        else:
            self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        self.keys = keys
        self.region = region
        self.skew = skew

    def close(self):
        self.connection.close()

    def amz_date(self):
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + self.skew))

    def send(self, method, target, headers, body=b""):
        """As it is, unsigned."""
        self.connection.request(method, target, body=body, headers=headers)
        reply = self.connection.getresponse()
        return Answer(reply.status, reply.getheaders(), reply.read())

    def call(self, service, method, target, body=b"", headers=None, payload_hash=None, change=None):
        """`change` may alter the headers after they were signed."""
        sent = {"host": self.host, **(headers or {})}
        Signer(self.keys, self.region, service, self.amz_date()).sign(
            method, target, sent, body, payload_hash)
        if change:
            change(sent)
        return self.send(method, target, sent, body)

    def iot(self, method, target, members=None, principal=None, **more):
        headers = {"x-amzn-principal": principal} if principal else {}
        body = b""
        if members is not None:
            body = json.dumps(members).encode()
            headers["content-type"] = "application/json"
        return self.call("iot", method, target, body, headers, **more)

    def s3(self, method, bucket, key="", body=b"", query="", headers=None, **more):
        target = f"/{bucket}" + (f"/{quote(key)}" if key else "") + (f"?{query}" if query else "")
        return self.call("s3", method, target, body, headers, **more)
