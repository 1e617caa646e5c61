"""A CSR is checked before anything is written about it: what fails costs neither the ledger nor
other stations anything, and says nothing for ever about a device that is not finished."""

import contextlib
import json
import os
import signal
import threading

import pytest
from cryptography.hazmat.primitives import serialization

from support import csr
from support.appliance import wait_until
from support.modules import FAULTY
from support.raw_station import Closed, issue, messages


def signed_by_another_key(device):
    return csr.make(device, csr.new_key(), spki=csr.spki_of(csr.new_key()))


def flood(station, requests, names):
    """Sends the same requests again and again, and counts what it hears, until it is cut off."""
    with contextlib.suppress(Closed, OSError):
        while True:
            for request in requests:
                station.send(request)
            for _ in requests:
                message = station.receive()
                if message.HasField("goodbye"):
                    return
                name = message.issue.failure.name
                names[name] = names.get(name, 0) + 1


def test_wrong_proofs_write_nothing_and_take_nothing_from_others(make_appliance, check_ledger):
    appliance = make_appliance(config={"daemon": {"log_level": "info"}}).start()
    devices = [f"unit-{number}" for number in range(150)]
    wrong = [issue(device, signed_by_another_key(device)) for device in devices]
    heard = {}
    with appliance.open_station("bad") as bad, appliance.open_station("good") as good:
        flooding = threading.Thread(target=flood, args=(bad, wrong, heard))
        flooding.start()
        wait_until(lambda: heard.get("StationThrottled"), "the bad station is throttled")
        status = appliance.wait_status(lambda each: each["throttled"], "status says so")
        replies = [good.issue(device, csr.make(device, csr.new_key())) for device in devices]
        listed = json.loads(appliance.cli("station", "list", "--json").stdout)["stations"]
        appliance.cli("station", "revoke", "bad")
        flooding.join()
    assert {reply.status for reply in replies} == {messages.STATUS_OK}
    assert set(heard) == {"CsrProofWrong", "StationThrottled"}
    assert status["throttled"] == [{"name": "bad"}]
    refused = {each["name"]: each["refused"] for each in listed}
    assert refused["bad"] >= 100 and refused["good"] == 0
    ledger = appliance.status()["ledger"]
    assert (ledger["intents"], ledger["certificates"], ledger["voids"]) == (0, len(devices), 0)
    assert 1 <= appliance.log_text().count("station throttled station=bad") <= 10
    appliance.stop()
    check_ledger(appliance)


def test_the_keys_of_the_appliance_and_of_stations_are_reserved(make_appliance):
    appliance = make_appliance().start()
    credential = appliance.station()
    files = [*credential.glob("*.key"), *appliance.folder.glob("station-ca/*.key")]
    assert len(files) >= 3, "the station's, the station CA's and the server's"
    with appliance.open_station() as station:
        for number, file in enumerate(files):
            key = serialization.load_pem_private_key(file.read_bytes(), None)
            device = f"unit-{number}"
            assert station.issue(device, csr.make(device, key)).failure.name == "CsrKeyReserved"
    assert appliance.status()["ledger"]["certificates"] == 0


DEVICES = [f"unit-{number}" for number in range(20)]


@pytest.fixture
def hanging(make_appliance, monkeypatch):
    """One signer hangs in a signature, some after those of its start, and nobody ends it."""
    appliance = make_appliance(config={"hsm": {
        "module": str(FAULTY), "signers": 2, "start_timeout": "10m", "sign_timeout": "10m"}})
    marker = appliance.folder / "fault-is-used"
    monkeypatch.setenv("LINESIGN_FAULTS", f"C_Sign:6=hang@{marker}")
    appliance.start()
    appliance.wait_status(lambda each: all(one["state"] == "ready" for one in each["signers"]),
                          "all signers are ready")
    return appliance, marker


def test_another_signer_finishes_what_a_killed_one_has_checked(hanging, check_ledger):
    appliance, marker = hanging
    with appliance.open_station() as one, appliance.open_station("line2") as two:
        for device in DEVICES:
            one.send(issue(device, csr.make(device, csr.new_key())))
        wait_until(marker.exists, "a signer hangs between check and signature")
        assert appliance.status()["ledger"]["intents"] >= 1
        # What may yet fail says nothing for ever.
        others = [issue(device, csr.make(device, csr.new_key())) for device in DEVICES]
        names = {two.ask(other).issue.failure.name for other in others}
        assert "DeviceInProgress" in names and names <= {"DeviceInProgress", "DeviceExists"}
        for pid in appliance.signer_pids():
            os.kill(pid, signal.SIGKILL)
        assert {one.receive().issue.status for _ in DEVICES} == {messages.STATUS_OK}
        assert {two.ask(other).issue.failure.name for other in others} == {"DeviceExists"}
    appliance.stop()
    check_ledger(appliance)


def test_the_next_start_finishes_what_was_checked_and_not_signed(hanging, check_ledger):
    appliance, marker = hanging
    with appliance.open_station() as station:
        for device in DEVICES:
            station.send(issue(device, csr.make(device, csr.new_key())))
        wait_until(marker.exists, "a signer hangs between check and signature")
        assert appliance.status()["ledger"]["intents"] >= 1
        appliance.kill()
    appliance.start()
    ledger = appliance.wait_status(lambda each: each["ledger"]["intents"] == 0,
                                   "no intent is left")["ledger"]
    assert ledger["voids"] == 0 and ledger["certificates"] >= 1
    appliance.stop()
    check_ledger(appliance)
