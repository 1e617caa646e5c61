"""linesignd itself: configuration, status, start and end, and when it must not produce."""

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

from support import csr
from support.appliance import (BIN, EX_CONFIG, EX_OK, EX_UNAVAILABLE, PIN, full_pipe,
                               limit_file_size, program, wait_until)
from support.fault_plan import FaultPlan
from support.raw_station import enroll, messages


def names(status):
    return [obstacle["error"]["name"] for obstacle in status["obstacles"]]


# --- configuration ------------------------------------------------------------------------------

WRONG = [
    ("unknown key", "[daemon]\n", "[daemon]\nlog_levle = \"info\"\n", "ConfigUnknownKey"),
    ("unknown table", "[daemon]\n", "[deamon]\n", "ConfigUnknownKey"),
    ("wrong type", "signers = 2", 'signers = "two"', "ConfigType"),
    ("out of range", "signers = 2", "signers = 100000", "ConfigRange"),
    ("missing unit", "[daemon]\n", "[daemon]\ndrain_timeout = 10\n", "Config(Type|Range)"),
    ("unknown unit", "[daemon]\n", '[daemon]\ndrain_timeout = "10 parsecs"\n', "Config(Type|Range)"),
    ("unknown value", 'log_level = "debug"', 'log_level = "loud"', "ConfigRange"),
    ("missing key", 'key_label = "device-ca"\n', "", "ConfigMissing"),
    ("no TOML", "[hsm]", "[hsm", "ConfigSyntax"),
]


@pytest.mark.parametrize("old, new, name", [pytest.param(*row[1:], id=row[0]) for row in WRONG])
def test_a_wrong_configuration_is_refused_with_its_line(make_appliance, old, new, name):
    appliance = make_appliance()
    text = appliance.config_file.read_text()
    assert old in text
    appliance.config_file.write_text(text.replace(old, new, 1))
    for arguments in (["--check-config"], []):
        run = appliance.run(program("linesignd"), "--config", str(appliance.config_file),
                            *arguments, check=False, timeout=20)
        assert run.returncode == EX_CONFIG
        said = run.stdout + run.stderr
        assert re.search(name, said), said
        assert re.search(r"linesign\.toml:\d+", said), said


def test_a_missing_configuration_is_refused(make_appliance):
    appliance = make_appliance()
    run = appliance.run(program("linesignd"), "--config", str(appliance.folder / "none.toml"),
                        check=False)
    assert run.returncode == EX_CONFIG and "ConfigUnreadable" in run.stdout + run.stderr


def test_a_good_configuration_is_said_to_be_good(make_appliance):
    appliance = make_appliance()
    run = appliance.run(program("linesignd"), "--config", str(appliance.config_file),
                        "--check-config")
    assert "ok" in run.stdout
    assert not (appliance.folder / "ledger").exists()  # checking makes nothing


