"""How a station comes and goes: one-time tokens, revocation."""

import base64
import hashlib
import json
import stat
import threading
import time

import pytest

from support import csr
from support.appliance import EX_NOPERM, EX_UNAVAILABLE, program
from support.raw_station import JoinToken, RawStation, enroll, messages, tls_context


def test_enrolment_makes_the_key_at_the_station(shared):
    folder = shared.station("fresh")
    key = folder / "station.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o400
    for name in ("station.pem", "appliance-ca.pem", "appliance.toml"):
        assert (folder / name).exists()
    listed = json.loads(shared.cli("station", "list", "--json").stdout)
    stations = listed["stations"] if isinstance(listed, dict) else listed
    assert [each["state"] for each in stations if each["name"] == "fresh"] == ["active"]


def test_a_token_works_once(shared):
    token = shared.join_token("once")
    assert enroll(token, csr.make("x", csr.new_key())).status == messages.STATUS_OK
    reply = enroll(token, csr.make("x", csr.new_key()))
    assert reply.status == messages.STATUS_REFUSED
    assert reply.failure.name == "TokenUsed"
    assert reply.certificate_der == b""


def test_the_same_key_with_the_same_token_gets_its_certificate_again(shared):
    """The station lost the answer; it has nothing but its key and the token."""
    token, request = shared.join_token("lost-answer"), csr.make("x", csr.new_key())
    first, second = enroll(token, request), enroll(token, request)
    assert first.status == second.status == messages.STATUS_OK
    assert first.certificate_der == second.certificate_der


def test_two_at_the_same_instant_with_one_token_make_one_station(shared):
    for attempt in range(10):
        token = shared.join_token(f"race-{attempt}")
        barrier, replies = threading.Barrier(4), []

        def use(token=token, barrier=barrier, replies=replies):
            request = csr.make("x", csr.new_key())
            barrier.wait()
            replies.append(enroll(token, request))

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        outcomes = sorted(reply.failure.name or "ok" for reply in replies)
        assert outcomes == ["TokenUsed"] * 3 + ["ok"]


def test_an_expired_token_is_refused(make_appliance):
    appliance = make_appliance(config={"stations": {"token_lifetime": "1s"}}).start()
    token = appliance.join_token("late")
    time.sleep(max(0, JoinToken(token).expires_at - time.time()) + 1.1)
    assert enroll(token, csr.make("x", csr.new_key())).failure.name == "TokenExpired"
    run = appliance.run(program("linesign-station"), "enroll", token, "--dir",
                        str(appliance.folder / "late"), check=False)
    assert run.returncode == EX_NOPERM
    assert not (appliance.folder / "late" / "station.pem").exists()


def test_the_ledger_keeps_no_join_secret(shared):
    token = shared.join_token("secret-of-its-own").removeprefix("LSJ1.")
    secret = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[41:73]
    written = b"".join(path.read_bytes() for path in (shared.folder / "ledger").iterdir())
    assert hashlib.sha256(secret).digest() in written
    assert secret not in written


@pytest.mark.parametrize("secret", [b"x" * 32, b"\0" * 32, b"y"], ids=["wrong", "zero", "short"])
def test_a_made_up_secret_is_refused(shared, secret):
    token = shared.join_token(f"made-up-{secret[:1].hex()}-{len(secret)}")
    reply = enroll(token, csr.make("x", csr.new_key()), secret=secret)
    assert reply.failure.name == "TokenInvalid"


@pytest.mark.parametrize("change", ["", "LSJ1.", "LSJ1.!!!!", "LSJ2.AAAA", "x" * 600])
def test_garbage_is_no_token(shared, change, tmp_path):
    run = shared.run(program("linesign-station"), "enroll", change or "x", "--dir",
                     str(tmp_path / "garbage"), check=False)
    assert run.returncode == EX_NOPERM
    assert "TokenInvalid" in run.stdout + run.stderr


