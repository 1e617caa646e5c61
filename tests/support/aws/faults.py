"""Faults on demand: which calls a rule hits, how often, and what happens to them then.

A rule is a JSON object:

  operation, account, region, service   patterns (* and ?) that the call must match
  contains     text that the target or the body must contain
  skip         so many matching calls pass first
  times        so many calls are hit (default 1; null: all)
  each         "call": every distinct call once; "operation": every operation once (times: all)
  do           error | lose_reply | cut_before | cut_middle | hang | delay | replace | garbage |
               unreadable
  code, message, status, retry_after_ms   of the error
  seconds      of the delay
  members      {name: value} that replace members of the JSON answer, of a 409 too
  form         of an unreadable answer: half | deep | long | list | types
"""

import fnmatch
import hashlib
import itertools
import json

BEFORE = ("error", "cut_before")  # the call has no effect
AFTER = ("lose_reply", "cut_middle", "hang", "delay", "replace", "garbage", "unreadable")
_FIELDS = {"operation", "account", "region", "service", "contains", "skip", "times", "each", "do",
           "code", "message", "status", "retry_after_ms", "seconds", "members", "form"}


# Bodies that no client can read, from the one that there is.
FORMS = {
    "half": lambda body: body[:len(body) // 2],
    "deep": lambda body: b'{"a":' * 100_000,
    "long": lambda body: b'{"padding": "' + b"x" * (5 << 20) + b'"}',
    "list": lambda body: b"[" + body + b"]",
    "types": lambda body: json.dumps(dict.fromkeys(json.loads(body or b"{}"), 7)).encode(),
}


class Rule:
    def __init__(self, number, table):
        unknown = set(table) - _FIELDS
        if unknown:
            raise ValueError(f"no such field of a fault: {sorted(unknown)}")
        self.number = number
        self.table = table
        self.do = table.get("do")
        if self.do not in BEFORE + AFTER:
            raise ValueError(f"do is one of {BEFORE + AFTER}")
        if self.do == "unreadable" and table.get("form") not in FORMS:
            raise ValueError(f"form is one of {sorted(FORMS)}")
        self.each = table.get("each")
        if self.each not in (None, "call", "operation"):
            raise ValueError("each is call or operation")
        self.skip = table.get("skip", 0)
        self.left = table.get("times", None if self.each else 1)
        self.contains = table["contains"] if "contains" in table else None
        self.hits = 0
        self._seen = set()

    def matches(self, call):
        for name in ("operation", "account", "region", "service"):
            pattern = self.table.get(name)
            if pattern is not None and not fnmatch.fnmatchcase(getattr(call, name), pattern):
                return False
        return self.contains is None or self.contains in call.request.target or \
            self.contains.encode() in call.request.body

    def hit(self, call):
        """True if the rule applies to this call; counts it."""
        if self.left == 0 or not self.matches(call):
            return False
        if self.each:
            key = (call.account, call.region, call.operation)
            if self.each == "call":
                request = call.request
                digest = hashlib.sha256(request.method.encode() + request.target.encode("latin-1"))
                digest.update(request.headers.get("x-amzn-principal", "").encode("latin-1"))
                digest.update(request.body)
                key += (digest.digest(),)
            if key in self._seen:
                return False
            self._seen.add(key)
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
        self.hits += 1
        return True

    def status(self):
        return {"id": self.number, "hits": self.hits, "left": self.left, **self.table}


class CallView:
    """What a rule may look at."""

    __slots__ = ("service", "operation", "account", "region", "request")

    def __init__(self, service, operation, account, region, request):
        self.service = service
        self.operation = operation
        self.account = account
        self.region = region
        self.request = request


class Faults:
    def __init__(self):
        self.rules = []
        self._numbers = itertools.count(1)

    def add(self, table):
        rule = Rule(next(self._numbers), table)
        self.rules.append(rule)
        return rule.number

    def remove(self, number=None):
        self.rules = [rule for rule in self.rules if number is not None and rule.number != number]

    def hits(self, call):
        """The rules that apply to this call, in the order in which they were made."""
        if not self.rules:
            return ()
        return [rule for rule in self.rules if rule.hit(call)]
