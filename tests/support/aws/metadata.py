"""The metadata services of an instance (IMDSv2) and of a container: temporary credentials by plain
HTTP."""

import json
import os
import secrets

from .messages import Reply
from .sts import iso

CREDENTIALS = "/latest/meta-data/iam/security-credentials/"
CONTAINER = "/v2/credentials/double"


class Metadata:
    def __init__(self, world):
        self.world = world
        self.tokens = {}  # token -> when it ends

    def handle(self, request):
        reply = self._answer(request)
        self.world.log.add(self.world.monotonic(), "Metadata", "-", "-", reply.status,
                           "ok" if reply.status == 200 else str(reply.status), "", request.path)
        return reply

    def _answer(self, request):
        role = self._role()
        if request.path == CONTAINER:
            return self._container(request, role)
        if request.path == "/latest/api/token":
            return self._token(request)
        token = request.headers.get("x-aws-ec2-metadata-token")
        if self.tokens.get(token, 0) < self.world.monotonic():
            return Reply(401)
        if request.method != "GET" or role is None:
            return Reply(404)
        if request.path == "/latest/meta-data/placement/region":
            return Reply(200, self.world.settings.regions[0].encode())
        if request.path == CREDENTIALS:
            return Reply(200, role.name.encode(), {"content-type": "text/plain"})
        if request.path == CREDENTIALS + role.name:
            return self._credentials(role, {"Code": "Success", "Type": "AWS-HMAC",
                                            "LastUpdated": iso(self.world.clock.now())})
        return Reply(404)

    def _role(self):
        account = self.world.accounts.by_id.get(self.world.metadata["account"])
        return account.roles.get(self.world.metadata["role"]) if account else None

    def _token(self, request):
        seconds = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if request.method != "PUT":
            return Reply(405)
        if not seconds.isdigit() or not 1 <= int(seconds) <= 21600 or \
                "x-forwarded-for" in request.headers:
            return Reply(400)
        token = secrets.token_urlsafe(32)
        self.tokens[token] = self.world.monotonic() + int(seconds)
        return Reply(200, token.encode(), {"x-aws-ec2-metadata-token-ttl-seconds": seconds})

    def _container(self, request, role):
        wanted = self.world.metadata["container_token"]
        if wanted is not None and request.headers.get("authorization") != wanted:
            return Reply(401, b'{"code":"Unauthorized","message":"bad token"}')
        if request.method != "GET" or role is None:
            return Reply(404)
        return self._credentials(role, {"RoleArn": role.arn})

    def _credentials(self, role, more):
        seconds = self.world.settings.session_seconds or 21600
        session = self.world.accounts.open_session(role, "i-" + os.urandom(8).hex(), seconds)
        answer = {**more, "AccessKeyId": session.access_key_id, "SecretAccessKey": session.secret,
                  "Token": session.token, "Expiration": iso(session.expires)}
        return Reply(200, json.dumps(answer).encode(), {"content-type": "application/json"})
