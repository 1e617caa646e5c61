"""Everything the double remembers: clock, settings, accounts, buckets, and what each account has in
each region."""

import time
from email.utils import formatdate

from .accounts import DEFAULT_ACCOUNTS, SERVICE_ACCOUNT, Accounts
from .call_log import CallLog
from .faults import Faults
from .iot_space import Space
from .roles_anywhere_trust import Profile, TrustAnchor
from .settings import Settings
from .throttle import Throttle


class Clock:
    """The clock of the service, which may be wrong by `skew` seconds."""

    def __init__(self):
        self.skew = 0.0
        self._date = (0, "")

    def now(self):
        return time.time() + self.skew

    def amz_date(self):
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now()))

    def moment(self):
        """As certificates state it."""
        return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(self.now()))

    def http_date(self):
        second = int(self.now())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True))
        return self._date[1]


class Bucket:
    def __init__(self, name, region, account):
        self.name = name
        self.region = region
        self.account = account
        self.objects = {}  # key -> s3.Object


class World:
    def __init__(self, tables=None):
        self.clock = Clock()
        self.settings = Settings()
        self.accounts = Accounts(self.clock)
        self.throttle = Throttle()
        self.faults = Faults()
        self.log = CallLog(self.clock)
        self.buckets = {}
        self.spaces = {}
        self.default_mode_holders = {}  # (region, CA id) -> account
        self.metadata = {"account": None, "role": None, "container_token": None}
        self.shared_port = 0
        self.schedule = None  # (seconds, function): set by whoever runs the event loop
        self.load(tables or {"accounts": DEFAULT_ACCOUNTS})

    def load(self, tables):
        """Adds what a start-up file says."""
        if "regions" in tables:
            self.settings.change({"regions": tables["regions"]})
        for table in tables.get("accounts", ()):
            account = self.accounts.add(table)
            for bucket in table.get("buckets", ()):
                self.bucket(bucket["name"], bucket["region"], account.id)
            for anchor in table.get("trust_anchors", ()):
                made = TrustAnchor(account.id, **anchor)
                account.trust_anchors[made.arn] = made
            for profile in table.get("profiles", ()):
                made = Profile(account.id, **profile)
                account.profiles[made.arn] = made
        self.metadata.update(tables.get("metadata", {}))
        self.settings.change(tables.get("settings", {}))
        self.clock.skew = self.settings.clock_skew
        if "throttle" in tables:
            self.throttle.change(tables["throttle"])

    @staticmethod
    def monotonic():
        """For rates and delays: no test moves it."""
        return time.monotonic()

    def space(self, account, region):
        key = (account, region)
        if key not in self.spaces:
            self.spaces[key] = Space(account, region)
        return self.spaces[key]

    def bucket(self, name, region, account):
        """Makes it if it is not there."""
        if name not in self.buckets:
            self.buckets[name] = Bucket(name, region, account)
        return self.buckets[name]

    def report_bucket(self, region):
        return self.bucket(f"aws-iot-registration-reports-{region}", region, SERVICE_ACCOUNT)
