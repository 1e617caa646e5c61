#!/usr/bin/python3
"""What a user would pick instead, beside linesign: the same CSRs, the same machine, one table.

  side_by_side.py [--csrs N] [--seconds S] [--connections N] [--no-install]

cfssl serve    Debian's golang-cfssl: HTTP without TLS, any client, a software key, no record
openssl x509   `openssl x509 -req` with the pkcs11 engine, one process for each certificate
linesign       TLS with a certificate for each station, the key in a token, two durable writes

All three check the proof of possession in the CSR and sign with a P-256 key; the two with a token
use the same SoftHSM2 token. The CSRs are those of `linesign bench --csr-cache`. CPU-seconds are those
of the signing side, without its clients. Programs come from $LINESIGN_BIN.
Exit code: 0, or what the program that failed ended with.
"""

import argparse
import contextlib
import json
import os
import re
import resource
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.bench_runs import bench, machine_line, note  # noqa: E402

PACKAGES = {"cfssl": "golang-cfssl", "openssl": "openssl"}
ENGINE = "libengine-pkcs11-openssl"
TICKS = os.sysconf("SC_CLK_TCK")
CFSSL_CONFIG = {"signing": {"default": {
    "usages": ["digital signature", "client auth"], "expiry": "175200h"}}}
EXTENSIONS = ("basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n"
              "extendedKeyUsage = clientAuth\nsubjectKeyIdentifier = hash\n"
              "authorityKeyIdentifier = keyid\n")


def install(is_allowed):
    missing = [package for name, package in PACKAGES.items() if shutil.which(name) is None]
    if subprocess.run(["openssl", "engine", "pkcs11"], capture_output=True, check=False).returncode:
        missing.append(ENGINE)
    if not missing:
        return
    if not is_allowed:
        sys.exit(f"missing: {' '.join(missing)}")
    note(f"installing {' '.join(missing)}")
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*as_root, "apt-get", "install", "-q", "-y", "--no-install-recommends", *missing],
                   check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def read_csrs(file):
    """Each as PEM text."""
    return re.findall(r"-----BEGIN CERTIFICATE REQUEST-----.*?-----END CERTIFICATE REQUEST-----\n",
                      Path(file).read_text(), re.S)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


# --- cfssl serve --------------------------------------------------------------------------------


class HttpConnection:
    """One request after the other, as cheap as Python can: the machine is shared with cfssl."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def take(self):
        """A whole answer, or None while it is not there."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("cfssl closed the connection")
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if length is None:
            if not body.endswith(b"0\r\n\r\n"):  # chunked
                return None
        elif len(body) < int(length.group(1)):
            return None
        answer, self.buffer = self.buffer, b""
        return answer


