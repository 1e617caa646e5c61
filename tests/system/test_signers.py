"""Signers that hang, are slow or are left behind, and causes that a person mends: how production
comes back."""

import contextlib
import os
import signal
import time

import pytest

from support import csr
from support.appliance import PIN, TOKEN_LABEL, is_alive, wait_until, writable
from support.modules import FAULTY, SIMULATOR, token_folder

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
            appliance.wait_all_ready()
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
    appliance.wait_all_ready()  # one that is stopped in its login ends later, by its successor
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
    appliance.environment = {"LINESIGN_FAULTS": ""}
    appliance.start()  # the token has accepted the PIN before
    appliance.kill()
    appliance.environment = {}
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


def test_a_token_that_is_put_back_is_used_at_once(appliance):
    appliance.request("--generate", "2")
    token = token_folder(appliance.folder)
    writable(token.parent)
    away = appliance.folder / "away"
    token.rename(away)
    for pid in appliance.signer_pids():
        os.kill(pid, signal.SIGKILL)
    appliance.wait_status(lambda each: "HsmTokenNotFound" in names(each), "the token is missed")
    time.sleep(2)  # it is looked for again and again
    mended = time.monotonic()
    away.rename(token)
    appliance.wait_resumed(mended)
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
    time.sleep(2)  # it is looked at again and again
    mended = time.monotonic()
    pin.chmod(0o400)
    appliance.wait_resumed(mended)


def test_stations_are_told_to_return_within_a_second(make_appliance):
    from support.raw_station import issue
    appliance = make_appliance(config={"hsm": {"token_label": "no-such-token"}}).start(wait=False)
    appliance.wait_status(lambda each: "HsmTokenNotFound" in names(each), "the token is missed")
    with appliance.open_station() as station:
        reply = station.ask(issue("unit-1", csr.make("unit-1", csr.new_key()))).issue
    assert 0 < reply.failure.retry_after_ms <= 1000


# --- an HSM that signs wrongly --------------------------------------------------------------------


def flip(monkeypatch, make_appliance, which, **hsm):
    monkeypatch.setenv("LINESIGN_FAULTS", f"C_Sign:{which}=flip")
    return make_appliance(config={"hsm": {"module": str(FAULTY), **hsm}})


def wrong_signatures(status):
    return [each["wrong_signatures"] for each in status["signers"]]


def test_one_wrong_signature_is_counted_and_given_to_nobody(make_appliance, monkeypatch,
                                                            check_ledger):
    appliance = flip(monkeypatch, make_appliance, "4")
    monkeypatch.setenv("LINESIGN_FAULTS", f"C_Sign:4=flip@{appliance.folder / 'used'}")
    appliance.start()
    appliance.request("--generate", "20")
    status = appliance.status()
    assert sum(wrong_signatures(status)) == 1
    assert all(each["quarantined_since"] is None for each in status["signers"])
    assert " 1 wrong, " in appliance.cli("status").stdout
    assert "its wrong signature number 1" in appliance.log_text()
    appliance.stop()
    check_ledger(appliance)


def test_a_signer_that_signs_wrongly_twice_is_quarantined_and_the_others_go_on(
        make_appliance, monkeypatch, check_ledger):
    appliance = flip(monkeypatch, make_appliance, "1")
    used = appliance.folder / "used"
    # Three for two signers: one of them gets two, the other one.
    monkeypatch.setenv("LINESIGN_FAULTS",
                       " ".join(f"C_Sign:1=flip@{used}-{i}" for i in range(3)))
    appliance.start()
    status = appliance.wait_status(
        lambda each: sorted(wrong_signatures(each)) == [1, 2] and each["producing"],
        "a quarantine")
    bad = next(each for each in status["signers"] if each["state"] == "quarantined")
    assert bad["wrong_signatures"] == 2 and bad["quarantined_since"] and bad["pid"] == 0
    appliance.request("--generate", "5")
    text = appliance.cli("status").stdout
    assert "is quarantined since " in text and "`linesign hsm trust` ends it" in text
    assert "HsmKeyMismatch" not in appliance.log_text(), "the key is the right one"
    appliance.restart()
    assert "quarantined" in [each["state"] for each in appliance.status()["signers"]]
    assert "1 of the signers" in appliance.cli("hsm", "trust").stdout
    appliance.wait_all_ready()
    appliance.stop()
    check_ledger(appliance)


def test_an_hsm_that_lies_stops_the_ca_until_a_person_trusts_it(make_appliance, monkeypatch):
    appliance = flip(monkeypatch, make_appliance, "1-1000000", signers=4).start(wait=False)
    status = appliance.wait_status(lambda each: "HsmNotTrusted" in names(each), "no trust")
    assert sorted(wrong_signatures(status))[2:] == [2, 2], "two of two signers, and then no more"
    text = appliance.cli("status", check=False).stdout
    assert "519 HsmNotTrusted" in text and "linesign hsm trust" in text
    monkeypatch.delenv("LINESIGN_FAULTS")
    appliance.stop()
    appliance.start(wait=False)
    appliance.wait_status(lambda each: "HsmNotTrusted" in names(each), "a restart forgets nothing")
    assert "2 of the signers" in appliance.cli("hsm", "trust").stdout
    appliance.wait_producing()
    appliance.request("--generate", "2")


# --- PIN tries ------------------------------------------------------------------------------------


