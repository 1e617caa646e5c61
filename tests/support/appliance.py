"""A whole appliance in a temporary folder: token, CA, configuration, linesignd and its stations.

Every program is the real one, from $LINESIGN_BIN (default: build/release/bin). Tokens are made once
per run and copied, because a killed SoftHSM user may damage one.
"""

import contextlib
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from support.raw_station import RawStation
from support.waiting import patience, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(os.environ.get("LINESIGN_BIN", ROOT / "build/release/bin"))
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "system-test-pin"
TOKEN_LABEL = "system-test"
EX_OK, EX_USAGE, EX_DATA, EX_UNAVAILABLE, EX_IO, EX_TEMPFAIL, EX_NOPERM, EX_CONFIG = (
    0, 64, 65, 69, 74, 75, 77, 78)


def program(name):
    return str(BIN / name)


def full_pipe():
    """Reader and writer of a pipe that takes no byte more: whoever writes to it stands still."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    return reader, writer


def is_alive(pid):
    """A process that is neither gone nor a zombie of somebody else."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def free_port():
    """None of those that the kernel gives to outgoing connections, of which other tests make many."""
    while True:
        with contextlib.suppress(OSError), socket.socket() as probe:
            port = random.randrange(10000, 32000)
            probe.bind(("127.0.0.1", port))
            return port


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(each) for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml_value(each)}" for key, each in value.items()) + "}"
    return json.dumps(value) if isinstance(value, str) else str(value)


def write_toml(path, tables):
    """A list of tables is an array of tables, [[...]]."""
    lines = []
    for table, values in tables.items():
        for each in values if isinstance(values, list) else [values]:
            lines.append(f"[[{table}]]" if isinstance(values, list) else f"[{table}]")
            lines += [f"{key} = {toml_value(value)}" for key, value in each.items()]
    path.write_text("\n".join(lines) + "\n")


def tree_mode(folder, change):
    for path in [folder, *folder.rglob("*")]:
        path.chmod(change(path.stat().st_mode))


def read_only(folder):
    tree_mode(folder, lambda mode: mode & ~0o222)


def writable(folder):
    tree_mode(folder, lambda mode: mode | 0o200)


def scratch_folder():
    """In memory where there is room: the disk is the ledger's."""
    shared = Path("/dev/shm")
    if os.access(shared, os.W_OK):
        stats = os.statvfs(shared)
        if stats.f_bavail * stats.f_frsize > 2 << 30:
            return shared
    return None


_removals = []


def remove_in_background(*folders):
    """A lot is many thousand files, and nobody needs to wait until they are gone."""
    _removals.append(subprocess.Popen(["rm", "-rf", "--", *map(str, folders)],
                                      stderr=subprocess.DEVNULL))


def wait_for_removals():
    for removal in _removals:
        removal.wait()


