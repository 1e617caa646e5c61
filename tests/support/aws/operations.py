"""The operations that are played: a table of methods and URIs, and how their input is read."""

import json

from .errors import ServiceError, invalid
from .shapes import not_valid


class Operation:
    def __init__(self, name, method, uri, handler, members):
        self.name = name
        self.method = method
        self.handler = handler
        self.segments = uri[1:].split("/")
        self.labels = [(at, each[1:-1]) for at, each in enumerate(self.segments)
                       if each.startswith("{")]
        self.body = {key: member for key, member in members.items() if member.place == "body"}
        self.query = {member.wire or key: (key, member) for key, member in members.items()
                      if member.place == "query"}
        self.headers = [(key, member) for key, member in members.items()
                        if member.place == "header"]
        self.shapes = {key: member for key, member in members.items() if member.place == "label"}
        self.required = [key for key, member in members.items()
                         if member.required and member.place != "label"]

    def matches(self, segments):
        return all(mine == theirs or (mine.startswith("{") and theirs)
                   for mine, theirs in zip(self.segments, segments))

    def read(self, request, segments):
        """(arguments, names that the service does not know) of a request."""
        arguments, unknown = {}, []
        for at, name in self.labels:
            arguments[name] = self.shapes[name].shape.check(segments[at], name)
        for name, text in request.pairs:
            if name in self.query:
                key, member = self.query[name]
                arguments[key] = member.shape.parse(text, key)
            else:
                unknown.append(name)
        for key, member in self.headers:
            value = request.headers.get(member.wire)
            if value:
                arguments[key] = member.shape.parse(value, key)
        if self.body:
            self._read_body(request.body, arguments, unknown)
        elif request.body and request.body != b"{}":
            unknown.append("body")
        for key in self.required:
            if key not in arguments:
                raise not_valid(key, "Member must not be null")
        return arguments, unknown

    def _read_body(self, content, arguments, unknown):
        members = {}
        if content:
            try:
                members = json.loads(content)
            except ValueError:
                raise ServiceError("SerializationException", "The body is not JSON") from None
        if not isinstance(members, dict):
            raise ServiceError("SerializationException", "The body is not a JSON object")
        for key, value in members.items():
            member = self.body.get(key)
            if member is None:
                unknown.append(key)
            elif value is not None:
                arguments[key] = member.shape.check(value, key)


class Table:
    """Finds the operation of a request by method and path."""

    def __init__(self):
        self._by_place = {}  # (method, first segment, number of segments)
        self.names = set()

    def operation(self, name, method, uri, **members):
        """Decorator of the handler."""
        def register(handler):
            made = Operation(name, method, uri, handler, members)
            key = (method, made.segments[0], len(made.segments))
            self._by_place.setdefault(key, []).append(made)
            self.names.add(name)
            return handler
        return register

    def find(self, method, segments):
        best = None
        for each in self._by_place.get((method, segments[0], len(segments)), ()):
            # What is spelled out wins over a label: /thing-groups/addThingToThingGroup.
            if each.matches(segments) and (best is None or len(each.labels) < len(best.labels)):
                best = each
        return best


IOT = Table()


iot = IOT.operation


class Call:
    """What a handler gets: the arguments, the caller, and the account's part of one region."""

    __slots__ = ("world", "request", "arguments", "caller", "space", "operation")

    def __init__(self, world, request, operation, arguments, caller, space):
        self.world = world
        self.request = request
        self.operation = operation
        self.arguments = arguments
        self.caller = caller
        self.space = space

    def get(self, name, default=None):
        return self.arguments.get(name, default)

    def __getitem__(self, name):
        return self.arguments[name]


def need(condition, message):
    if not condition:
        raise invalid(message)
