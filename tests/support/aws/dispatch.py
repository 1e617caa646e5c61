"""From a request to its reply: who called, may it, is it too early, what does it do, and what goes
wrong on the way."""

import json
import traceback

from . import roles_anywhere, s3, signature, sts
from .endpoints import resolve
from .errors import ServiceError, error_reply, signature_error, throttled
from .faults import FORMS, CallView
from .messages import Reply, new_request_id
from .operations import Call

BODY_LIMIT = 1 << 20  # of all services but S3
PORTAL = (b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>Guest network</h1>"
          b"<p>Please accept the terms to go online.</p></body></html>\n")


class Dispatcher:
    def __init__(self, world):
        self.world = world

    def handle(self, request):
        settings = self.world.settings
        if settings.away:
            return Reply(cut="hang" if settings.away == "hang" else "silent")
        if settings.captive_portal == "redirect":
            return Reply(302, b"", {"location": "http://portal.invalid/login"})
        if settings.captive_portal:
            return Reply(200, PORTAL, {"content-type": "text/html; charset=utf-8"})
        return self._call(request)

    def _region_of(self, target):
        """The function that says in which region the endpoint is."""
        settings = self.world.settings

        def region(meant):
            if settings.wrong_region:
                return settings.wrong_region
            if target.region is not None:
                return target.region
            return meant if meant in settings.regions else settings.regions[0]
        return region

    def _call(self, request):
        world = self.world
        target = resolve(request)
        call = Call(world, request, target.name, {}, None, None)
        view = CallView(target.service, target.name, "-", "-", request)
        hits, code, reply = (), "ok", None
        try:
            self._authenticate(target, call, view)
            hits = world.faults.hits(view)
            early = self._before(hits, target.service)
            if early is not None:
                reply, code = early, "cut"
            else:
                reply = self._serve(target, call)
        except ServiceError as error:
            reply, code = error_reply(target.service, error), error.code
        except Exception:  # a mistake in the double must not look like a fault of the network
            traceback.print_exc()
            world.log.bugs += 1
            error = ServiceError("InternalFailureException", "A bug in the double of AWS")
            reply, code = error_reply(target.service, error), "bug"
        if request.method == "HEAD" and reply.status >= 400:
            reply.body = b""
        reply = self._after(hits, reply, target)
        world.log.add(world.monotonic(), target.name, view.account, view.region, reply.status,
                      code, ",".join(rule.do for rule in hits), request.target[:200])
        return reply

    def _authenticate(self, target, call, view):
        world, service, request = self.world, target.service, call.request
        region = self._region_of(target)
        if service == "rolesanywhere":
            call.caller = roles_anywhere.authenticate(world, request, region)
        else:
            call.caller = signature.authenticate(world, service, request, region)
        view.account, view.region = call.caller.account, call.caller.region
        if service != "s3" and len(request.body) > BODY_LIMIT:
            raise ServiceError("RequestEntityTooLargeException", "The body is too large", 413)
        if service != "rolesanywhere" and target.name != "GetCallerIdentity" and \
                not call.caller.may(f"{service}:{target.name}"):
            raise signature_error(service, "denied", f"User: {call.caller.arn} is not authorized "
                                  f"to perform: {service}:{target.name}")

    @staticmethod
    def _before(hits, service):
        """What a fault does instead of the call."""
        for rule in hits:
            if rule.do == "cut_before":
                return Reply(cut="silent")
            if rule.do == "error":
                table, headers = rule.table, {}
                if "code" not in table:
                    raise throttled(service)
                if "retry_after_ms" in table:
                    headers["x-amz-retry-after"] = str(table["retry_after_ms"])
                raise ServiceError(table["code"], table.get("message", "made by a fault"),
                                   table.get("status"), headers=headers)
        return None

    def _serve(self, target, call):
        world, service = self.world, target.service
        if not world.throttle.take(target.name, call.caller.account, call.caller.region,
                                   world.monotonic()):
            raise throttled(service)
        if service == "s3":
            return s3.serve(call)
        if service == "sts":
            return sts.serve(call)
        if service == "rolesanywhere":
            return roles_anywhere.serve(call)
        if target.operation is None:
            raise ServiceError("UnknownOperationException",
                               f"{call.request.method} {call.request.path} is not played")
        call.space = world.space(call.caller.account, call.caller.region)
        call.arguments, unknown = target.operation.read(call.request, target.segments)
        for name in unknown:
            world.log.unknown_members[target.name, name] += 1
        answer = target.operation.handler(call)
        body = b"" if answer is None else json.dumps(answer).encode()
        return Reply(200, body, {"content-type": "application/json",
                                 "x-amzn-requestid": new_request_id()})

    def _after(self, hits, reply, target):
        """What a fault does to the reply of a call that had its effect."""
        for rule in hits:
            if rule.do == "lose_reply":
                reply.cut = "silent"
                self.world.log.replies_lost[target.name] += 1
            elif rule.do == "cut_middle":
                reply.cut = "middle"
            elif rule.do == "hang":
                reply.cut = "hang"
            elif rule.do == "delay":
                reply.delay += float(rule.table.get("seconds", 1.0))
            elif rule.do == "garbage":
                reply.body = b'{"certificateId": "\x00\xff' + reply.body[:20]
            elif rule.do == "unreadable" and reply.status < 300:
                reply.body = FORMS[rule.table["form"]](reply.body)
            elif rule.do == "replace" and (reply.status < 300 or reply.status == 409):
                members = json.loads(reply.body or b"{}")
                members.update(rule.table.get("members", {}))
                reply.body = json.dumps(members).encode()
        return reply
