"""Who may not open a session: everybody without a station's own, valid certificate."""

import datetime
import socket
import ssl
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from support import csr
from support.appliance import EX_NOPERM
from support.raw_station import (ENROLL_ALPN, SERVER_NAME, Closed, RawStation, hello, messages,
                                 tls_context)


@pytest.fixture(autouse=True)
def other_station_unaffected(shared):
    with shared.open_station("witness") as other:
        yield
        device = f"witness-{time.monotonic_ns()}"
        assert other.issue(device, csr.make(device, csr.new_key())).status == messages.STATUS_OK


def refused_by(address, context):
    """True if the handshake, or the first read after it, is refused."""
    try:
        station = RawStation(address, context)
    except (ssl.SSLError, ConnectionError):
        return True
    try:
        station.ask(hello())
    except (Closed, ssl.SSLError, ConnectionError):
        return True
    finally:
        station.close()
    return False


def own_context(shared, folder=None, **options):
    folder = folder or shared.station()
    return tls_context(folder / "appliance-ca.pem", folder / "station.pem", folder / "station.key",
                       **options)


def write_pair(folder, certificate_pem, key):
    folder.mkdir()
    (folder / "station.pem").write_bytes(certificate_pem)
    (folder / "station.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))


def test_an_enrolled_station_is_let_in(shared):
    assert not refused_by(shared.address, own_context(shared))


def test_plain_tcp_is_closed_without_an_answer_in_plain_text(shared):
    host, port = shared.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n" * 4)
        received = b""
        try:
            while data := plain.recv(4096):
                received += data
        except ConnectionError:
            pass
        assert not received or received[0] == 0x15  # a TLS alert, or nothing


def test_a_silent_connection_is_closed(shared):
    host, port = shared.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        try:
            assert plain.recv(100) == b""
        except ConnectionError:
            pass


def test_tls_1_2_is_refused(shared):
    context = own_context(shared)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert refused_by(shared.address, context)


@pytest.mark.parametrize("alpn", [None, "http/1.1"], ids=["none", "another protocol"])
def test_without_our_alpn_the_handshake_is_refused(shared, alpn):
    assert refused_by(shared.address, own_context(shared, alpn=alpn))


def test_no_certificate_is_refused(shared):
    assert refused_by(shared.address, tls_context(shared.station() / "appliance-ca.pem"))


def test_an_enrolment_connection_allows_nothing_but_enrolment(shared):
    context = tls_context(shared.station() / "appliance-ca.pem", alpn=ENROLL_ALPN)
    station = RawStation(shared.address, context)
    station.send(hello())
    assert station.goodbye() == "MessageUnknown"
    station.close()


def test_a_certificate_of_another_ca_is_refused(shared, tmp_path):
    key = csr.new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "line1")])
    now = datetime.datetime.utcnow()
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(days=1))
                   .sign(key, hashes.SHA256()))
    folder = tmp_path / "stranger"
    write_pair(folder, certificate.public_bytes(serialization.Encoding.PEM), key)
    (folder / "appliance-ca.pem").write_bytes((shared.station() / "appliance-ca.pem").read_bytes())
    assert refused_by(shared.address, own_context(shared, folder))


def test_a_device_certificate_is_not_a_station(shared, tmp_path):
    key = csr.new_key()
    device = "not-a-station"
    with shared.open_station() as station:
        reply = station.issue(device, csr.make(device, key))
    assert reply.status == messages.STATUS_OK
    folder = tmp_path / "device"
    write_pair(folder, ssl.DER_cert_to_PEM_cert(reply.certificate_der).encode(), key)
    (folder / "appliance-ca.pem").write_bytes((shared.station() / "appliance-ca.pem").read_bytes())
    assert refused_by(shared.address, own_context(shared, folder))


def test_an_expired_station_certificate_is_refused(make_appliance):
    appliance = make_appliance(config={"stations": {"certificate_validity": "3s"}}).start()
    folder = appliance.station()
    assert not refused_by(appliance.address, own_context(appliance, folder))
    end = x509.load_pem_x509_certificate((folder / "station.pem").read_bytes()).not_valid_after
    time.sleep(max(0, (end - datetime.datetime.utcnow()).total_seconds()) + 1.1)
    assert refused_by(appliance.address, own_context(appliance, folder))
    asked = appliance.request("--generate", "1", check=False)
    assert asked.returncode == EX_NOPERM
    assert f"this station's certificate ended at {end.isoformat()}Z" in asked.stderr


def test_a_revoked_station_hears_why(shared):
    folder = shared.station("to-be-revoked")
    shared.cli("station", "revoke", "to-be-revoked")
    station = RawStation(shared.address, own_context(shared, folder))
    assert station.goodbye() == "StationRevoked"
    station.close()


def test_the_server_proves_itself_to_the_station_ca_only(shared):
    """A station that trusts the system's roots, or another CA, does not get a connection."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["linesign/1"])
    with pytest.raises(ssl.SSLError):
        RawStation(shared.address, context)


def test_openssl_s_client_agrees_on_tls_1_3_and_our_alpn(shared):
    folder = shared.station()
    run = subprocess.run(
        ["openssl", "s_client", "-connect", shared.address, "-servername", SERVER_NAME,
         "-alpn", "linesign/1", "-CAfile", folder / "appliance-ca.pem", "-cert",
         folder / "station.pem", "-key", folder / "station.key", "-verify_return_error",
         "-verify_hostname", SERVER_NAME],
        input="", capture_output=True, text=True, timeout=20, check=False)
    assert "TLSv1.3" in run.stdout and "ALPN protocol: linesign/1" in run.stdout
    assert "Verify return code: 0 (ok)" in run.stdout