def test_an_appliance_with_another_fingerprint_gets_no_secret(shared, tmp_path):
    token = shared.join_token("impostor")
    body = token.removeprefix("LSJ1.")
    raw = bytearray(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    raw[9] ^= 1
    changed = "LSJ1." + base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    run = shared.run(program("linesign-station"), "enroll", changed, "--dir",
                     str(tmp_path / "impostor"), check=False)
    assert run.returncode == EX_NOPERM
    assert "PeerNotTrusted" in run.stdout + run.stderr
    # The secret did not leave: the token is still good.
    assert enroll(token, csr.make("x", csr.new_key())).status == messages.STATUS_OK


def test_a_station_csr_with_a_wrong_proof_is_refused(shared):
    token = shared.join_token("no-proof")
    wrong = csr.make("x", csr.new_key(), spki=csr.spki_of(csr.new_key()))
    assert enroll(token, wrong).failure.name == "CsrProofWrong"
    assert enroll(token, csr.make("x", csr.new_key())).status == messages.STATUS_OK


def test_revocation_cuts_a_live_session(shared):
    folder = shared.station("leaving")
    station = RawStation.open(folder, shared.address)
    started = time.monotonic()
    shared.cli("station", "revoke", "leaving")
    assert station.goodbye() == "StationRevoked"
    assert time.monotonic() - started < 5
    station.close()
    again = RawStation(shared.address, tls_context(
        folder / "appliance-ca.pem", folder / "station.pem", folder / "station.key"))
    assert again.goodbye() == "StationRevoked"
    again.close()


def test_a_revoked_station_stays_revoked_over_a_restart(make_appliance):
    appliance = make_appliance().start()
    folder = appliance.station("gone")
    appliance.cli("station", "revoke", "gone")
    appliance.restart()
    station = RawStation(appliance.address, tls_context(
        folder / "appliance-ca.pem", folder / "station.pem", folder / "station.key"))
    assert station.goodbye() == "StationRevoked"
    station.close()


def test_the_name_of_a_revoked_station_is_free_again(shared):
    shared.station("phoenix")
    run = shared.cli("station", "add", "phoenix", check=False)
    assert run.returncode == 65 and "StationExists" in run.stdout + run.stderr
    shared.cli("station", "revoke", "phoenix")
    token = shared.join_token("phoenix")
    assert enroll(token, csr.make("x", csr.new_key())).status == messages.STATUS_OK


@pytest.mark.parametrize("name", ["", "a/b", "-x", "a" * 65, "a b"])
def test_a_bad_station_name_is_refused(shared, name):
    run = shared.cli("station", "add", "--", name, check=False)
    assert run.returncode in (64, 65)


def test_an_unknown_station_cannot_be_revoked(shared):
    run = shared.cli("station", "revoke", "nobody", check=False)
    assert run.returncode == 65 and "StationNotFound" in run.stdout + run.stderr


def test_a_second_enrolment_into_a_folder_needs_force(shared):
    folder = shared.station("twice")
    run = shared.run(program("linesign-station"), "enroll", shared.join_token("twice-2"), "--dir",
                     str(folder), check=False)
    assert run.returncode == 65
    with RawStation.open(folder, shared.address) as station:
        assert station.welcome.station == "twice"


def at_time(appliance, time, *command):
    """A program of a station whose clock stands at this time."""
    return appliance.run("faketime", "-m", time, *command, check=False)


@pytest.mark.parametrize("wrong_time", ["1999-12-31 12:00:00", "2120-01-01 00:00:00"])
def test_a_station_with_a_wrong_clock_hears_both_times(shared, tmp_path, wrong_time):
    station = program("linesign-station")
    token = tmp_path / "token"
    token.write_text(shared.join_token(f"clock-{wrong_time[:4]}"))
    enrolled = at_time(shared, wrong_time, station, "enroll", "--token-file", str(token), "--dir",
                       str(tmp_path / "station"))
    assert enrolled.returncode == EX_UNAVAILABLE, enrolled.stderr
    assert "[117 StationClockWrong]" in enrolled.stderr
    assert f"this machine's time is {wrong_time[:10]}T" in enrolled.stderr
    assert "the appliance's certificate is valid from 20" in enrolled.stderr
    # The token was not used up.
    shared.run(station, "enroll", "--token-file", str(token), "--dir", str(tmp_path / "station"))
    status = at_time(shared, wrong_time, station, "status", "--dir", str(tmp_path / "station"))
    is_early = wrong_time.startswith("1999")
    assert status.returncode == (EX_UNAVAILABLE if is_early else EX_NOPERM)
    assert ("NOT YET VALID" if is_early else "EXPIRED") in status.stdout
    assert f"at this machine's time, {wrong_time[:10]}T" in status.stdout
    assert "days left" not in status.stdout


def test_a_token_is_read_as_mail_and_windows_leave_it(shared, tmp_path):
    token = shared.join_token("mailed")
    lines = "\r\n".join([f'"{token[:40]}', token[40:80], f'{token[80:]}"', ""])
    (tmp_path / "token.txt").write_bytes(lines.encode("utf-16"))
    shared.run(program("linesign-station"), "enroll", "--token-file", str(tmp_path / "token.txt"),
               "--dir", str(tmp_path / "station"))