def http_request(csr):
    body = json.dumps({"certificate_request": csr}).encode()
    return (b"POST /api/v1/cfssl/sign HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)) + body


def drive(port, csrs, connections, seconds):
    """How many certificates came, within how many seconds."""
    requests = [http_request(csr) for csr in csrs]
    waiting = iter(requests * (1 + 1_000_000 // len(requests)))
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        connection = HttpConnection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.socket.sendall(next(waiting))
    done, begin = 0, time.monotonic()
    while time.monotonic() - begin < seconds:
        for key, _ in selector.select(1):
            answer = key.data.take()
            if answer is None:
                continue
            if b"BEGIN CERTIFICATE" not in answer:
                raise RuntimeError(f"cfssl says {answer[:300]!r}")
            done += 1
            key.data.socket.sendall(next(waiting))
    return done, time.monotonic() - begin


def make_software_ca(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj",
                    "/O=linesign bench/CN=software CA"], cwd=folder, check=True, capture_output=True)
    (folder / "config.json").write_text(json.dumps(CFSSL_CONFIG))


@contextlib.contextmanager
def cfssl(folder):
    """(port, process id)"""
    port = free_port()
    server = subprocess.Popen(
        ["cfssl", "serve", "-address", "127.0.0.1", "-port", str(port), "-ca", "ca.pem", "-ca-key",
         "ca.key", "-config", "config.json", "-loglevel", "5"], cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(500):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.02)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(10)


def measure_cfssl(folder, csrs, options):
    folder.mkdir()
    make_software_ca(folder)
    with cfssl(folder) as (port, pid):
        drive(port, csrs, options.connections, 1)
        before = cpu_seconds(pid)
        done, seconds = drive(port, csrs, options.connections, options.seconds)
        return done / seconds, done / (cpu_seconds(pid) - before)


# --- openssl x509 with the pkcs11 engine --------------------------------------------------------


def openssl_command(plant, csr_file, extensions):
    token = re.search(r'token_label = "([^"]*)"', (plant / "linesign.toml").read_text()).group(1)
    key = (f"pkcs11:token={token};object=device-ca;type=private;"
           f"pin-source=file:{plant / 'pin'}")
    return ["openssl", "x509", "-req", "-in", csr_file, "-CA", plant / "ca.pem", "-engine", "pkcs11",
            "-CAkeyform", "engine", "-CAkey", key, "-set_serial", f"0x40{os.urandom(15).hex()}",
            "-days", "7300", "-sha256", "-extfile", extensions, "-out", f"{csr_file}.crt"]


def measure_openssl(folder, csrs, options, plant):
    folder.mkdir()
    (folder / "extensions.cnf").write_text(EXTENSIONS)
    environment = {**os.environ, "SOFTHSM2_CONF": str(plant / "softhsm2.conf"),
                   "PKCS11_MODULE_PATH": "/usr/lib/softhsm/libsofthsm2.so"}
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = failed = 0
    running = []
    while time.monotonic() - begin < options.seconds or running:
        if time.monotonic() - begin < options.seconds and len(running) < os.cpu_count():
            csr = folder / f"{done + len(running)}.csr"
            csr.write_text(csrs[(done + len(running)) % len(csrs)])
            running.append(subprocess.Popen(openssl_command(plant, csr, folder / "extensions.cnf"),
                                            env=environment, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.PIPE))
            continue
        child = running.pop(0)
        _, said = child.communicate()
        if child.returncode:  # two processes that open SoftHSM2's files at once trouble each other
            failed += 1
            if failed > done + 10:
                raise RuntimeError(said.decode(errors="replace"))
            continue
        done += 1
    seconds, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if failed:
        note(f"openssl: {failed} of {done + failed} runs failed and made nothing")
    return done / seconds, done / used


# --- the table ----------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--csrs", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--connections", type=int, default=16, help="to cfssl")
    parser.add_argument("--no-install", action="store_true", help="of Debian packages")
    options = parser.parse_args()
    install(not options.no_install)
    work = Path(tempfile.mkdtemp(prefix="ls-side-"))
    try:
        plant = work / "plant"
        report = bench("--dir", plant, "--csr-cache", work / "csrs.pem", "--stations", 16, "--lot",
                       max(options.csrs // 16, 1), "--no-ceiling")
        csrs = read_csrs(work / "csrs.pem")
        rows = [
            ("cfssl serve, software key", *measure_cfssl(work / "cfssl", csrs, options)),
            ("openssl x509 -req, pkcs11 engine",
             *measure_openssl(work / "openssl", csrs, options, plant)),
            ("linesign", report["certificates_per_second"], report["certificates_per_cpu_second"]),
        ]
    finally:
        subprocess.run(["chmod", "-R", "u+w", work], check=False)
        shutil.rmtree(work, ignore_errors=True)
    print(machine_line(report))
    print(f"{len(csrs)} CSRs with P-256 keys, CA key P-256\n")
    print("| signer | certificates/s | per CPU-second of the signer |\n|---|---|---|")
    for name, rate, per_cpu in rows:
        print(f"| {name} | {rate:,.0f} | {per_cpu:,.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
