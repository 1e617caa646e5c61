#!/usr/bin/python3
"""A linesign station in Python: gets one device certificate with its chain.

    /usr/bin/python3 docs/examples/station_client.py STATION_DIR DEVICE_ID CSR_FILE [PEM_FILE]

STATION_DIR  made by `linesign-station enroll TOKEN --dir STATION_DIR`
CSR_FILE     PKCS#10, PEM or DER. PEM_FILE: where the certificate goes; else standard output

Needs Debian's python3-protobuf, and protobuf-compiler or the module that it made before:
    protoc -I . --python_out=DIR protocol/station.proto      and PYTHONPATH=DIR
Exit code 0: certified; 65: refused; 75: the connection ended, run it again.
"""
import base64
import hashlib
import importlib
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path



def load_messages():
    try:
        return importlib.import_module("protocol.station_pb2")
    except ModuleNotFoundError:
        root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as made:
        subprocess.run(["protoc", "-I", str(root), f"--python_out={made}",
                        "protocol/station.proto"], cwd=root, check=True)
        sys.path.insert(0, f"{made}/protocol")
        return importlib.import_module("station_pb2")


def connect(folder):
    """TLS 1.3 with the station's certificate, trusting only the CA from the enrolment."""
    address = re.search(r'^address = "(.*)"', (folder / "appliance.toml").read_text(), re.M)[1]
    host, _, port = address.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks the certificate and the name
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["linesign/1"])
    context.load_verify_locations(folder / "appliance-ca.pem")
    context.load_cert_chain(folder / "station.pem", folder / "station.key")
    raw = socket.create_connection((host.strip("[]"), int(port)), timeout=30)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw, server_hostname="linesign-appliance")


def receive_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("the appliance closed the connection")
        data += part
    return data


def exchange(connection, message, messages):
    """Sends one message and returns the next one: good enough with one request at a time."""
    body = message.SerializeToString()
    connection.sendall(struct.pack(">I", len(body)) + body)
    (length,) = struct.unpack(">I", receive_exactly(connection, 4))
    if not 0 < length <= 65536:
        raise ConnectionError(f"a frame of {length} bytes")
    reply = messages.ToStation.FromString(receive_exactly(connection, length))
    if reply.HasField("goodbye"):
        raise ConnectionError(f"{reply.goodbye.reason.name}: {reply.goodbye.reason.message}")
    return reply


def read_der(path):
    data = path.read_bytes()
    block = re.search(rb"BEGIN (?:NEW )?CERTIFICATE REQUEST-----(.*?)-----END", data, re.S)
    return base64.b64decode(block[1]) if block else data


def request_certificate(connection, messages, device, csr, order="default"):
    """The leaf's DER. The same request id for every retry: nothing is ever issued twice."""
    message = messages.ToAppliance()
    message.issue.request_id = hashlib.sha256(b"\0".join(
        [b"linesign request 1", order.encode(), device.encode(), csr])).digest()[:16]
    message.issue.order_id, message.issue.device_id, message.issue.csr_der = order, device, csr
    while True:
        reply = exchange(connection, message, messages).issue
        if reply.status == messages.STATUS_OK:
            return reply.certificate_der
        print(f"{reply.failure.name}: {reply.failure.message}", file=sys.stderr)
        if reply.status != messages.STATUS_TRY_LATER:
            sys.exit(65)
        time.sleep(reply.failure.retry_after_ms / 1000)


def main(station, device, csr_file, pem_file=None):
    messages = load_messages()
    with connect(Path(station)) as connection:
        hello = messages.ToAppliance()
        hello.hello.min_version = hello.hello.max_version = 1
        hello.hello.software = "station_client.py/1"
        issuers = exchange(connection, hello, messages).welcome.issuer_chain
        leaf = request_certificate(connection, messages, device, read_der(Path(csr_file)))
    pem = "".join(ssl.DER_cert_to_PEM_cert(der) for der in [leaf, *issuers])
    Path(pem_file).write_text(pem) if pem_file else print(pem, end="")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        print(__doc__, file=sys.stderr)
        sys.exit(64)
    try:
        main(*sys.argv[1:])
    except (ConnectionError, TimeoutError, ssl.SSLError) as error:
        print(error, file=sys.stderr)
        sys.exit(75)