class TokenCache:
    """Token and CA per key type, made once by the real ceremony."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def get(self, key_type):
        made = self.folder / key_type
        if not made.exists():
            making = Path(tempfile.mkdtemp(prefix="ls-", dir=self.folder))
            self._make(making, key_type)
            making.rename(made)
        return made

    @staticmethod
    def _make(folder, key_type):
        make_token(folder)
        write_ceremony(folder, key_type)
        run = subprocess.run([program("linesign"), "ca", "init", "ceremony.toml"], cwd=folder,
                             env=softhsm_env(folder), capture_output=True, text=True, timeout=120,
                             check=False)
        assert run.returncode == 0, run.stdout + run.stderr

    def copy_to(self, key_type, folder):
        made = self.get(key_type)
        shutil.copytree(made, folder, dirs_exist_ok=True)
        write_softhsm_config(folder)
        read_only(folder / "tokens")


def softhsm_env(folder):
    return {**os.environ, "SOFTHSM2_CONF": str(folder / "softhsm2.conf")}


def write_softhsm_config(folder):
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")


def make_token(folder, label=TOKEN_LABEL):
    (folder / "tokens").mkdir(exist_ok=True)
    write_softhsm_config(folder)
    (folder / "pin").write_text(PIN + "\n")
    (folder / "pin").chmod(0o400)
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN,
                    "--so-pin", "so-" + PIN], env=softhsm_env(folder), check=True,
                   stdout=subprocess.DEVNULL)


def write_ceremony(folder, key_type="P-256", kind="root", **changes):
    tables = {
        "token": {"module": MODULE, "label": TOKEN_LABEL, "pin_file": "pin"},
        "key": {"type": key_type, "label": "device-ca"},
        "ca": {"kind": kind, "subject": ["O=linesign test", "CN=Test Device CA"]},
        "output": {"certificate": "ca.pem", "transcript": "ca-transcript.txt",
                   "who": ["a system test"]},
    }
    if kind == "root":
        tables["ca"]["validity"] = "30y"
    for table, values in changes.items():
        tables[table].update(values)
    write_toml(folder / "ceremony.toml", tables)


class Appliance:
    def __init__(self, tokens, key_type="P-256", config=None, folder=None):
        # Short: the path of a Unix socket has at most 107 bytes.
        self.folder = Path(folder or tempfile.mkdtemp(prefix="ls-"))
        # What the client writes is no part of the appliance, and many small files.
        self.certs = Path(tempfile.mkdtemp(prefix="ls-", dir=scratch_folder())) / "certs"
        self.log = self.folder / "linesignd.log"
        self.config_file = self.folder / "linesign.toml"
        self.address = f"127.0.0.1:{free_port()}"
        self.environment = {}  # of linesignd, beside what all programs get
        self.daemon = None
        self.children = []
        tokens.copy_to(key_type, self.folder)
        self.tables = {
            "hsm": {"module": MODULE, "token_label": TOKEN_LABEL, "key_label": "device-ca",
                    "pin_file": "pin", "signers": 2},
            "ca": {"certificate": "ca.pem"},
            "profile": {},
            "stations": {"listen": self.address},
            "issuance": {"min_free": "1MiB"},
            "ledger": {},
            "daemon": {"log_level": "debug"},
        }
        self.configure(config or {})

    def configure(self, changes):
        """Merges tables into the configuration; a value of None takes the key out."""
        for table, values in changes.items():
            if isinstance(values, list):
                self.tables[table] = values
                continue
            merged = {**self.tables.get(table, {}), **values}
            self.tables[table] = {key: value for key, value in merged.items() if value is not None}
        # The modules of the tests write down what they do, beside the appliance's own files.
        if self.tables["hsm"].get("module") != MODULE:
            self.tables["hsm"].setdefault("module_paths", [str(self.folder)])
        write_toml(self.config_file, self.tables)

    # --- the daemon ---------------------------------------------------------------------------

    def start(self, wait=True, preexec=None, restore_signals=True, stderr=None):
        with self.log.open("ab") as log:
            self.daemon = subprocess.Popen(
                [program("linesignd"), "--config", str(self.config_file)], stdout=log,
                stderr=log if stderr is None else stderr,
                env={**softhsm_env(self.folder), **self.environment},
                preexec_fn=preexec, restore_signals=restore_signals)
        if wait:
            self.wait_producing()
        return self

    def wait_all_ready(self):
        self.wait_status(lambda each: all(one["state"] == "ready" for one in each["signers"]),
                         "all signers are ready")

    def wait_producing(self, timeout=20):
        return self.wait_status(lambda status: status["producing"], "linesignd produces", timeout)

    def wait_resumed(self, mended):
        """It produces at once after a cause was mended, at this time.monotonic(); a try that is only
        repeated comes up to 5 s later."""
        self.wait_producing(40)
        seconds = time.monotonic() - mended
        assert seconds < 3 * patience(), f"{seconds:.1f} s until it produced:\n{self.log_tail()}"

    def wait_status(self, condition, what, timeout=20):
        def look():
            if self.daemon is not None and self.daemon.poll() is not None:
                raise AssertionError(
                    f"linesignd ended with {self.daemon.returncode}:\n{self.log_tail()}")
            status = self.status()
            return status if status is not None and condition(status) else None
        try:
            return wait_until(look, what, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.status()}\n{self.log_tail()}") from error

    def status(self):
        """The status as JSON, or None while nobody answers."""
        run = self.cli("status", "--json", check=False)
        try:
            return json.loads(run.stdout)
        except ValueError:
            return None

    def signer_pids(self):
        return [signer["pid"] for signer in self.status()["signers"] if signer["pid"] > 0]

    def stop(self, expect=EX_OK, timeout=30):
        """SIGTERM; returns how long it took."""
        started = time.monotonic()
        self.daemon.send_signal(signal.SIGTERM)
        code = self.daemon.wait(timeout)
        self.daemon = None
        assert code == expect, f"linesignd ended with {code}:\n{self.log_tail()}"
        return time.monotonic() - started

    def kill(self):
        self.daemon.kill()
        self.daemon.wait(10)
        self.daemon = None

    def restart(self):
        self.stop()
        return self.start()

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self, lines=30):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def close(self, keep=False):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        if not keep:
            with contextlib.suppress(OSError):
                writable(self.folder / "tokens")
            remove_in_background(self.folder, self.certs.parent)

    def change_ca(self, key_type="P-256", **ca):
        """A second key in the same token and a CA for it, of the same subject unless `ca` says
        otherwise; linesignd starts anew with it. The first one's certificate stays in ca.pem."""
        self.stop()  # a signer that logs in would rewrite the token that is writable now
        writable(self.folder / "tokens")
        write_ceremony(self.folder, key_type, key={"label": "device-ca-2"}, ca=ca,
                       output={"certificate": "ca-2.pem", "transcript": "ca-2-transcript.txt"})
        self.run(program("linesign"), "ca", "init", "ceremony.toml", cwd=self.folder)
        read_only(self.folder / "tokens")
        self.configure({"hsm": {"key_label": "device-ca-2"}, "ca": {"certificate": "ca-2.pem"}})
        return self.start()

    # --- programs -----------------------------------------------------------------------------

    def run(self, *command, check=True, timeout=120, **options):
        run = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                             env=softhsm_env(self.folder), check=False, **options)
        if check and run.returncode != 0:
            raise AssertionError(f"{' '.join(command)} ended with {run.returncode}:\n"
                                 f"{run.stdout}{run.stderr}\n{self.log_tail()}")
        return run

    def cli(self, *arguments, check=True, **options):
        """linesign, with this appliance's configuration."""
        return self.run(program("linesign"), "--config", str(self.config_file), *arguments,
                        check=check, **options)

    def join_token(self, name):
        run = self.cli("station", "add", name)
        return re.search(r"LSJ1\.[A-Za-z0-9_-]+", run.stdout).group(0)

    def station(self, name="line1"):
        """The credential folder of a station, enrolled at the first call."""
        folder = self.folder / ("station" if name == "line1" else f"station-{name}")
        if not folder.exists():
            self.run(program("linesign-station"), "enroll", self.join_token(name), "--dir",
                     str(folder))
        return folder

    def open_station(self, name="line1", **options):
        return RawStation.open(self.station(name), self.address, **options)

    def request_command(self, *arguments, name="line1", out=None):
        return [program("linesign-station"), "request", "--dir", str(self.station(name)),
                "--order", "default", *arguments, "--out", str(out or self.certs)]

    def request(self, *arguments, name="line1", out=None, **options):
        return self.run(*self.request_command(*arguments, name=name, out=out), **options)

    def start_request(self, *arguments, name="line1", out=None):
        log = (self.folder / f"client-{name}.log").open("ab")
        child = subprocess.Popen(self.request_command(*arguments, name=name, out=out),
                                 stdout=log, stderr=log, env=softhsm_env(self.folder))
        self.children.append(child)
        return child

    def certificates(self, out=None):
        """The certificate files at the client; unfinished hidden ones do not count."""
        folder = Path(out or self.certs)
        return sorted(path for path in folder.glob("*.pem") if not path.name.startswith("."))

    def client_log(self, name="line1"):
        path = self.folder / f"client-{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""


def limit_file_size(size_bytes):
    """For preexec: writes past this size fail with EFBIG, as on a full disk."""
    def apply():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))
    return apply
