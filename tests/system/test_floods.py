"""Floods of connections, half requests and stations that hold what they get: others go on, and what
was refused is told and counted. Sources are addresses of the loopback network."""

import contextlib
import os
import resource
import signal
import socket
import time

import pytest

from support import csr
from support.appliance import EX_CONFIG, EX_UNAVAILABLE, program, wait_until
from support.flood import Flood
from support.raw_station import Closed, RawStation, fetch, frame, issue, messages, ping


def port_of(appliance):
    host, port = appliance.address.split(":")
    return host, int(port)


def connection_counts(appliance):
    return appliance.status()["connections"]


def is_welcome(appliance, folder, **options):
    try:
        with RawStation.open(folder, appliance.address, **options) as station:
            return station.ask(ping(7)).pong.nonce == 7
    except (OSError, Closed):
        return False


# --- the station port ---------------------------------------------------------------------------


def test_silent_connections_of_one_source_keep_no_station_out(appliance, long_run):
    folder = appliance.station()
    with Flood(port_of(appliance), 2300 if long_run else 400, ["127.0.0.2"]):
        wait_until(lambda: connection_counts(appliance)["dropped_handshakes"] > 0, "the flood runs")
        for _ in range(200 if long_run else 10):
            assert is_welcome(appliance, folder), "another source"
        tries = 40 if long_run else 8
        got_in = sum(is_welcome(appliance, folder, source="127.0.0.2") for _ in range(tries))
        assert got_in > tries / 2, "the source of the flood"
        status = appliance.status()
    assert status["producing"]
    assert status["connections"]["handshakes"] <= 128
    assert status["connections"]["failed_handshakes"] < 400, "they gave way, they did not fail"
    assert "handshakes dropped in a flood" in appliance.cli("status").stdout


def test_silent_connections_of_many_sources_keep_no_station_out(appliance, long_run):
    folder = appliance.station()
    sources = [f"127.0.1.{number}" for number in range(1, 101)]
    with Flood(port_of(appliance), 2300 if long_run else 700, sources):
        wait_until(lambda: connection_counts(appliance)["dropped_handshakes"] > 0, "the flood runs")
        for _ in range(200 if long_run else 10):
            assert is_welcome(appliance, folder)


def test_one_station_cannot_take_the_sessions_of_others(appliance):
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(appliance.open_station())
        for _ in range(2):
            refused = stack.enter_context(appliance.open_station(say_hello=False))
            reason = refused.receive().goodbye.reason
            assert (reason.name, reason.code) == ("SessionLimit", 118)
            assert reason.retry_after_ms > 0
        assert is_welcome(appliance, appliance.station("line2"))
        counts = connection_counts(appliance)
        assert (counts["stations_at_limit"], counts["session_limit"]) == (1, 2)
    wait_until(lambda: connection_counts(appliance)["stations_at_limit"] == 0, "they have left")
    assert is_welcome(appliance, appliance.station())


def test_a_full_appliance_says_busy_and_not_nothing(make_appliance):
    appliance = make_appliance(config={"stations": {"max_sessions": 1}}).start()
    with appliance.open_station(), appliance.open_station("line2", say_hello=False) as refused:
        reason = refused.receive().goodbye.reason
        assert reason.name == "Busy" and reason.retry_after_ms > 0
    assert connection_counts(appliance)["sessions_full"] == 1


def test_all_descriptors_of_stations_leave_enough_for_the_rest(make_appliance):
    limit = 256

    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, limit))

    appliance = make_appliance().start(preexec=lower)
    appliance.request("--generate", "5")
    assert "DescriptorLimit" in appliance.log_text() and "max_sessions = 2048" in appliance.log_text()
    assert connection_counts(appliance)["max_sessions"] < limit
    sources = [f"127.0.2.{number}" for number in range(1, 6)]
    with Flood(port_of(appliance), 2 * limit, sources), contextlib.ExitStack() as stack:
        for number in range(8):  # and stations, as many as there may be
            for _ in range(4):
                stack.enter_context(appliance.open_station(f"line{number + 2}"))
        wait_until(lambda: connection_counts(appliance)["dropped_handshakes"] > 0, "the flood runs")
        appliance.wait_all_ready()
        for pid in appliance.signer_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        appliance.wait_status(
            lambda status: all(each["state"] == "ready" and each["restarts"] > 0
                               for each in status["signers"]), "every signer is replaced")
        appliance.request("--generate", "5")
        assert connection_counts(appliance)["out_of_descriptors"] == 0


