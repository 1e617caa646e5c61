"""IAM Roles Anywhere: trust anchors and profiles of an account."""

import uuid

from . import x509


class TrustAnchor:
    def __init__(self, account, region, certificate, anchor_id=None, enabled=True):
        self.id = anchor_id or str(uuid.uuid4())
        self.account = account
        self.region = region
        self.enabled = enabled
        self.certificate = x509.from_pem(certificate)
        self.arn = f"arn:aws:rolesanywhere:{region}:{account}:trust-anchor/{self.id}"


class Profile:
    def __init__(self, account, region, roles, profile_id=None, duration=3600, enabled=True,
                 accept_session_name=False):
        self.id = profile_id or str(uuid.uuid4())
        self.account = account
        self.region = region
        self.roles = tuple(f"arn:aws:iam::{account}:role/{name}" for name in roles)
        self.duration = duration
        self.enabled = enabled
        self.accept_session_name = accept_session_name
        self.arn = f"arn:aws:rolesanywhere:{region}:{account}:profile/{self.id}"
