"""What must be true after every fault: what stations hold, what the HSM was given to sign and what the
ledger says are one. Independent of linesign, and of linesign-audit, which has the last word on each ledger."""

import hashlib
import pathlib
import shutil
import sqlite3
import tempfile
from typing import NamedTuple

from support.audit import audit_appliance


class Held(NamedTuple):
    """A certificate at its station."""
    device: str
    tbs: bytes
    signature: bytes
    serial: int
    key: bytes


def check_ledger(appliance, *folders):
    """The whole ledger of a stopped appliance; returns what is wrong, line by line."""
    run = audit_appliance(appliance, *[word for folder in folders for word in ("--certs", folder)])
    return [] if run.returncode == 0 else (run.stdout + run.stderr).splitlines()


def read_ledger(folder):
    """Rows of intents with their signatures, of a ledger that may be in use: {tbs: signature}, and
    every digest that a row names. A log that was started anew meanwhile is copied again."""
    log = folder / "ledger.sqlite-wal"

    def header():
        return log.read_bytes()[:32] if log.exists() else b""

    with tempfile.TemporaryDirectory(prefix="ls-judge-") as copy:
        target = pathlib.Path(copy)
        for _ in range(50):
            before = header()
            shutil.copy(folder / "ledger.sqlite", target / "ledger.sqlite")
            content = log.read_bytes() if before else b""
            if content[:32] == before == header():
                break
        (target / "ledger.sqlite-wal").write_bytes(content)
        database = sqlite3.connect(target / "ledger.sqlite")
        try:
            return database.execute(
                "SELECT i.device_id, i.tbs, c.signature FROM issuance AS i"
                " LEFT JOIN certificate AS c ON c.issuance_id = i.id").fetchall()
        finally:
            database.close()


def read_signed(log):
    """What the HSM was given to sign: [(process, hex digits)], in order."""
    if not log.exists():
        return []
    return [tuple(line.split(" ", 1)) for line in log.read_text().splitlines()]


def unnamed(signed, digests):
    """What was signed and no row names, but for the proof of the key: it names its process."""
    def proof(process):
        return hashlib.sha256(f"linesign key proof, pid {process}".encode()).hexdigest()

    return [f"process {process} signed {digest}, and no row names it" for process, digest in signed
            if digest not in digests and digest != proof(process)]


def judge(folder, received, sign_log):
    """Every breach of a promise, as a line. `received`: what all stations hold, read before this is
    called."""
    signed = read_signed(sign_log)
    rows = read_ledger(folder)
    wrong = unnamed(signed, {hashlib.sha256(tbs).hexdigest() for _, tbs, _ in rows})
    ledger = {}
    for device, tbs, signature in rows:
        if device in ledger:
            wrong.append(f"{device} has two rows")
        ledger[device] = (tbs, signature)
    serials, keys = {}, {}
    for held in received:
        if ledger.get(held.device) != (held.tbs, held.signature):
            wrong.append(f"{held.device}: its station has a certificate that the ledger has not")
        for seen, value in ((serials, held.serial), (keys, held.key)):
            if seen.setdefault(value, held.device) != held.device:
                wrong.append(f"{held.device} and {seen[value]} have the same serial number or key")
    return wrong
