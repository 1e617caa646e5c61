"""The double as a test uses it: started, controlled and stopped.

    with RunningDouble(folder) as aws:
        aws.settings(clock_skew=600)
        subprocess.run([...], env={**os.environ, **aws.environment()})
        assert aws.counts()["RegisterCertificate"] == 3
"""

import http.client
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from .accounts import DEFAULT_ACCOUNTS
from .client import Client, Keys

TESTS = Path(__file__).resolve().parent.parent.parent


class ControlError(AssertionError):
    pass


class RunningDouble:
    """`tables` is what a start-up file holds (see README.md); without it there are two accounts."""

    def __init__(self, folder, tables=None, pins=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tables = tables or {"accounts": DEFAULT_ACCOUNTS}
        self.pins = tuple(pins)
        self.process = None
        self.ports = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        accounts = self.folder / "accounts.json"
        accounts.write_text(json.dumps(self.tables))
        command = [sys.executable, str(TESTS / "support/aws"), "--dir", str(self.folder),
                   "--accounts", str(accounts), "--watch-stdin"]
        for pin in self.pins:
            command += ["--pin", pin]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the double ended with {self.process.wait()}")
        self.ports = json.loads(line)
        return self

    def stop(self):
        """Ends it; a bug that it found in itself fails the test."""
        if self.process is not None:
            bugs = self.log()["bugs"] if self.process.poll() is None else "it ended early"
            self.process.terminate()
            self.process.wait(20)
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None
            assert bugs == 0, f"the double of AWS: {bugs}; see its standard error"

    @property
    def endpoint(self):
        return self.ports["endpoint"]

    @property
    def ca(self):
        return self.ports["ca"]

    def keys(self, account=0):
        table = self.tables["accounts"][account]["keys"][0]
        return Keys(table["access_key_id"], table["secret_access_key"])

    def environment(self, account=0, region="eu-west-1"):
        """The variables that bring an AWS client here, with the keys of an account."""
        keys = self.keys(account)
        return {"AWS_ACCESS_KEY_ID": keys.access_key_id,
                "AWS_SECRET_ACCESS_KEY": keys.secret_access_key, "AWS_REGION": region,
                "AWS_DEFAULT_REGION": region, "AWS_ENDPOINT_URL": self.endpoint,
                "AWS_CA_BUNDLE": self.ca, "AWS_EC2_METADATA_DISABLED": "true"}

    def client(self, account=0, **options):
        options.setdefault("keys", self.keys(account))
        return Client(options.pop("endpoint", self.endpoint), self.ca, **options)

    # --- control ------------------------------------------------------------------------------

    def control(self, method, name, given=None, **query):
        parts = urlsplit(self.ports["control"])
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        target = f"{parts.path}/{name}" + (f"?{urlencode(query)}" if query else "")
        body = b"" if given is None else json.dumps(given).encode()
        try:
            connection.request(method, target, body=body)
            reply = connection.getresponse()
            answer = json.loads(reply.read())
        finally:
            connection.close()
        if reply.status != 200:
            raise ControlError(f"{method} {name}: {answer}")
        return answer

    def settings(self, **changes):
        return self.control("POST", "settings", changes)

    def fault(self, **rule):
        """Adds a rule (see faults.py); returns its id."""
        return self.control("POST", "faults", rule)["id"]

    def clear_faults(self):
        self.control("DELETE", "faults")

    def faults(self):
        return self.control("GET", "faults")["faults"]

    def throttle(self, operation, tps, **more):
        """`tps` None lifts it. More: burst, account, region."""
        self.control("POST", "throttle", {"operation": operation, "tps": tps, **more})

    def aws_quotas(self, on=True):
        """All documented default rates at once, or none."""
        self.control("POST", "throttle", {"defaults": "aws" if on else "none"})

    def expire_tokens(self, account=None):
        return self.control("POST", "expire-tokens", {"account": account})["expired"]

    def forget_key(self, access_key_id):
        self.control("POST", "forget-key", {"access_key_id": access_key_id})

    def add(self, **tables):
        """More accounts, buckets, trust anchors, as in the start-up file."""
        self.control("POST", "accounts", tables)

    def state(self, account=None, region=None, parts=None):
        query = {"account": account, "region": region, "parts": ",".join(parts) if parts else None}
        return self.control("GET", "state",
                            **{name: value for name, value in query.items() if value})

    def space(self, account, region="eu-west-1", parts=None):
        """What an account has in a region; empty before its first call."""
        return self.state(account, region, parts)["spaces"].get(f"{account}/{region}", {})

    def log(self):
        return self.control("GET", "log")["summary"]

    def counts(self):
        return self.log()["counts"]

    def calls(self, **query):
        return self.control("GET", "calls", **query)["calls"]

    def reset(self):
        """Everything but accounts, keys, roles and empty buckets is forgotten."""
        self.control("POST", "reset", {})

    def reset_log(self):
        self.control("POST", "reset-log", {})
