"""Accounts, their access keys and roles, and the temporary credentials made from roles."""

import base64
import fnmatch
import os

SERVICE_ACCOUNT = "000000000000"  # owns what AWS itself keeps: the buckets with reports

DEFAULT_ACCOUNTS = [{
    "id": "111122223333",
    "keys": [{"access_key_id": "AKIALINESIGNDOUBLE01", "user": "uploader",
              "secret_access_key": "first-secret-of-the-double-0123456789abc"}],
    "roles": [{"name": "bulk", "trust": ["iot.amazonaws.com"]},
              {"name": "deploy", "trust": ["*"]}],
    "buckets": [{"name": "manifests", "region": "eu-west-1"}],
}, {
    "id": "444455556666",
    "keys": [{"access_key_id": "AKIALINESIGNDOUBLE02", "user": "uploader",
              "secret_access_key": "second-secret-of-the-double-0123456789ab"}],
    "roles": [{"name": "bulk", "trust": ["iot.amazonaws.com"]},
              {"name": "deploy", "trust": ["111122223333"], "external_id": "plant-7"}],
    "buckets": [{"name": "manifests-staging", "region": "eu-west-1"}],
}]


class Identity:
    """Who signs: `deny` holds patterns of actions such as iot:Attach*."""

    __slots__ = ("account", "arn", "user_id", "access_key_id", "secret", "token", "expires", "deny",
                 "role")

    def __init__(self, account, arn, user_id, access_key_id, secret, token=None, expires=None,
                 deny=(), role=None):
        self.account = account
        self.arn = arn
        self.user_id = user_id
        self.access_key_id = access_key_id
        self.secret = secret
        self.token = token
        self.expires = expires
        self.deny = deny
        self.role = role

    def may(self, action):
        return not any(fnmatch.fnmatchcase(action, pattern) for pattern in self.deny)


class Role:
    """`trust` names who may assume it: a service, an account, an ARN, or * for everybody."""

    def __init__(self, account, name, trust=(), external_id=None, max_session=3600, deny=()):
        self.account = account
        self.name = name
        self.trust = tuple(trust)
        self.external_id = external_id
        self.max_session = max_session
        self.deny = tuple(deny)
        self.arn = f"arn:aws:iam::{account}:role/{name}"

    def trusts_service(self, service):
        return service in self.trust

    def trusts(self, identity):
        return any(each in ("*", identity.account, identity.arn,
                            f"arn:aws:iam::{identity.account}:root") for each in self.trust)


class Account:
    def __init__(self, account_id):
        self.id = account_id
        self.roles = {}
        self.trust_anchors = {}  # ARN -> TrustAnchor
        self.profiles = {}  # ARN -> Profile


class Accounts:
    def __init__(self, clock):
        self._clock = clock
        self.by_id = {}
        self._keys = {}
        # Signs the links of reports.
        self.service_identity = Identity(
            SERVICE_ACCOUNT, "arn:aws:iam::000000000000:user/service", "AIDADOUBLE",
            "AKIASERVICEOFDOUBLE0", base64.b64encode(os.urandom(30)).decode())
        self._keys[self.service_identity.access_key_id] = self.service_identity

    def add(self, table):
        """Makes or extends an account as the start-up file describes it; returns it."""
        account = self.by_id.setdefault(table["id"], Account(table["id"]))
        for key in table.get("keys", ()):
            user = key.get("user", "user")
            self._keys[key["access_key_id"]] = Identity(
                account.id, f"arn:aws:iam::{account.id}:user/{user}", "AIDA" + user.upper(),
                key["access_key_id"], key["secret_access_key"], deny=tuple(key.get("deny", ())))
        for role in table.get("roles", ()):
            account.roles[role["name"]] = Role(account.id, **role)
        return account

    def find_key(self, access_key_id):
        return self._keys.get(access_key_id)

    def find_role(self, arn):
        """The role of an ARN, or None."""
        parts = arn.split(":")
        if len(parts) != 6 or parts[:4] != ["arn", "aws", "iam", ""] or \
                not parts[5].startswith("role/"):
            return None
        account = self.by_id.get(parts[4])
        return account.roles.get(parts[5].rsplit("/", 1)[1]) if account else None

    def open_session(self, role, session_name, seconds, account=None):
        """Temporary credentials of a role."""
        name = role.name if role else "root"
        owner = role.account if role else account
        made = Identity(
            owner, f"arn:aws:sts::{owner}:assumed-role/{name}/{session_name}",
            f"AROA{name.upper()}:{session_name}", "ASIA" + os.urandom(8).hex().upper(),
            base64.b64encode(os.urandom(30)).decode(), base64.b64encode(os.urandom(96)).decode(),
            self._clock.now() + seconds, role.deny if role else (), role)
        self._keys[made.access_key_id] = made
        return made

    def forget_key(self, access_key_id):
        """It is deleted: from now on nobody knows it."""
        del self._keys[access_key_id]

    def expire_sessions(self, account=None):
        """Ends the temporary credentials; returns how many."""
        ended = 0
        for identity in self._keys.values():
            if identity.expires is not None and account in (None, identity.account):
                identity.expires = min(identity.expires, self._clock.now() - 1)
                ended += 1
        return ended
