"""One HTTP request and one reply, and nothing about how they travel."""

import os

from .sigv4 import decode, split_query


def new_request_id():
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Request:
    __slots__ = ("method", "target", "path", "query", "headers", "body", "listener", "_pairs")

    def __init__(self, method, target, headers, body, listener):
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.headers = headers  # lower-case names; repeated ones joined with a comma
        self.body = body
        self.listener = listener
        self._pairs = None

    @property
    def pairs(self):
        """The query as decoded (name, value) pairs, in the order in which it was sent."""
        if self._pairs is None:
            self._pairs = split_query(self.query) if self.query else []
        return self._pairs

    def query_value(self, name):
        for each, value in self.pairs:
            if each == name:
                return value
        return None

    def segments(self):
        return [decode(each) if "%" in each else each for each in self.path[1:].split("/")]


class Reply:
    """`cut` says how the connection ends instead: "silent" closes it without a byte, "middle" after
    half of the reply, "hang" never answers. `delay` is in seconds."""

    __slots__ = ("status", "headers", "body", "cut", "delay")

    def __init__(self, status=200, body=b"", headers=None, cut=None, delay=0.0):
        self.status = status
        self.body = body
        self.headers = headers or {}
        self.cut = cut
        self.delay = delay
