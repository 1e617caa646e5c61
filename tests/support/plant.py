"""A plant with the cloud: an appliance, its uploader, and the double of AWS."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess

from support.appliance import program, softhsm_env, wait_until
from support.aws.calls import ACCOUNT, OTHER, POLICY, REGION, bulk_template
from support.aws.certificates import id_of
from support.aws.running import RunningDouble

# Quotas far above those of AWS: what is measured here is not AWS's patience.
QUICK = {name: 5000 for name in (
    "RegisterCertificate", "RegisterCertificateWithoutCA", "CertificatesPerSecond", "CreateThing",
    "AttachThingPrincipal", "AttachPolicy", "AddThingToThingGroup", "DescribeCertificate",
    "DescribeThing", "UpdateCertificate", "ListCertificatesByCA", "DescribeCACertificate",
    "DescribeThingRegistrationTask", "ListThingRegistrationTasks",
    "ListThingRegistrationTaskReports", "StartThingRegistrationTask", "PutObject", "HeadObject",
    "GetCallerIdentity", "UpdateThing", "ListThingPrincipals", "ListAttachedPolicies")}
ACCOUNTS = (ACCOUNT, OTHER)
BUCKETS = {ACCOUNT: "manifests", OTHER: "manifests-staging"}


class Plant:
    """`targets` are tables of [[aws.target]]; what they leave out is filled in."""

    def __init__(self, appliance, folder, targets, default_order=None):
        self.appliance = appliance
        self.folder = folder
        self.aws = RunningDouble(folder / "aws").start()
        self.uploaders = []
        self.template = folder / "template.json"
        self.template.write_text(json.dumps(bulk_template()))
        self.targets = [self.target(number, **each) for number, each in enumerate(targets)]
        names = [each["name"] for each in self.targets] if default_order is None else default_order
        self.write_profiles()
        appliance.configure({"aws": {"targets_of_default_order": names},
                             "aws.target": self.targets})

    def target(self, number, **table):
        account = table.setdefault("account", ACCOUNT)
        filled = {"name": f"plant{number}", "region": REGION, "way": "direct",
                  "profile": f"account{ACCOUNTS.index(account)}", "quotas": QUICK,
                  "endpoint_url": self.aws.endpoint, "ca_bundle": self.aws.ca, **table}
        if filled["way"] in ("bulk", "file"):
            filled.setdefault("parameters", {"ThingName": "{device_id}", "SerialNumber": "{serial}",
                                             "CertificatePem": "{certificate_pem}"})
        if filled["way"] == "bulk":
            filled.setdefault("bucket", BUCKETS[account])
            filled.setdefault("role_arn_bulk", f"arn:aws:iam::{account}:role/bulk")
            filled.setdefault("template_file", str(self.template))
            filled.setdefault("min_lines", 1)
        if filled["way"] == "file":
            filled.setdefault("export_dir", str(self.folder / "export"))
            (self.folder / "export").mkdir(exist_ok=True)
        return {key: value for key, value in filled.items() if value is not None}

    def write_profiles(self):
        """The keys of each account as a profile of AWS's shared files."""
        lines = []
        for number in range(len(ACCOUNTS)):
            keys = self.aws.keys(number)
            lines += [f"[account{number}]", f"aws_access_key_id = {keys.access_key_id}",
                      f"aws_secret_access_key = {keys.secret_access_key}"]
        (self.folder / "credentials").write_text("\n".join(lines) + "\n")
        (self.folder / "config").write_text(
            "".join(f"[profile account{number}]\n" for number in range(len(ACCOUNTS))))

    def environment(self):
        return {**softhsm_env(self.appliance.folder),
                "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
                "AWS_CONFIG_FILE": str(self.folder / "config"), "AWS_EC2_METADATA_DISABLED": "true"}

    # --- commands -----------------------------------------------------------------------------

    def cli(self, *arguments, expect=0, timeout=120, **options):
        """`linesign aws ...`; returns what it printed."""
        run = subprocess.run(
            [program("linesign"), "--config", str(self.appliance.config_file), "aws", *arguments],
            env=self.environment(), capture_output=True, text=True, timeout=timeout, check=False,
            **options)
        assert run.returncode == expect, \
            f"linesign aws {' '.join(arguments)} ended with {run.returncode}:\n" \
            f"{run.stdout}{run.stderr}\n{self.log_tail()}"
        return run.stdout + run.stderr

    def make_ready(self):
        """Policies that the tests name, and the CA in every account and region."""
        for table in self.targets:
            with contextlib.closing(self.aws.client(ACCOUNTS.index(table["account"]),
                                                    region=table["region"])) as client:
                client.iot("POST", "/policies/device", {"policyDocument": POLICY})
        self.cli("register-ca")

    def issue(self, devices):
        """Until so many devices have their certificates."""
        self.appliance.request("--generate", str(devices))

    def issued(self):
        """The certificate ids of all devices, from the files at the station."""
        return {id_of(path.read_text()) for path in self.appliance.certificates()}

    def start_uploader(self, preexec=None, wait=True):
        """The service; its log is uploader.log."""
        with self.log.open("ab") as log:
            uploader = subprocess.Popen(
                [program("linesign-uploader"), "--config", str(self.appliance.config_file)],
                stdout=log, stderr=log, env=self.environment(), preexec_fn=preexec,
                restore_signals=preexec is None)
        self.uploaders.append(uploader)
        if wait:
            wait_until(lambda: self.progress() or uploader.poll() is not None, "it works")
        return uploader

    @property
    def log(self):
        return self.folder / "uploader.log"

    def log_tail(self):
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def ledger_order(self):
        """The first 1,000 devices in the order in which they were issued."""
        body = json.dumps({"order": "default", "after": 0, "limit": 1000}).encode()
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self.appliance.folder / "admin.sock"))
            admin.sendall(b"POST /v1/ledger/certificates HTTP/1.0\r\ncontent-type: application/json"
                          b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            reply = http.client.HTTPResponse(admin)
            reply.begin()
            return [each["device_id"] for each in json.loads(reply.read())["certificates"]]

    # --- what is so ---------------------------------------------------------------------------

    def progress(self):
        path = self.appliance.folder / "uploader/progress.json"
        return json.loads(path.read_text()) if path.exists() else None

    def status(self):
        """By the name of the target."""
        listed = json.loads(self.cli("status", "--json"))
        return {each["target"]: each for each in listed["targets"]}

    def wait_done(self, timeout=60):
        """Nothing waits any more, for no target."""
        def look():
            status = self.status()
            return status if all(each["waiting"] + each["in_task"] == 0
                                 for each in status.values()) else None
        try:
            return wait_until(look, "nothing waits any more", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.status()}\n{self.log_tail()}") from error

    def account(self, number=0, *parts):
        """What an account of the double has, in the region of the target with this number."""
        table = self.targets[number]
        return self.aws.space(table["account"], table["region"], parts or None)

    def close(self):
        for uploader in self.uploaders:
            if uploader.poll() is None:
                uploader.send_signal(signal.SIGTERM)
                try:
                    uploader.wait(15)
                except subprocess.TimeoutExpired:
                    uploader.kill()
                    uploader.wait()
        self.aws.stop()
