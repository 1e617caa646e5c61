"""A station that does what it is told, also what no station should: TLS from the standard library,
messages from protocol/station.proto, frames by hand."""

import atexit
import base64
import os
import select
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STATION_ALPN = "linesign/1"
ENROLL_ALPN = "linesign-enroll/1"
SERVER_NAME = "linesign-appliance"


def _compile_messages():
    folder = tempfile.mkdtemp(prefix="ls-proto-")
    atexit.register(shutil.rmtree, folder, True)
    subprocess.run(["protoc", f"--python_out={folder}", "protocol/station.proto"],
                   cwd=ROOT, check=True)
    sys.path.insert(0, folder)
    from protocol import station_pb2
    return station_pb2


messages = _compile_messages()


def frame(body):
    if not isinstance(body, bytes):
        body = body.SerializeToString()
    return struct.pack(">I", len(body)) + body


def hello(min_version=1, max_version=1, software="raw-station/1"):
    message = messages.ToAppliance()
    message.hello.min_version = min_version
    message.hello.max_version = max_version
    message.hello.software = software
    return message


def issue(device_id, csr_der, request_id=None, order_id="default"):
    message = messages.ToAppliance()
    message.issue.request_id = os.urandom(16) if request_id is None else request_id
    message.issue.order_id = order_id
    message.issue.device_id = device_id
    message.issue.csr_der = csr_der
    return message


def fetch(device_id, order_id="default"):
    message = messages.ToAppliance()
    message.fetch.request_id = os.urandom(16)
    message.fetch.order_id = order_id
    message.fetch.device_id = device_id
    return message


def ping(nonce=1):
    message = messages.ToAppliance()
    message.ping.nonce = nonce
    return message


def tls_context(ca_file, certificate=None, key=None, alpn=STATION_ALPN):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(ca_file)
    if alpn:
        context.set_alpn_protocols([alpn])
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


class Closed(Exception):
    """The appliance closed the connection without a word."""


class RawStation:
    """One connection. `credential` is a folder as `linesign-station enroll` makes it. The kernel takes
    `receive_bytes` of what it gets before it reads; None: as much as the system likes."""

    def __init__(self, address, context, timeout=20, source=None, receive_bytes=None):
        host, port = address.rsplit(":", 1)
        self.plain = socket.socket()
        self.plain.settimeout(timeout)
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_bytes is not None:
            self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        try:
            self.plain.bind((source or "", 0))
            self.plain.connect((host, int(port)))
        except BaseException:
            self.plain.close()
            raise
        try:
            self.tls = context.wrap_socket(self.plain, server_hostname=SERVER_NAME)
        except BaseException:
            self.plain.close()
            raise
        self.buffer = bytearray()

    @classmethod
    def open(cls, credential, address, say_hello=True, **options):
        folder = Path(credential)
        station = cls(address, tls_context(folder / "appliance-ca.pem", folder / "station.pem",
                                           folder / "station.key"), **options)
        if say_hello:
            station.welcome = station.ask(hello()).welcome
        return station

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.tls.close()

    def send(self, message):
        self.tls.sendall(frame(message))

    def send_raw(self, data):
        self.tls.sendall(data)

    def send_while_receiving(self, data):
        """Sends all of it, and keeps what comes meanwhile for receive(): whoever only sends blocks
        the appliance, and one TLS connection is not for two threads."""
        timeout = self.tls.gettimeout()
        self.tls.setblocking(False)
        view, deadline = memoryview(data), time.monotonic() + 60
        while view and time.monotonic() < deadline:
            try:
                view = view[self.tls.send(view[:16384]):]
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                select.select([self.tls], [self.tls], [], 1)
            try:
                self.buffer += self.tls.recv(65536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
        self.tls.settimeout(timeout)
        assert not view, "the appliance takes nothing any more"

    def receive(self):
        """The next message. Closed when there is none any more."""
        header = self._read(4)
        message = messages.ToStation()
        message.ParseFromString(self._read(struct.unpack(">I", header)[0]))
        return message

    def ask(self, message):
        self.send(message)
        return self.receive()

    def issue(self, device_id, csr_der, **options):
        """The reply to one request; a station waits when it is told to."""
        deadline = time.monotonic() + 60
        request = issue(device_id, csr_der, **options)
        while True:
            reply = self.ask(request).issue
            if reply.status != messages.STATUS_TRY_LATER or time.monotonic() > deadline:
                return reply
            time.sleep(max(reply.failure.retry_after_ms, 10) / 1000)

    def goodbye(self):
        """The reason of the Goodbye that ends the connection; answers before it are skipped."""
        while True:
            message = self.receive()
            if message.HasField("goodbye"):
                break
        try:
            self.receive()
        except Closed:
            return message.goodbye.reason.name
        raise AssertionError("the appliance went on after its Goodbye")

    def is_closed(self):
        try:
            self.receive()
        except Closed:
            return True
        return False

    def _read(self, size):
        while len(self.buffer) < size:
            try:
                data = self.tls.recv(65536)
            except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
                raise Closed(str(error)) from error
            if not data:
                raise Closed()
            self.buffer += data
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken


class JoinToken:
    """The parts of "LSJ1...": docs/station-protocol.md."""

    def __init__(self, text):
        body = text.removeprefix("LSJ1.")
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        self.version = raw[0]
        self.expires_at = struct.unpack(">Q", raw[1:9])[0]
        self.fingerprint = raw[9:41]
        self.secret = raw[41:73]
        self.address = raw[73:].decode()


def enroll(token_text, csr_der, secret=None):
    """Sends one EnrollRequest and returns the reply. The fingerprint is checked by other tests."""
    token = JoinToken(token_text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([ENROLL_ALPN])
    request = messages.ToAppliance()
    request.enroll.secret = token.secret if secret is None else secret
    request.enroll.csr_der = csr_der
    station = RawStation(token.address, context)
    try:
        return station.ask(request).enroll
    finally:
        station.close()
