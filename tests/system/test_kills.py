"""kill -9 at random moments of a running lot: afterwards client and ledger agree, nothing is twice,
no intent is without an end."""

import contextlib
import os
import random
import signal
import time

import pytest

from support.appliance import is_alive, wait_until

SEED = int(os.environ.get("LINESIGN_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)


@pytest.fixture
def kills(long_run):
    print(f"LINESIGN_KILL_SEED={SEED}")
    random.seed(SEED)
    return 200 if long_run else 50


def lot_in_small_pieces(make_appliance):
    return make_appliance(config={"daemon": {"log_level": "info"},
                                  "stations": {"window": 64}}).start()


def check_all(appliance, lot, check_ledger):
    assert len(appliance.certificates()) == lot
    status = appliance.wait_status(
        lambda each: each["producing"] and each["ledger"]["intents"] == 0, "no intent is left")
    assert status["ledger"]["certificates"] == lot
    appliance.stop()
    check_ledger(appliance)


def run_with_kills(appliance, kills, kill_one):
    """Runs lots, one after the other, until `kills` kills have hit a running one."""
    lot, killed = 0, 0
    while killed < kills:
        lot += 2000
        client = appliance.start_request("--generate", str(lot))
        while killed < kills:
            time.sleep(random.uniform(0.01, 0.25))
            if client.poll() is not None:
                break
            kill_one()
            killed += 1
        assert client.wait(120) == 0, appliance.client_log()
    return lot


def test_a_lot_survives_its_signers(make_appliance, check_ledger, kills):
    appliance = lot_in_small_pieces(make_appliance)
    appliance.station()

    def kill_signer():
        pids = wait_until(appliance.signer_pids, "a signer is there")
        with contextlib.suppress(ProcessLookupError):
            os.kill(random.choice(pids), signal.SIGKILL)

    lot = run_with_kills(appliance, kills, kill_signer)
    assert sum(each["restarts"] for each in appliance.status()["signers"]) >= kills / 2
    check_all(appliance, lot, check_ledger)


def test_a_lot_survives_the_daemon(make_appliance, check_ledger, kills):
    appliance = lot_in_small_pieces(make_appliance)
    appliance.station()

    def kill_daemon():
        appliance.kill()
        appliance.start()

    lot = run_with_kills(appliance, kills, kill_daemon)
    check_all(appliance, lot, check_ledger)


def test_a_lot_survives_its_client(make_appliance, check_ledger, kills):
    appliance = lot_in_small_pieces(make_appliance)
    appliance.station()
    lot = 300 * kills
    killed = 0
    while True:
        client = appliance.start_request("--generate", str(lot))
        with contextlib.suppress(Exception):
            client.wait(random.uniform(0.05, 0.35))
        if killed == kills or client.poll() is not None:
            break
        client.kill()
        client.wait()
        killed += 1
    assert client.wait(180) == 0, appliance.client_log()
    assert killed > 0
    # Keys that were made before a kill are used again: not one certificate too many.
    check_all(appliance, lot, check_ledger)


def test_a_hanging_signer_is_replaced(make_appliance, check_ledger):
    appliance = make_appliance(config={"hsm": {"sign_timeout": "500ms", "signers": 2}}).start()
    appliance.station()
    client = appliance.start_request("--generate", "2000")
    wait_until(appliance.certificates, "the lot runs")
    stopped = appliance.signer_pids()[0]
    os.kill(stopped, signal.SIGSTOP)
    assert client.wait(60) == 0, appliance.client_log()
    wait_until(lambda: stopped not in appliance.signer_pids(), "the hanging signer is gone")
    check_all(appliance, 2000, check_ledger)


def test_after_a_kill_of_everything_the_next_certificate_comes_soon(appliance):
    appliance.request("--generate", "10")
    for pid in appliance.signer_pids():
        os.kill(pid, signal.SIGKILL)
    appliance.kill()
    started = time.monotonic()
    appliance.start()
    appliance.request("--generate", "11")
    assert time.monotonic() - started < 10
    assert appliance.status()["ledger"]["certificates"] == 11


def test_signers_end_with_their_daemon(appliance):
    pids = appliance.signer_pids()
    appliance.kill()

    def all_gone():
        return not any(is_alive(pid) for pid in pids)

    wait_until(all_gone, "no signer outlives its daemon")


def test_the_token_is_the_same_after_all_kills(appliance):
    """The signers cannot write the token, so no kill at any moment can empty it."""
    def contents():
        return {path: path.read_bytes() for path in (appliance.folder / "tokens").rglob("*")
                if path.is_file()}
    before = contents()
    for _ in range(5):
        for pid in appliance.signer_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    appliance.wait_producing()
    appliance.request("--generate", "3")
    assert contents() == before