@pytest.fixture
def counted(make_appliance, monkeypatch):
    """An appliance on a token that locks after three wrong PINs and counts every C_Login."""
    appliance = make_appliance(config={"hsm": {"module": str(SIMULATOR)}})
    tries = appliance.folder / "tries"
    monkeypatch.setenv("LINESIGN_SIMULATED_PIN_TRIES", "3")
    monkeypatch.setenv("LINESIGN_SIMULATED_PIN_FILE", str(tries))
    return appliance, lambda: [int(word) for word in tries.read_text().split()]


def write_pin(appliance, pin):
    file = appliance.folder / "pin"
    file.chmod(0o600)
    file.write_text(pin + "\n")


def test_a_wrong_pin_is_tried_once_over_all_restarts(counted):
    appliance, tries = counted
    write_pin(appliance, "wrong-pin")
    for _ in range(4):
        appliance.start(wait=False)
        appliance.wait_status(lambda each: "HsmPinRefused" in names(each), "the PIN is refused")
        appliance.kill()
    assert tries() == [1, 1]
    write_pin(appliance, PIN)
    appliance.start()
    appliance.stop()
    assert tries()[0] == 0


def test_a_daemon_that_is_killed_at_any_time_of_its_start_comes_back(counted):
    appliance, _ = counted
    appliance.start()
    for milliseconds in range(0, 200, 25):
        appliance.kill()
        appliance.start(wait=False)
        time.sleep(milliseconds / 1000)
    appliance.wait_producing()


def test_a_pin_memory_that_cannot_be_read_stops_nothing_after_it_is_removed(counted):
    appliance, tries = counted
    appliance.start()
    appliance.stop()
    memory = next((appliance.folder / "station-ca" / "pin-memory").iterdir())
    memory.write_text("damaged")
    (appliance.folder / "tries").write_text("0 0\n")
    appliance.start(wait=False)
    status = appliance.wait_status(lambda each: "Io" in names(each), "the memory is damaged")
    assert f"{memory} cannot be understood" in str(status["obstacles"])
    assert tries() == [0, 0]
    memory.unlink()
    appliance.wait_producing()


def test_a_signer_that_waits_for_a_pin_sees_that_its_memory_is_another_file(counted):
    appliance, _ = counted
    appliance.start(wait=False)
    appliance.wait_producing()
    appliance.stop()
    write_pin(appliance, "wrong-pin")
    appliance.start(wait=False)
    appliance.wait_status(lambda each: "HsmPinRefused" in names(each), "the PIN is refused")
    next((appliance.folder / "station-ca" / "pin-memory").iterdir()).unlink()
    write_pin(appliance, PIN)
    appliance.cli("doctor", "--try-pin")
    appliance.wait_producing()


def let_the_pause_pass(memory):
    """The time of the last try becomes an earlier one."""
    text = memory.read_text()
    word, pin_hash, at, unknown = next(
        line for line in text.splitlines() if line.startswith("accepted ")).split()
    earlier = f"{word} {pin_hash} {int(at) - 600} {unknown}"
    with memory.open("r+") as file:
        file.write(text.replace(f"{word} {pin_hash} {at} {unknown}", earlier))


def test_logins_that_hang_are_tried_again_by_themselves(make_appliance, monkeypatch, check_ledger):
    appliance = make_appliance(config={"hsm": {"module": str(FAULTY), "signers": 1,
                                               "start_timeout": "2s"}}).start()
    appliance.request("--generate", "2")
    appliance.stop()
    used = appliance.folder / "used"
    monkeypatch.setenv("LINESIGN_FAULTS", " ".join(f"C_Login:1=hang@{used}-{i}" for i in range(4)))
    appliance.start(wait=False)
    status = appliance.wait_status(
        lambda each: any("the next try is at " in one["error"]["detail"] for one in each["obstacles"]),
        "the pause", timeout=60)
    assert "HsmPinRefused" not in names(status), "the token has not answered"
    text = appliance.cli("status", check=False).stdout
    assert "512 SignerTimeout" in text and "the token did not answer the last 3 logins" in text
    memory = next((appliance.folder / "station-ca" / "pin-memory").iterdir())
    let_the_pause_pass(memory)
    wait_until(lambda: "the last 4 logins" in str(appliance.status()["obstacles"]), "one more hangs",
               60)
    let_the_pause_pass(memory)
    appliance.wait_producing()
    appliance.request("--generate", "2")
    appliance.stop()
    check_ledger(appliance)


def test_the_last_try_is_left_to_an_operator(counted):
    appliance, tries = counted
    (appliance.folder / "tries").write_text("2 0\n")
    appliance.start(wait=False)
    appliance.wait_status(lambda each: "HsmPinFinalTry" in names(each), "the last try is kept")
    assert tries() == [2, 0]
    assert "linesign doctor --try-pin" in appliance.cli("status", check=False).stdout
    appliance.cli("doctor", check=False)
    assert tries() == [2, 0]
    appliance.cli("doctor", "--try-pin", check=False)
    assert tries()[0] == 0
    appliance.wait_producing()


def test_a_wrong_pin_that_somebody_entered_is_shown(counted):
    appliance, _ = counted
    (appliance.folder / "tries").write_text("1 0\n")
    appliance.start()
    assert "CKF_USER_PIN_COUNT_LOW" in appliance.status()["pin_warning"]
    assert "CKF_USER_PIN_COUNT_LOW" in appliance.cli("status").stdout
    assert "CKF_USER_PIN_COUNT_LOW" in appliance.log_text()