def not_a_ca(folder):
    """A certificate that the CA signed for a device."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=unit",
                    "-addext", "basicConstraints=critical,CA:FALSE", "-out",
                    str(folder / "ca.pem")], check=True, capture_output=True)


def symlink_pin(folder):
    (folder / "pin").rename(folder / "other-pin")
    (folder / "pin").symlink_to("other-pin")


BAD_FILES = [
    ("an empty CA file", lambda folder: (folder / "ca.pem").write_text(""), "ca.pem"),
    ("no CA certificate", not_a_ca, "CaCertificateInvalid"),
    ("a CA file that is missing", lambda folder: (folder / "ca.pem").unlink(), "ca.pem"),
    ("a PIN file that is missing", lambda folder: (folder / "pin").unlink(), "HsmPinFile"),
    ("a PIN that everybody may read", lambda folder: (folder / "pin").chmod(0o444), "HsmPinFile"),
    ("a PIN behind a link", symlink_pin, "HsmPinFile"),
    ("a ledger that is a file", lambda folder: (folder / "ledger").write_text(""),
     "LedgerUnavailable"),
    ("a station CA without its key", lambda folder: (
        (folder / "station-ca").mkdir(), (folder / "station-ca/server.pem").write_text("")),
     "station CA is missing"),
]


@pytest.mark.parametrize("damage, said", [pytest.param(*row[1:], id=row[0]) for row in BAD_FILES])
def test_the_check_opens_what_a_start_opens(make_appliance, damage, said):
    appliance = make_appliance()
    damage(appliance.folder)
    run = appliance.run(program("linesignd"), "--config", str(appliance.config_file),
                        "--check-config", check=False)
    assert run.returncode == EX_CONFIG, run.stdout
    assert said in run.stdout and ": ok" not in run.stdout, run.stdout


def test_the_check_says_everything_at_once(make_appliance):
    appliance = make_appliance()
    (appliance.folder / "ca.pem").write_text("")
    (appliance.folder / "pin").chmod(0o444)
    (appliance.folder / "ledger").write_text("")
    run = appliance.run(program("linesignd"), "--config", str(appliance.config_file),
                        "--check-config", check=False)
    for key in ("[ca] certificate", "[hsm] pin_file", "[ledger] directory"):
        assert key in run.stdout, run.stdout


def test_a_validity_of_minutes_is_refused(make_appliance):
    appliance = make_appliance(config={"profile": {"validity": "20m"}})
    run = appliance.run(program("linesignd"), "--config", str(appliance.config_file),
                        "--check-config", check=False)
    assert run.returncode == EX_CONFIG and "profile.validity" in run.stdout + run.stderr


def test_a_ca_that_ended_is_named_as_such(make_appliance):
    appliance = make_appliance()
    at_its_end = ["faketime", "-m", "-f", "+10951d"]
    run = appliance.run(*at_its_end, program("linesignd"), "--config", str(appliance.config_file),
                        "--check-config", check=False)
    assert run.returncode == EX_CONFIG and "CaExpired" in run.stdout
    run = appliance.run("faketime", "-m", "-f", "+10945d", program("linesignd"), "--config",
                        str(appliance.config_file), "--check-config")
    assert "warning: [ca] certificate" in run.stdout and "days left" in run.stdout
    run = appliance.run("faketime", "-m", "-f", "+10945d", program("linesign"), "ca", "show",
                        str(appliance.folder / "ceremony.toml"))
    assert re.search(r"The CA certificate is valid until \S+ \(\d days left\)", run.stdout), run.stdout


# --- status and reasons -------------------------------------------------------------------------


def test_status_says_that_it_produces_and_since_when(appliance):
    def all_ready(status):
        return [signer["state"] for signer in status["signers"]] == ["ready"] * 2

    status = appliance.wait_status(all_ready, "both signers are ready")
    assert status["producing"] is True and status["obstacles"] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", status["since"])
    run = appliance.cli("status")
    assert run.returncode == EX_OK and "producing" in run.stdout.lower()


def test_a_start_is_no_error(appliance):
    text = appliance.log_text()
    assert "starting cause=signers: the signers are starting" in text
    assert not re.search(r"\[error\]| error ", text), text


def test_without_its_token_it_does_not_produce_and_says_why(make_appliance):
    appliance = make_appliance(config={"hsm": {"token_label": "no-such-token"}})
    appliance.start(wait=False)
    status = appliance.wait_status(lambda each: not each["producing"] and names(each),
                                   "an obstacle is named")
    appliance.wait_status(lambda each: "HsmTokenNotFound" in names(each), "the token is missed")
    assert appliance.cli("status", check=False).returncode == 69
    with appliance.open_station() as station:
        from support.raw_station import issue
        reply = station.ask(issue("unit-1", csr.make("unit-1", csr.new_key()))).issue
    assert reply.status == messages.STATUS_TRY_LATER
    assert reply.failure.name == "Unavailable" and reply.failure.retry_after_ms > 0
    assert status["ledger"]["certificates"] == 0


@pytest.mark.parametrize("change, name", [
    ({"key_label": "no-such-key"}, "HsmKeyNotFound"),
    ({"module": "/usr/lib/no-such-module.so"}, "HsmModuleLoad"),
])
def test_what_is_wrong_with_the_hsm_is_named(make_appliance, change, name):
    appliance = make_appliance(config={"hsm": change}).start(wait=False)
    appliance.wait_status(lambda each: name in names(each), f"{name} is said")


def test_a_key_that_is_not_of_the_ca_certificate_is_refused(make_appliance, tokens):
    appliance = make_appliance()
    other = tokens.get("RSA-2048") / "ca.pem"
    (appliance.folder / "ca.pem").write_bytes(other.read_bytes())
    appliance.start(wait=False)
    appliance.wait_status(lambda each: set(names(each)) & {"HsmKeyMismatch", "HsmKeyNotFound"},
                          "the key is named")
    assert not appliance.status()["producing"]


def test_a_wrong_pin_is_tried_once(make_appliance):
    appliance = make_appliance(config={"hsm": {"signers": 4}})
    pin = appliance.folder / "pin"
    pin.chmod(0o600)
    pin.write_text("wrong-pin-1234\n")
    appliance.start(wait=False)
    appliance.wait_status(lambda each: "HsmPinRefused" in names(each), "the PIN is refused")
    # A signer that will be tried again is "waiting"; "stopped" ones wait for another PIN.
    status = appliance.wait_status(
        lambda each: [signer["state"] for signer in each["signers"]] == ["stopped"] * 4,
        "all signers are stopped")
    assert names(status) == ["HsmPinRefused"]
    assert sum(signer["restarts"] for signer in status["signers"]) == 0
    assert len(appliance.signer_pids()) == 1, "only the one that watches the file is left"
    pin.write_text("wrong-pin-1234\n")  # the same again is not tried again
    pin.write_text(PIN + "\n")
    appliance.wait_producing()
    text = appliance.log_text()
    # Each try that fails is one such line, whichever of the four made it.
    assert len(re.findall("signer trouble .*HsmPinRefused", text)) == 1, text
    assert "wrong-pin-1234" not in text


def test_no_secret_gets_into_the_log(make_appliance):
    appliance = make_appliance(config={"daemon": {"log_level": "trace"}}).start()
    token = appliance.join_token("line1")
    appliance.run(program("linesign-station"), "enroll", token, "--dir",
                  str(appliance.folder / "station"))
    appliance.request("--generate", "20")
    appliance.stop()
    text = appliance.log_text()
    assert PIN not in text and token not in text and token[60:120] not in text
    assert "PRIVATE KEY" not in text


# --- privileges ---------------------------------------------------------------------------------


def test_signers_have_no_capabilities(appliance):
    for pid in appliance.signer_pids():
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            text = file.read()
        for which in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert re.search(rf"{which}:\s*0+\n", text), f"{which} of a signer"


def test_the_daemon_never_loads_the_pkcs11_module(appliance):
    appliance.request("--generate", "5")

    def mapped(pid):
        with open(f"/proc/{pid}/maps", encoding="ascii") as file:
            return file.read()
    assert "libsofthsm2" not in mapped(appliance.daemon.pid)
    assert "libp11" not in mapped(appliance.daemon.pid)
    assert all("libsofthsm2" in mapped(pid) for pid in appliance.signer_pids())


def test_the_daemon_never_opens_the_pin(make_appliance):
    """Only signers read it: the daemon starts while the file is out of its reach."""
    appliance = make_appliance(config={"hsm": {"pin_file": "no-such-pin"}})
    appliance.start(wait=False)
    appliance.wait_status(lambda each: "HsmPinFile" in names(each), "the signer misses its PIN")
    assert appliance.daemon.poll() is None


def test_what_it_writes_is_for_its_user_only(appliance):
    appliance.request("--generate", "2")
    for relative in ("ledger", "station-ca"):
        assert (appliance.folder / relative).stat().st_mode & 0o077 == 0, relative
    for path in (appliance.folder / "station-ca").glob("*.key"):
        assert path.stat().st_mode & 0o077 == 0, path


# --- start and end ------------------------------------------------------------------------------


def test_sigterm_drains_and_loses_nothing(appliance, check_ledger):
    appliance.station()
    client = appliance.start_request("--generate", "4000")
    wait_until(lambda: len(appliance.certificates()) > 200, "the lot runs")
    assert appliance.stop() < 12
    appliance.start()
    assert client.wait(120) == 0, appliance.client_log()
    assert len(appliance.certificates()) == 4000
    assert appliance.status()["ledger"]["certificates"] == 4000
    appliance.stop()
    check_ledger(appliance)


def test_an_orderly_stop_writes_every_delivery_down(appliance):
    appliance.station()
    appliance.request("--generate", "200")
    appliance.stop()
    with sqlite3.connect(appliance.folder / "ledger" / "ledger.sqlite") as ledger:
        assert ledger.execute("SELECT count(*) FROM delivery").fetchone() == (200,)


def test_sigterm_ends_an_idle_daemon_at_once(appliance):
    with appliance.open_station():
        assert appliance.stop() < 3


def test_sigint_is_as_good_as_sigterm(appliance):
    appliance.daemon.send_signal(signal.SIGINT)
    assert appliance.daemon.wait(10) == EX_OK
    appliance.daemon = None


def test_a_second_daemon_on_the_same_ledger_is_refused(appliance):
    run = appliance.run(program("linesignd"), "--config", str(appliance.config_file), check=False,
                        timeout=20)
    assert run.returncode in (69, 74)
    assert re.search("LedgerInUse|AdminSocketInUse|ListenFailed", run.stdout + run.stderr)
    assert appliance.status()["producing"]


def test_a_port_that_another_program_uses_is_told(make_appliance):
    appliance = make_appliance()
    host, port = appliance.address.split(":")
    with socket.create_server((host, int(port))):
        run = appliance.run(program("linesignd"), "--config", str(appliance.config_file),
                            check=False, timeout=20)
    assert run.returncode == 69
    assert f"cannot listen on {appliance.address}: another program uses this port" in run.stderr


def test_status_of_a_daemon_that_is_not_there(make_appliance):
    run = make_appliance().cli("status", check=False)
    assert run.returncode == 69 and "AdminUnavailable" in run.stdout + run.stderr


# --- the disk -----------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of its own for the ledger, where the system lets us; else None."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs",
                              str(folder)], capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder, leave_bytes):
    """Leaves so much room and no more."""
    stats = os.statvfs(folder)
    free = stats.f_bavail * stats.f_frsize
    with contextlib.suppress(OSError), open(folder / "filler", "wb", buffering=0) as file:
        while free > leave_bytes:
            file.write(bytes(min(1 << 14, free - leave_bytes)))
            stats = os.statvfs(folder)
            free = stats.f_bavail * stats.f_frsize


def finish_lot_after_full_disk(appliance, client, lot, check_ledger):
    appliance.wait_status(lambda each: each["producing"], "it produces again by itself", 40)
    assert client.wait(120) == 0, appliance.client_log()
    assert len(appliance.certificates()) == lot
    assert appliance.status()["ledger"]["certificates"] == lot
    appliance.stop()
    check_ledger(appliance)


@pytest.mark.parametrize("min_free, leave", [("4MiB", 1 << 20), ("0KiB", 1 << 14)],
                         ids=["below min_free", "to the last byte"])
def test_a_full_disk_stops_production_until_there_is_room(make_appliance, check_ledger, min_free,
                                                          leave):
    lot = 6000
    appliance = make_appliance(config={"issuance": {"min_free": min_free},
                                       "daemon": {"log_level": "info"}})
    ledger = appliance.folder / "ledger"
    with small_disk(ledger, "48m") as mounted:
        if not mounted:
            full_by_limit(appliance, check_ledger)
            return
        appliance.start()
        appliance.station()
        client = appliance.start_request("--generate", str(lot))
        wait_until(lambda: len(appliance.certificates()) > 300, "the lot runs")
        fill(ledger, leave)
        appliance.wait_status(lambda each: not each["producing"] and names(each),
                              "a full disk stops production", 30)
        assert set(names(appliance.status())) & {"LedgerDiskFull", "LedgerUnavailable"}
        assert client.poll() is None, appliance.client_log()
        mended = time.monotonic()
        (ledger / "filler").unlink()
        appliance.wait_resumed(mended)
        finish_lot_after_full_disk(appliance, client, lot, check_ledger)


def full_by_limit(appliance, check_ledger):
    """Without the right to mount: a limit on the size of files, which a restart lifts."""
    appliance.start(preexec=limit_file_size(1 << 20), restore_signals=False)
    appliance.station()
    client = appliance.start_request("--generate", "6000")
    appliance.wait_status(lambda each: not each["producing"] and names(each),
                          "a full disk stops production", 60)
    appliance.stop()
    appliance.start()
    finish_lot_after_full_disk(appliance, client, 6000, check_ledger)


def test_a_disk_that_hangs_is_told_and_no_token_gets_lost_in_silence(make_appliance):
    appliance = make_appliance()
    disk = FaultPlan(appliance.folder / "disk")
    library = BIN.parent / "tests" / "liblinesign_system_faults.so"
    appliance.environment = {"LD_PRELOAD": str(library), "LINESIGN_SYSTEM_FAULTS": str(disk.path)}
    appliance.start()
    disk.set("fdatasync=HANG@ledger", "fsync=HANG@ledger")
    try:
        added = appliance.cli("station", "add", "line1", check=False, timeout=60)
        assert added.returncode == EX_UNAVAILABLE and added.stdout == ""
        assert "it may still take effect: look at `linesign station list`" in added.stderr
        status = appliance.status()
        assert not status["producing"] and names(status) == ["LedgerUnavailable"]
        assert "it does not answer" in appliance.cli("status", check=False, timeout=60).stdout
    finally:
        disk.clear()
    appliance.wait_producing()
    assert "invited" in appliance.cli("station", "list").stdout, "it did take effect"
    appliance.cli("station", "revoke", "line1")
    assert appliance.cli("station", "add", "line1").stdout.startswith("LSJ1.")


# --- the log ------------------------------------------------------------------------------------


def test_a_log_that_nobody_reads_stops_nothing(make_appliance):
    """The reader of the pipe hangs, as a journal does on a full disk."""
    appliance = make_appliance(config={"daemon": {"log_level": "debug"}})
    reader, writer = full_pipe()
    try:
        appliance.start(stderr=writer)
        token = appliance.join_token("press-1")
        for _ in range(20):
            assert enroll(token, csr.make("x", csr.new_key()), secret=b"wrong").failure.name
        assert appliance.status()["producing"]
        appliance.stop()
    finally:
        os.close(reader)
        os.close(writer)


def test_strangers_do_not_fill_the_log(appliance):
    token = appliance.join_token("press-1")
    request = csr.make("x", csr.new_key())
    for number in range(200):
        reply = enroll(token, request, secret=b"guess %d" % number)
        assert reply.failure.name == "TokenInvalid"
    appliance.stop()
    lines = [line for line in appliance.log.read_text().splitlines() if "TokenInvalid" in line]
    assert 0 < len(lines) <= 10, lines
    assert "enrolment rejected from=127.0.0.1" in lines[0]