def test_check_config_warns_of_the_limit_of_open_files(make_appliance):
    appliance = make_appliance(config={"stations": {"max_sessions": 100000}})
    run = appliance.run(
        program("linesignd"), "--config", str(appliance.config_file), "--check-config",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)))
    assert "warning" in run.stdout and "max_sessions = 100000" in run.stdout
    run = appliance.run(
        program("linesignd"), "--config", str(appliance.config_file), "--check-config", check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
    assert run.returncode == EX_CONFIG and "DescriptorLimit" in run.stdout


def resident_mebibytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def settled_mebibytes(pid):
    """What it has when it takes no more."""
    def settled():
        before = resident_mebibytes(pid)
        time.sleep(1)
        after = resident_mebibytes(pid)
        return after if after - before < 1 else None
    return wait_until(settled, "it takes no more memory", 120)


def test_sessions_that_read_nothing_cost_bounded_memory(make_appliance, long_run):
    """Each has asked for 14 MiB of answers. At most 64 MiB wait for all of them."""
    count = 1500 if long_run else 40
    appliance = make_appliance(config={"stations": {"max_sessions_per_station": 1000}}).start()
    requests = frame(fetch("SN-1")) * 100
    with contextlib.ExitStack() as stack:
        station = stack.enter_context(appliance.open_station())
        assert station.issue("SN-1", csr.make("SN-1", csr.new_key())).status == messages.STATUS_OK
        before = resident_mebibytes(appliance.daemon.pid)
        for number in range(count):
            deaf = stack.enter_context(appliance.open_station(
                f"line{number // 750 + 2}", timeout=60, receive_bytes=4096))
            deaf.tls.setblocking(False)
            with contextlib.suppress(OSError):
                for _ in range(200):
                    deaf.send_raw(requests)
        assert station.ask(ping(1)).pong.nonce == 1
        growth = settled_mebibytes(appliance.daemon.pid) - before
        assert growth < min(count, 100 + count / 8), "MiB"


# --- the admin socket ---------------------------------------------------------------------------


def test_half_requests_do_not_hold_the_admin_socket(appliance):
    appliance.station()
    socket_path = str(appliance.folder / "admin.sock")
    with Flood(socket_path, 65, first_bytes=b"GET /v1/status HTTP/1.1\r\nHo"):
        for _ in range(5):
            appliance.cli("status", timeout=20)
        appliance.cli("station", "revoke", "line1", timeout=20)


@pytest.mark.parametrize("call", ["status", "station list", "station revoke line1", "clock confirm"])
def test_a_stopped_linesignd_is_named_after_5_seconds(appliance, call):
    appliance.daemon.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        run = appliance.cli(*call.split(), check=False, timeout=60)
        elapsed = time.monotonic() - started
    finally:
        appliance.daemon.send_signal(signal.SIGCONT)
    assert run.returncode == EX_UNAVAILABLE
    assert f"linesignd (pid {appliance.daemon.pid}) is stopped" in run.stderr
    assert "connected, but no answer for 5 s" in run.stderr
    assert 4.5 < elapsed < 30
    appliance.wait_producing()


# --- an orderly stop ----------------------------------------------------------------------------


def hold_signers(appliance):
    appliance.wait_all_ready()  # one that is stopped in its login keeps the others out
    for pid in appliance.signer_pids():
        os.kill(pid, signal.SIGSTOP)


def test_an_orderly_stop_answers_what_is_open_and_says_goodbye(make_appliance, check_ledger):
    appliance = make_appliance().start()
    with appliance.open_station(timeout=60) as station, \
            appliance.open_station("line2", timeout=60) as idle, \
            socket.create_connection(port_of(appliance)) as half:
        hold_signers(appliance)  # until sign_timeout replaces them
        request = issue("SN-1", csr.make("SN-1", csr.new_key()))
        station.send(request)
        wait_until(lambda: appliance.status()["in_flight"] == 1, "the request is in progress")
        appliance.daemon.send_signal(signal.SIGTERM)
        status = appliance.wait_status(lambda each: not each["producing"], "it drains")
        assert "Draining" in [each["error"]["name"] for each in status["obstacles"]]
        assert half.recv(1) == b"", "a half-done handshake is closed"
        late = idle.ask(issue("SN-2", csr.make("SN-2", csr.new_key()))).issue
        assert late.failure.name == "Draining" and late.failure.retry_after_ms > 0
        reply = station.receive().issue
        assert reply.status == messages.STATUS_OK
        idle.send_raw(b"".join([b"\x00\x00\x00\x04\x2a\x02\x08\x01"] * 1000))  # pings
        assert station.goodbye() == "Draining"
        assert idle.goodbye() == "Draining"
    assert appliance.daemon.wait(60) == 0
    appliance.daemon = None
    appliance.certs.mkdir()
    check_ledger(appliance)


def test_a_second_sigterm_hurries(make_appliance):
    appliance = make_appliance(config={"hsm": {"sign_timeout": "60s"},
                                       "daemon": {"drain_timeout": "10m"}}).start()
    with appliance.open_station() as station:
        hold_signers(appliance)
        station.send(issue("SN-1", csr.make("SN-1", csr.new_key())))
        wait_until(lambda: appliance.status()["in_flight"] == 1, "the request is in progress")
        appliance.daemon.send_signal(signal.SIGTERM)
        appliance.wait_status(lambda each: not each["producing"], "it drains")
        appliance.daemon.send_signal(signal.SIGTERM)
        assert station.goodbye() == "Draining"
    assert appliance.daemon.wait(30) == 0
    appliance.daemon = None
