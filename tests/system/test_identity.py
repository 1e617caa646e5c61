"""One identity per device and per key, and the same answer to the same request, for ever."""

import os

from support import csr
from support.raw_station import fetch, messages


def device_name():
    return f"unit-{os.urandom(6).hex()}"


def test_the_same_request_gets_the_same_bytes_over_restarts(make_appliance):
    appliance = make_appliance().start()
    device, request_id = "unit-7", os.urandom(16)
    request = csr.make(device, csr.new_key())
    with appliance.open_station() as station:
        first = station.issue(device, request, request_id=request_id)
        again = station.issue(device, request, request_id=request_id)
    assert first.status == messages.STATUS_OK
    appliance.restart()
    with appliance.open_station() as station:
        after_restart = station.issue(device, request, request_id=request_id)
    appliance.kill()
    appliance.start()
    with appliance.open_station() as station:
        after_kill = station.issue(device, request, request_id=request_id)
        fetched = station.ask(fetch(device)).issue
    for reply in (again, after_restart, after_kill, fetched):
        assert reply.status == messages.STATUS_OK
        assert reply.certificate_der == first.certificate_der
    assert appliance.status()["ledger"]["certificates"] == 1


def test_the_same_request_from_another_station_gets_the_same_bytes(shared):
    device, request_id = device_name(), os.urandom(16)
    request = csr.make(device, csr.new_key())
    with shared.open_station() as one, shared.open_station("line2") as two:
        first = one.issue(device, request, request_id=request_id)
        second = two.issue(device, request, request_id=request_id)
    assert first.status == second.status == messages.STATUS_OK
    assert first.certificate_der == second.certificate_der


def test_the_same_request_twice_in_flight_makes_one_certificate(shared):
    device, request_id = device_name(), os.urandom(16)
    request = csr.make(device, csr.new_key())
    from support.raw_station import issue
    with shared.open_station() as station:
        for _ in range(20):
            station.send(issue(device, request, request_id=request_id))
        replies = [station.receive().issue for _ in range(20)]
    good = [reply for reply in replies if reply.status == messages.STATUS_OK]
    assert good and len({reply.certificate_der for reply in good}) == 1
    assert all(reply.status != messages.STATUS_REFUSED for reply in replies)


def test_the_same_request_id_with_other_bytes_is_a_conflict(shared):
    request_id = os.urandom(16)
    one, two = device_name(), device_name()
    with shared.open_station() as station:
        assert station.issue(one, csr.make(one, csr.new_key()),
                             request_id=request_id).status == messages.STATUS_OK
        for device in (two, one):
            reply = station.issue(device, csr.make(device, csr.new_key()), request_id=request_id)
            assert reply.status == messages.STATUS_REFUSED
            assert reply.failure.name == "RequestConflict"


def test_the_same_device_with_another_key_is_refused(shared):
    device = device_name()
    with shared.open_station() as station:
        assert station.issue(device, csr.make(device, csr.new_key())).status == messages.STATUS_OK
        reply = station.issue(device, csr.make(device, csr.new_key()))
    assert reply.status == messages.STATUS_REFUSED
    assert reply.failure.name == "DeviceExists"


def test_the_same_key_for_another_device_is_refused(shared):
    key, one, two = csr.new_key(), device_name(), device_name()
    with shared.open_station() as station:
        assert station.issue(one, csr.make(one, key)).status == messages.STATUS_OK
        reply = station.issue(two, csr.make(two, key))
    assert reply.status == messages.STATUS_REFUSED
    assert reply.failure.name == "KeyExists"


def test_two_stations_at_once_make_one_certificate_of_a_device(shared):
    from support.raw_station import issue
    devices = [device_name() for _ in range(100)]
    with shared.open_station() as one, shared.open_station("line2") as two:
        for device in devices:
            one.send(issue(device, csr.make(device, csr.new_key())))
            two.send(issue(device, csr.make(device, csr.new_key())))
        replies = [station.receive().issue for station in (one, two) for _ in devices]
        names = [reply.failure.name or "ok" for reply in replies]
        assert names.count("ok") == len(devices)
        # Who came second hears that it is not decided yet, or, when it is, that it is for ever.
        assert set(names) <= {"ok", "DeviceExists", "DeviceInProgress"}
        for device in devices:
            assert one.issue(device, csr.make(device, csr.new_key())).failure.name == "DeviceExists"


def test_an_unknown_order_is_refused(shared):
    device = device_name()
    with shared.open_station() as station:
        reply = station.issue(device, csr.make(device, csr.new_key()), order_id="no-such-order")
    assert reply.failure.name == "OrderUnknown"


def test_a_device_without_a_certificate_cannot_be_fetched(shared):
    with shared.open_station() as station:
        assert station.ask(fetch(device_name())).issue.failure.name == "DeviceUnknown"


def test_a_device_confirms_its_own_certificate_only(shared):
    import hashlib
    device = device_name()
    with shared.open_station() as station:
        reply = station.issue(device, csr.make(device, csr.new_key()))
        message = messages.ToAppliance()
        message.confirm.request_id = os.urandom(16)
        message.confirm.order_id = "default"
        message.confirm.device_id = device
        message.confirm.proof = bytes(32)
        assert station.ask(message).confirm.status == messages.STATUS_REFUSED
        message.confirm.proof = hashlib.sha256(reply.certificate_der).digest()
        for _ in range(2):
            assert station.ask(message).confirm.status == messages.STATUS_OK
