"""What a station may not send as frames: each ends its own connection, and no other's."""

import os
import struct
import time

import pytest

from support import csr
from support.raw_station import Closed, frame, hello, issue, messages, ping

MAX_FRAME = 65536


@pytest.fixture(autouse=True)
def other_station_unaffected(shared):
    """A second station's session, open during every test, still works at its end."""
    other = shared.open_station("witness")
    yield
    key = csr.new_key()
    device = f"witness-{os.urandom(6).hex()}"
    assert other.issue(device, csr.make(device, key)).status == messages.STATUS_OK
    other.close()


def unknown_type():
    return b"\x7a\x02\x08\x01"  # field 15, length-delimited: no message that version 1 knows


@pytest.mark.parametrize("data, reason", [
    pytest.param(struct.pack(">I", 0), "FrameEmpty", id="length 0"),
    pytest.param(struct.pack(">I", 0xFFFFFFFF), "FrameTooLarge", id="length 4 GiB"),
    pytest.param(struct.pack(">I", MAX_FRAME + 1), "FrameTooLarge", id="one byte over the limit"),
    pytest.param(frame(b"\xff" * 40), "FrameMalformed", id="not a message"),
    pytest.param(frame(b"\x12\x20\x0a"), "FrameMalformed", id="a message that ends too early"),
    pytest.param(frame(unknown_type()), "MessageUnknown", id="unknown type"),
    pytest.param(frame(hello()), "HelloRepeated", id="second Hello"),
])
def test_a_broken_frame_ends_the_session_with_its_reason(shared, data, reason):
    with shared.open_station() as station:
        station.send_raw(data)
        assert station.goodbye() == reason


@pytest.mark.parametrize("message", [issue("early", b"x"), ping()], ids=["issue", "ping"])
def test_a_message_before_hello_ends_the_session(shared, message):
    with shared.open_station(say_hello=False) as station:
        station.send(message)
        assert station.goodbye() == "HelloExpected"


def test_no_common_version_ends_the_session(shared):
    with shared.open_station(say_hello=False) as station:
        station.send(hello(min_version=2, max_version=9))
        assert station.goodbye() == "VersionUnsupported"


def test_a_station_that_says_nothing_is_sent_away(shared):
    with shared.open_station(say_hello=False) as station:
        assert station.goodbye() == "HelloTimeout"


def test_the_largest_frame_is_read(shared):
    overhead = len(issue("too-large", b"x" * 60000).SerializeToString()) - 60000
    request = issue("too-large", b"x" * (MAX_FRAME - overhead))
    assert len(request.SerializeToString()) == MAX_FRAME
    with shared.open_station() as station:
        station.send(request)
        assert station.receive().issue.failure.name == "CsrTooLarge"
        assert station.ask(ping(7)).pong.nonce == 7  # a bad field does not end the session


def test_a_frame_cut_at_any_offset_and_dropped_does_no_harm(shared):
    data = frame(issue("cut-off", csr.make("cut-off", csr.new_key())))
    for end in range(1, len(data)):
        station = shared.open_station()
        station.send_raw(data[:end])
        station.close()
    with shared.open_station() as station:
        station.send_raw(data)
        assert station.receive().issue.status == messages.STATUS_OK


def test_a_frame_in_pieces_of_one_byte_is_read(shared):
    with shared.open_station() as station:
        for byte in frame(ping(99)):
            station.send_raw(bytes([byte]))
        assert station.receive().pong.nonce == 99


def test_one_byte_per_second_is_given_up(shared):
    with shared.open_station() as station:
        started = time.monotonic()
        data = frame(issue("slow", b"x" * 100))
        station.tls.settimeout(1)
        for byte in data[:12]:
            try:
                station.send_raw(bytes([byte]))
                assert station.goodbye() == "FrameTimeout"
                break
            except TimeoutError:
                continue
            except (Closed, OSError):
                pytest.fail("closed without a Goodbye")
        else:
            pytest.fail("a slow frame was never given up")
        assert time.monotonic() - started < 6


def test_of_10000_requests_over_the_window_every_one_is_answered(make_appliance):
    """Too many at once: some are signed, the rest is told BUSY with a time, nothing is lost."""
    appliance = make_appliance(config={"stations": {"window": 64}}).start()
    key = csr.new_key()
    one = csr.make("flood", key)
    requests = {}
    for number in range(10_000):
        device = "flood" if number == 0 else f"flood-{number}"
        message = issue(device, one if number == 0 else csr.make(device, key))
        requests[message.issue.request_id] = message
    data = b"".join(frame(message) for message in requests.values())
    statuses = {}
    with appliance.open_station() as station:
        station.send_while_receiving(data)
        while len(statuses) < len(requests):
            reply = station.receive().issue
            assert reply.request_id not in statuses, "answered twice"
            if reply.status == messages.STATUS_TRY_LATER:
                assert reply.failure.name in ("Busy", "DeviceInProgress")
                assert reply.failure.retry_after_ms > 0
            statuses[reply.request_id] = reply.failure.name or "ok"
        assert set(statuses) == set(requests)
        assert set(statuses.values()) <= {"ok", "Busy", "DeviceInProgress", "KeyExists"}
        # One key for all: exactly one device can ever have it.
        assert list(statuses.values()).count("ok") <= 1
        assert "Busy" in statuses.values()
        assert station.ask(ping(1)).pong.nonce == 1
