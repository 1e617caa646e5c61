"""The shapes of members: type, length, pattern, range. What does not fit is refused as the service
refuses it."""

import re

from .errors import ServiceError, invalid


def not_valid(name, problem):
    return invalid(f"1 validation error detected: Value at '{name}' failed to satisfy constraint: "
                   f"{problem}")


def _wrong_type(name, kind):
    return ServiceError("SerializationException", f"'{name}' is not of type {kind}")


class String:
    def __init__(self, least=0, most=None, pattern=None, choices=None):
        self.least = least
        self.most = most
        self.pattern = re.compile(pattern) if pattern else None
        self.choices = choices

    def check(self, value, name):
        if not isinstance(value, str):
            raise _wrong_type(name, "String")
        if len(value) < self.least:
            raise not_valid(name, f"Member must have length greater than or equal to {self.least}")
        if self.most is not None and len(value) > self.most:
            raise not_valid(name, f"Member must have length less than or equal to {self.most}")
        if self.pattern and not self.pattern.fullmatch(value):
            raise not_valid(name, "Member must satisfy regular expression pattern: "
                              + self.pattern.pattern)
        if self.choices and value not in self.choices:
            raise not_valid(name, f"Member must satisfy enum value set: {list(self.choices)}")
        return value

    parse = check


class Boolean:
    def check(self, value, name):
        if not isinstance(value, bool):
            raise _wrong_type(name, "Boolean")
        return value

    def parse(self, text, name):
        if text not in ("true", "false"):
            raise _wrong_type(name, "Boolean")
        return text == "true"


class Integer:
    def __init__(self, least=None, most=None):
        self.least = least
        self.most = most

    def check(self, value, name):
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong_type(name, "Integer")
        if self.least is not None and value < self.least:
            raise not_valid(name, f"Member must have value greater than or equal to {self.least}")
        if self.most is not None and value > self.most:
            raise not_valid(name, f"Member must have value less than or equal to {self.most}")
        return value

    def parse(self, text, name):
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise _wrong_type(name, "Integer")
        return self.check(int(text), name)


class Map:
    def __init__(self, key, value):
        self.key = key
        self.value = value

    def check(self, value, name):
        if not isinstance(value, dict):
            raise _wrong_type(name, "Map")
        for key, each in value.items():
            self.key.check(key, f"{name}.key")
            self.value.check(each, f"{name}.{key}")
        return value


class List:
    def __init__(self, member, most=None):
        self.member = member
        self.most = most

    def check(self, value, name):
        if not isinstance(value, list):
            raise _wrong_type(name, "List")
        if self.most is not None and len(value) > self.most:
            raise not_valid(name, f"Member must have length less than or equal to {self.most}")
        return [self.member.check(each, f"{name}.{index}") for index, each in enumerate(value, 1)]


class Structure:
    def __init__(self, required=(), **members):
        self.required = required
        self.members = members

    def check(self, value, name):
        if not isinstance(value, dict):
            raise _wrong_type(name, "Structure")
        for each in self.required:
            if value.get(each) is None:
                raise not_valid(f"{name}.{each}", "Member must not be null")
        return {each: self.members[each].check(inner, f"{name}.{each}")
                for each, inner in value.items() if each in self.members and inner is not None}


class Member:
    """One member of an operation's input: where it stands on the wire, and its shape."""

    __slots__ = ("place", "wire", "shape", "required")

    def __init__(self, place, shape, wire=None, required=False):
        self.place = place
        self.shape = shape
        self.wire = wire
        self.required = required


def body(shape, required=False):
    return Member("body", shape, required=required)


def query(shape, wire=None, required=False):
    return Member("query", shape, wire, required)


def header(shape, wire, required=True):
    return Member("header", shape, wire, required)


def label(shape, wire=None):
    return Member("label", shape, wire, True)


CERTIFICATE_ID = String(64, 64, r"(0x)?[a-fA-F0-9]+")
PEM = String(1, 65536)
NAME = String(1, 128, r"[a-zA-Z0-9:_-]+")  # things, thing types, thing groups
POLICY_NAME = String(1, 128, r"[\w+=,.@-]+")
ROLE_ARN = String(20, 2048)
TEMPLATE_BODY = String(0, 10240)
TEMPLATE_NAME = String(1, 36, r"[0-9A-Za-z_-]+")
BUCKET = String(3, 256, r"[a-zA-Z0-9._-]+")
KEY = String(1, 1024, r"[a-zA-Z0-9!_.*'()-\/]+")
MARKER = String(0, 1024, r"[A-Za-z0-9+/]+={0,2}")
PAGE = Integer(1, 250)
BOOLEAN = Boolean()
ANY = String()
TAGS = List(Structure(("Key",), Key=String(1, 128), Value=String(0, 256)))
DESCRIPTION = String(0, 2028)
ATTRIBUTES = Structure(attributes=Map(String(0, 128, r"[a-zA-Z0-9_.,@/:#-]+"),
                                      String(0, 800, r"[a-zA-Z0-9_.,@/:#=\[\]-]*")),
                       merge=BOOLEAN)
STATUSES = ("ACTIVE", "INACTIVE", "REVOKED", "PENDING_TRANSFER", "REGISTER_INACTIVE",
            "PENDING_ACTIVATION")
STATUS = String(choices=STATUSES)
REGISTRATION_CONFIG = Structure(templateBody=TEMPLATE_BODY, roleArn=ROLE_ARN,
                                templateName=TEMPLATE_NAME)
