"""The appliance's clock jumps: no certificate leaves with a date that nobody vouches for."""

import contextlib
import glob
import sqlite3

import pytest

from support import csr
from support.appliance import EX_DATA, EX_OK
from support.raw_station import issue, messages

LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1"
DOUBTED, RESUMED, CONFIRMED = 1, 2, 3


def names(status):
    return [obstacle["error"]["name"] for obstacle in status["obstacles"]]


class Clock:
    """The calendar of one linesignd; its time since boot goes on as it does."""

    def __init__(self, appliance):
        self.file = appliance.folder / "faketime"
        self.set("+0")
        appliance.environment = {
            "LD_PRELOAD": glob.glob(LIBRARY)[0], "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def set(self, offset):
        new = self.file.with_suffix(".new")
        new.write_text(offset + "\n")
        new.rename(self.file)


@pytest.fixture(name="clocked")
def make_clocked(make_appliance):
    appliance = make_appliance(config={"hsm": {"signers": 1}})
    clock = Clock(appliance)
    appliance.start()
    return appliance, clock


def issued_of(station, prefix, count):
    """How many of so many requests get a certificate; the others are told to try later."""
    replies = []
    for i in range(count):
        device = f"{prefix}-{i}"
        replies.append(station.ask(issue(device, csr.make(device, csr.new_key()))).issue)
    assert {reply.status for reply in replies} <= {messages.STATUS_OK, messages.STATUS_TRY_LATER}
    return sum(reply.status == messages.STATUS_OK for reply in replies)


def kinds(appliance):
    """What the ledger recorded of the clock. linesignd must be stopped."""
    with contextlib.closing(sqlite3.connect(appliance.folder / "ledger/ledger.sqlite")) as db:
        return [kind for (kind,) in db.execute("SELECT kind FROM clock_event ORDER BY id")]


def test_nothing_leaves_after_a_jump_back_nor_after_a_restart(clocked):
    appliance, clock = clocked
    with appliance.open_station() as station:
        assert issued_of(station, "before", 3) == 3
        clock.set("-1h")
        assert issued_of(station, "back", 20) == 0
    assert names(appliance.status()) == ["ClockInDoubt"]
    appliance.stop()
    appliance.start(wait=False)
    appliance.wait_status(lambda each: names(each) == ["ClockInDoubt"], "it is still in doubt")
    clock.set("+0")
    appliance.wait_producing()
    with appliance.open_station() as station:
        assert issued_of(station, "after", 3) == 3
    appliance.stop()
    assert kinds(appliance) == [DOUBTED, RESUMED]


def test_how_far_ahead_a_start_may_be_is_configured(clocked):
    appliance, clock = clocked
    for offset, max_ahead, is_trusted in (("+40d", "60d", True), ("+50d", "5d", False)):
        appliance.stop()
        clock.set(offset)
        appliance.configure({"issuance": {"max_clock_ahead": max_ahead}})
        appliance.start(wait=False)
        if is_trusted:
            appliance.wait_producing()
            with appliance.open_station() as station:
                assert issued_of(station, "later", 1) == 1
        else:
            status = appliance.wait_status(lambda each: names(each) == ["ClockUnconfirmed"], "it asks")
            assert "max_clock_ahead in [issuance] is 5 days" in status["obstacles"][0]["error"]["detail"]
    appliance.stop()
    assert kinds(appliance) == [DOUBTED]


@pytest.mark.parametrize("days", [3650, 10914])
def test_nothing_leaves_after_a_jump_ahead_until_an_operator_confirms(clocked, days):
    appliance, clock = clocked
    with appliance.open_station() as station:
        assert issued_of(station, "before", 3) == 3
        clock.set(f"+{days}d")
        assert issued_of(station, "ahead", 20) == 0
    assert names(appliance.status()) == ["ClockUnconfirmed"]
    appliance.stop()
    appliance.start(wait=False)
    appliance.wait_status(lambda each: names(each) == ["ClockUnconfirmed"], "it is not confirmed")
    assert appliance.status()["ledger"]["certificates"] == 3

    # By mistake; and then the way back.
    appliance.cli("clock", "confirm")
    appliance.wait_producing()
    appliance.stop()
    clock.set("+0")
    appliance.start(wait=False)
    appliance.wait_status(lambda each: names(each) == ["ClockInDoubt"], "it is before the other")
    refused = appliance.cli("clock", "confirm", check=False)
    assert refused.returncode == EX_DATA and "--back" in refused.stderr
    confirmed = appliance.cli("clock", "confirm", "--back")
    assert confirmed.returncode == EX_OK and "confirmed" in confirmed.stdout
    appliance.wait_producing()
    for arguments in ((), ("--back",)):
        refused = appliance.cli("clock", "confirm", *arguments, check=False)
        assert refused.returncode == EX_DATA and "is not in doubt" in refused.stderr
    appliance.restart()
    with appliance.open_station() as station:
        assert issued_of(station, "after", 3) == 3
    appliance.stop()
    assert kinds(appliance) == [DOUBTED, CONFIRMED, DOUBTED, CONFIRMED]
