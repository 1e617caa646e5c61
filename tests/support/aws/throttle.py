"""Token buckets per account, region and operation. Without a rate there is no limit."""

# Calls per second, per account and region, as documented for an account nobody asked more for.
_TEN = """RegisterCertificate RegisterCertificateWithoutCA RegisterCACertificate RegisterThing
UpdateCertificate UpdateCACertificate DescribeCertificate DescribeCACertificate DeleteCertificate
DeleteCACertificate ListCertificates ListCertificatesByCA ListCACertificates GetRegistrationCode
DeleteRegistrationCode CreatePolicy GetPolicy ListPrincipalThings StartThingRegistrationTask
StopThingRegistrationTask DescribeThingRegistrationTask ListThingRegistrationTasks
ListThingRegistrationTaskReports DescribeEndpoint CreateProvisioningTemplate
DescribeProvisioningTemplate DeletePolicy""".split()
_HUNDRED = """CreateThing UpdateThing DeleteThing AttachThingPrincipal DetachThingPrincipal
RemoveThingFromThingGroup DescribeThingType ListThingGroupsForThing AddThingToThingGroup
DescribeThingGroup""".split()
REGISTRATIONS = "device certificates"  # the separate quota that binds every way
AWS_DEFAULTS = {
    **dict.fromkeys(_TEN, 10.0), **dict.fromkeys(_HUNDRED, 100.0),
    "AttachPolicy": 15.0, "DetachPolicy": 15.0, "ListAttachedPolicies": 15.0,
    "CreateThingType": 15.0, "ListThingPrincipals": 20.0, "CreateThingGroup": 25.0,
    "ListThingsInThingGroup": 25.0, "DescribeThing": 350.0, REGISTRATIONS: 15.0,
}


class _Bucket:
    __slots__ = ("rate", "burst", "tokens", "at")

    def __init__(self, rate, burst, now):
        self.rate = rate
        self.burst = burst
        self.tokens = burst
        self.at = now

    def take(self, now):
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class Throttle:
    def __init__(self):
        self.rates = {}  # (operation, account or None, region or None) -> (rate, burst)
        self._buckets = {}

    def change(self, table):
        """{"defaults": "aws"|"none"} or {"operation", "tps" or null, "burst", "account",
        "region"}; an operation * stands for all that have no rate of their own."""
        if "defaults" in table:
            self.rates = {}
            if table["defaults"] == "aws":
                self.rates = {(name, None, None): (rate, rate)
                              for name, rate in AWS_DEFAULTS.items()}
        if "operation" in table:
            key = (table["operation"], table.get("account"), table.get("region"))
            if table.get("tps") is None:
                self.rates.pop(key, None)
            else:
                rate = float(table["tps"])
                self.rates[key] = (rate, max(1.0, float(table.get("burst", rate))))
        self._buckets = {}

    def _rate(self, operation, account, region):
        for name in (operation, "*"):
            if name == "*" and operation == REGISTRATIONS:
                continue
            for key in ((name, account, region), (name, account, None), (name, None, None)):
                if key in self.rates:
                    return self.rates[key]
        return None

    def take(self, operation, account, region, now):
        """False if the call comes too early."""
        if not self.rates:
            return True
        key = (operation, account, region)
        bucket = self._buckets.get(key, self)
        if bucket is self:
            rate = self._rate(operation, account, region)
            bucket = self._buckets[key] = _Bucket(*rate, now) if rate else None
        return bucket is None or bucket.take(now)
