"""Signers that hang, are slow or are left behind, and causes that a person mends: how production
comes back."""

import contextlib
import os
import signal
import time

import pytest

from support import csr
from support.appliance import BIN, TOKEN_LABEL, is_alive, wait_until, writable

TESTS = BIN.parent / "tests"
FAULTY = TESTS / "contract" / "liblinesign_faulty_module.so"
SIMULATOR = TESTS / "liblinesign_hsm_simulator.so"
NEVER = "10m"  # a time that no test waits for


def names(status):
    return [each["error"]["name"] for each in status["obstacles"]]


def links(pid):
    """What the descriptors of a process are, by number."""
    folder, found = f"/proc/{pid}/fd", {}
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found[int(fd)] = os.readlink(f"{folder}/{fd}")
    return found


@pytest.fixture
def faulty(make_appliance, monkeypatch):
    """An appliance on the module that breaks calls; each fault hits one process only."""
    def make(fault, **hsm):
        appliance = make_appliance(config={"hsm": {
            "module": str(FAULTY), "signers": 2, "start_timeout": NEVER, "sign_timeout": NEVER,
            **hsm}})
        marker = appliance.folder / "fault-is-used"
        monkeypatch.setenv("LINESIGN_FAULTS", f"{fault}@{marker}")
        return appliance, marker
    return make


# --- what a signer gets ---------------------------------------------------------------------------


def test_a_signer_gets_nothing_of_its_daemon_but_its_socket(make_appliance):
    appliance = make_appliance(config={"hsm": {"signers": 4}}).start()
    with appliance.open_station():
        for _ in range(5):  # while the daemon accepts and waits on its sockets
            for pid in appliance.signer_pids():
                os.kill(pid, signal.SIGKILL)
            appliance.wait_status(
                lambda each: all(one["state"] == "ready" for one in each["signers"]),
                "all signers are back")
            daemon = links(appliance.daemon.pid)
            for pid in appliance.signer_pids():
                given = links(pid)
                assert given.pop(0) == "/dev/null"
                assert given.pop(1) == given.pop(2) == str(appliance.log)
                assert given.pop(3).startswith("socket:")
                assert not set(given.values()) & set(daemon.values()), given
                assert not [each for each in given.values() if ":" in each], given


# --- orphans --------------------------------------------------------------------------------------


def test_a_hanging_signer_does_not_outlive_its_daemon(appliance, check_ledger):
    appliance.request("--generate", "5")
    hanging = appliance.signer_pids()
    for pid in hanging:
        os.kill(pid, signal.SIGSTOP)
    appliance.kill()
    wait_until(lambda: not any(map(is_alive, hanging)), "no signer outlives its daemon")
    appliance.start()
    appliance.request("--generate", "10")
    appliance.stop()
    check_ledger(appliance)


@pytest.mark.parametrize("is_stopped", [False, True], ids=["by itself", "by its successor"])
def test_an_orphan_that_hangs_in_its_login_is_ended(faulty, is_stopped):
    appliance, marker = faulty("C_Login:1=hang")
    appliance.start(wait=False)
    wait_until(marker.exists, "a signer hangs in C_Login")
    pids = wait_until(appliance.signer_pids, "it is there")
    if is_stopped:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
    appliance.kill()
    appliance.start()
    wait_until(lambda: not any(map(is_alive, pids)), "the orphans are gone")
    if is_stopped:
        assert "a signer without its linesignd; it was ended" in appliance.log_text()


def test_a_stranger_with_the_login_lock_is_named(make_appliance):
    import fcntl
    appliance = make_appliance()
    with (appliance.folder / "signer-login.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        appliance.start(wait=False)
        holder = f"signer-login.lock is held by process {os.getpid()} "
        appliance.wait_status(
            lambda each: any(holder in one["error"]["detail"] for one in each["obstacles"]),
            "the holder is named")
        assert holder in appliance.cli("status", check=False).stdout
    appliance.wait_producing()


# --- starts that hang -----------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["C_Initialize", "C_OpenSession", "C_FindObjectsInit", "C_Sign"])
def test_a_start_that_hangs_holds_up_nobody(faulty, call):
    appliance, marker = faulty(f"{call}:1=hang")
    appliance.start()
    assert marker.exists()
    appliance.request("--generate", "3")


# --- a slow HSM -----------------------------------------------------------------------------------


def test_a_slow_hsm_is_not_taken_for_a_dead_one(make_appliance, check_ledger, monkeypatch):
    monkeypatch.setenv("LINESIGN_SIMULATED_SIGN_US", "700000")
    appliance = make_appliance(config={"hsm": {"module": str(SIMULATOR), "sign_timeout": "2s"},
                                       "daemon": {"log_level": "info"}}).start()
    appliance.request("--generate", "12")
    status = appliance.status()
    assert [each["restarts"] for each in status["signers"]] == [0, 0], appliance.log_tail()
    appliance.stop()
    assert "HSM speed ms_per_signature=" in appliance.log_text()
    check_ledger(appliance)


def test_a_signature_near_the_timeout_is_warned_of(make_appliance, monkeypatch):
    monkeypatch.setenv("LINESIGN_SIMULATED_SIGN_US", "600000")
    appliance = make_appliance(config={"hsm": {"module": str(SIMULATOR), "sign_timeout": "1100ms"},
                                       "daemon": {"log_level": "info"}}).start()
    wait_until(lambda: "the HSM is slow ms_per_signature=" in appliance.log_text(),
               "the log says so")


# --- what a person mends --------------------------------------------------------------------------


def token_folder(appliance):
    return next(path for path in (appliance.folder / "tokens").iterdir() if path.is_dir())


def test_a_token_that_is_put_back_is_used_at_once(appliance):
    appliance.request("--generate", "2")
    token = token_folder(appliance)
    writable(token.parent)
    away = appliance.folder / "away"
    token.rename(away)
    for pid in appliance.signer_pids():
        os.kill(pid, signal.SIGKILL)
    appliance.wait_status(lambda each: "HsmTokenNotFound" in names(each), "the token is missed")
    time.sleep(2)  # it is looked for again and again
    away.rename(token)
    appliance.wait_producing()
    appliance.request("--generate", "4")
    text = appliance.log_text()
    assert text.count("HsmTokenNotFound") < 10, "each look is a line of the log"
    assert TOKEN_LABEL in text


def test_a_pin_file_that_is_mended_is_read_at_once(make_appliance):
    appliance = make_appliance()
    pin = appliance.folder / "pin"
    pin.chmod(0o644)
    appliance.start(wait=False)
    appliance.wait_status(lambda each: "HsmPinFile" in names(each), "the PIN file is missed")
    pin.chmod(0o400)
    appliance.wait_producing()


def test_stations_are_told_to_return_within_a_second(make_appliance):
    from support.raw_station import issue
    appliance = make_appliance(config={"hsm": {"token_label": "no-such-token"}}).start(wait=False)
    appliance.wait_status(lambda each: "HsmTokenNotFound" in names(each), "the token is missed")
    with appliance.open_station() as station:
        reply = station.ask(issue("unit-1", csr.make("unit-1", csr.new_key()))).issue
    assert 0 < reply.failure.retry_after_ms <= 1000
