#!/usr/bin/python3
"""Checks a ledger against the CA certificate and against what clients hold.

Independent of linesign: Debian's Python, its sqlite3 module and python3-cryptography, and DER written
out here. It works on a copy of the files, so a running appliance is not disturbed.

  check_ledger.py --ledger DIR --ca ca.pem... [--certs DIR]... [--expect N] [--allow-open] [--json]

Exit code: 0 all is true, 1 something is not (each finding is a line), 64 wrong usage.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import shutil
import sqlite3
import sys
import tempfile

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

APPLICATION_ID = 0x4C534C31
SCHEMAS = (1, 2, 3)
MAX_SHOWN = 20
HASHES = {
    bytes.fromhex("300a06082a8648ce3d040302"): hashes.SHA256(),
    bytes.fromhex("300a06082a8648ce3d040303"): hashes.SHA384(),
    bytes.fromhex("300d06092a864886f70d01010b0500"): hashes.SHA256(),
}
EXPECTED, REGISTERED, IN_TASK = 0, 2, 5  # states of a registration
TASK_BOOKED = 5  # this and higher: over
COMMON_NAME = bytes.fromhex("0603550403")


def read_tlv(data, at):
    """(tag, start of content, end of content) of the element at `at`; strict about lengths."""
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[start:start + count], "big")
        start += count
        if count == 0 or count > 4 or length < 0x80 or length >> (8 * (count - 1)) == 0:
            raise ValueError(f"length at {at} is not DER")
    if start + length > len(data):
        raise ValueError(f"element at {at} is cut off")
    return tag, start, start + length


def children(data, start, end):
    """(tag, start of the whole element, start of its content, its end), in order."""
    while start < end:
        tag, content, stop = read_tlv(data, start)
        yield tag, start, content, stop
        start = stop


def tlv(tag, content):
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(content).to_bytes(size, "big") + content


def assemble(tbs, algorithm, signature):
    return tlv(0x30, tbs + algorithm + tlv(0x03, b"\0" + signature))


def parse_tbs(tbs):
    """Serial number (content octets), inner algorithm, issuer, common names, key (SPKI)."""
    tag, start, end = read_tlv(tbs, 0)
    if tag != 0x30 or end != len(tbs):
        raise ValueError("TBS is not one SEQUENCE")
    parts = list(children(tbs, start, end))
    if parts[0][0] == 0xA0:
        parts = parts[1:]
    serial, algorithm, issuer, _validity, subject, spki = parts[:6]
    names = []
    for _, _, rdn, rdn_end in children(tbs, subject[2], subject[3]):
        for _, _, attribute, attribute_end in children(tbs, rdn, rdn_end):
            kind, value = list(children(tbs, attribute, attribute_end))[:2]
            if tbs[kind[1]:kind[3]] == COMMON_NAME:
                names.append(tbs[value[2]:value[3]].decode("utf-8", "replace"))
    return {
        "serial": tbs[serial[2]:serial[3]],
        "algorithm": tbs[algorithm[1]:algorithm[3]],
        "issuer": tbs[issuer[1]:issuer[3]],
        "subject": tbs[subject[1]:subject[3]],
        "names": names,
        "spki": tbs[spki[1]:spki[3]],
    }


def split_certificate(der):
    """TBS, algorithm, signature of a certificate that stands alone."""
    tag, start, end = read_tlv(der, 0)
    parts = list(children(der, start, end))
    if tag != 0x30 or end != len(der) or len(parts) != 3 or der[parts[2][2]] != 0:
        raise ValueError("not a certificate")
    return (der[parts[0][1]:parts[0][3]], der[parts[1][1]:parts[1][3]], der[parts[2][2] + 1:parts[2][3]])


class Ca:
    def __init__(self, der):
        self.name = parse_tbs(split_certificate(der)[0])["subject"]
        self.key = x509.load_der_x509_certificate(der).public_key()


class Checker:
    def __init__(self, ca_files, allow_open):
        ders = [leaf(file.read_text()) for file in ca_files]
        self.cas = {der: Ca(der) for der in ders}
        self.allow_open = allow_open
        self.findings = []
        self.counts = {"certificates": 0, "open_intents": 0, "voids": 0, "files": 0,
                       "registered": 0}
        self.by_der = {}
        self.certificate_ids = {}  # as AWS computes them, by issuance

    def find(self, text):
        self.findings.append(text)

    @staticmethod
    def is_signed(ca, tbs, algorithm, signature):
        method = HASHES.get(algorithm)
        if method is None:
            return False
        try:
            if isinstance(ca.key, ec.EllipticCurvePublicKey):
                ca.key.verify(signature, tbs, ec.ECDSA(method))
            else:
                ca.key.verify(signature, tbs, padding.PKCS1v15(), method)
        except InvalidSignature:
            return False
        return True

    # The database itself.

    def check_database(self, db):
        if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            self.find("the file is not a ledger of linesign")
            return False
        schema = db.execute("PRAGMA user_version").fetchone()[0]
        if schema not in SCHEMAS:
            self.find(f"schema {schema} is not known to this checker")
            return False
        for (line,) in db.execute("PRAGMA integrity_check"):
            if line != "ok":
                self.find(f"integrity: {line}")
        for row in db.execute("PRAGMA foreign_key_check"):
            self.find(f"foreign key: {row[0]} row {row[1]} refers to no {row[2]}")
        return not self.findings

    def check_unique(self, db):
        """One identity per device and key; not believing the indexes."""
        for columns in ("order_id, device_id", "order_id, request_id", "key_sha256", "serial"):
            for row in db.execute(f"SELECT count(*), {columns} FROM issuance NOT INDEXED"
                                  f" GROUP BY {columns} HAVING count(*) > 1"):
                self.find(f"{row[0]} rows have the same {columns}: {show(row[1:])}")

    def check_orders(self, db):
        query = ("SELECT o.name, o.reserved, o.quantity, o.voided,"
                 " (SELECT count(*) FROM issuance NOT INDEXED WHERE order_id = o.id),"
                 " (SELECT count(*) FROM void_issuance WHERE order_id = o.id)"
                 " FROM production_order AS o")
        for name, reserved, quantity, voided, rows, void_rows in db.execute(query):
            if reserved != rows:
                self.find(f"order {name}: {reserved} units are reserved, {rows} rows use one")
            if voided != void_rows:
                self.find(f"order {name}: {voided} voids are counted, {void_rows} are there")
            if quantity is not None and rows > quantity:
                self.find(f"order {name}: {rows} units of {quantity}")

    def check_states(self, db):
        query = ("SELECT i.id, i.device_id, c.issuance_id IS NOT NULL, o.issuance_id IS NOT NULL"
                 " FROM issuance AS i LEFT JOIN certificate AS c ON c.issuance_id = i.id"
                 " LEFT JOIN open_intent AS o ON o.issuance_id = i.id"
                 " WHERE (c.issuance_id IS NULL) = (o.issuance_id IS NULL)")
        for number, device, has_certificate, _ in db.execute(query):
            what = "a certificate and is open" if has_certificate else "no certificate and is not open"
            self.find(f"issuance {number} ({device}) has {what}")
        self.counts["open_intents"] = db.execute("SELECT count(*) FROM open_intent").fetchone()[0]
        self.counts["voids"] = db.execute("SELECT count(*) FROM void_issuance").fetchone()[0]
        if self.counts["open_intents"] and not self.allow_open:
            self.find(f"{self.counts['open_intents']} intents have no end")
        for (number,) in db.execute("SELECT issuance_id FROM void_issuance"
                                    " WHERE issuance_id IN (SELECT id FROM issuance)"):
            self.find(f"issuance {number} is void and is not")
        for name in ("certificate", "open_intent"):
            for (number,) in db.execute(f"SELECT issuance_id FROM {name}"
                                        " WHERE issuance_id NOT IN (SELECT id FROM issuance)"):
                self.find(f"{name} {number} has no intent")

    # Every row's bytes.

    def check_rows(self, db):
        query = ("SELECT i.id, i.device_id, i.serial, i.key_sha256, i.tbs, c.signature,"
                 " p.signature_algorithm_der, p.ca_certificate_der FROM issuance AS i"
                 " JOIN profile AS p ON p.id = i.profile_id"
                 " LEFT JOIN certificate AS c ON c.issuance_id = i.id")
        for number, device, serial, key, tbs, signature, algorithm, ca_der in db.execute(query):
            what = f"issuance {number} ({device})"
            ca = self.cas.get(ca_der)
            if ca is None:
                self.find(f"{what} was made by another CA certificate")
                continue
            self.check_tbs(ca, what, device, serial, key, tbs, algorithm)
            if signature is None:
                continue
            self.counts["certificates"] += 1
            if not self.is_signed(ca, tbs, algorithm, signature):
                self.find(f"{what}: the signature does not verify")
            der = assemble(tbs, algorithm, signature)
            self.by_der.setdefault(der, []).append(number)
            self.certificate_ids[number] = hashlib.sha256(der).digest()

    def check_tbs(self, ca, what, device, serial, key, tbs, algorithm):
        try:
            parts = parse_tbs(tbs)
        except (ValueError, IndexError) as error:
            self.find(f"{what}: {error}")
            return
        if parts["serial"] != serial or len(serial) != 16 or not 0x40 <= serial[0] <= 0x7F:
            self.find(f"{what}: serial number {parts['serial'].hex()} is not {serial.hex()}")
        if hashlib.sha256(parts["spki"]).digest() != key:
            self.find(f"{what}: the key is not that of the row")
        if parts["algorithm"] != algorithm:
            self.find(f"{what}: the inner signature algorithm differs")
        if parts["issuer"] != ca.name:
            self.find(f"{what}: the issuer is not the CA")
        if parts["names"] and parts["names"] != [device]:
            self.find(f"{what}: the common name is {parts['names']}")

    # What the cloud knows.

    def check_registrations(self, db):
        """After check_rows."""
        query = ("SELECT t.name, r.issuance_id, r.state, r.certificate_id, b.state FROM registration"
                 " AS r JOIN cloud_target AS t ON t.id = r.target_id"
                 " LEFT JOIN bulk_task AS b ON b.id = r.task_id")
        for target, number, state, certificate_id, task_state in db.execute(query):
            what = f"registration {number} in {target}"
            actual = self.certificate_ids.get(number)
            if state == EXPECTED:
                continue
            if actual is None:
                self.find(f"{what} has no certificate")
            if state == REGISTERED:
                self.counts["registered"] += 1
                if certificate_id != actual:
                    self.find(f"{what} is booked for another certificate")
            if state == IN_TASK and task_state is not None and task_state >= TASK_BOOKED:
                self.find(f"{what} is in a bulk task that is over")

    def check_feeds(self, db):
        query = ("SELECT o.name, t.name, i.id FROM cloud_feed AS f"
                 " JOIN production_order AS o ON o.id = f.order_id"
                 " JOIN cloud_target AS t ON t.id = f.target_id"
                 " JOIN issuance AS i ON i.order_id = f.order_id AND i.id < f.next_issuance_id"
                 " LEFT JOIN registration AS r ON r.target_id = f.target_id AND r.issuance_id = i.id"
                 " WHERE r.issuance_id IS NULL")
        for order, target, number in db.execute(query):
            self.find(f"issuance {number} of order {order} was left out for {target}")
        query = ("SELECT t.name, f.taken, (SELECT count(*) FROM registration AS r"
                 " WHERE r.target_id = f.target_id AND f.order_id = coalesce("
                 " (SELECT order_id FROM issuance AS i WHERE i.id = r.issuance_id),"
                 " (SELECT order_id FROM void_issuance AS v WHERE v.issuance_id = r.issuance_id)))"
                 " FROM cloud_feed AS f JOIN cloud_target AS t ON t.id = f.target_id")
        for target, taken, rows in db.execute(query):
            if taken != rows:
                self.find(f"{target}: {taken} were taken in, {rows} are there")

    def check_registration_counts(self, db):
        counted = "SELECT target_id, state, code, count FROM registration_count WHERE count <> 0"
        actual = ("SELECT target_id, state, iif(state = 3, code, 0) AS kind, count(*)"
                  " FROM registration GROUP BY target_id, state, kind")
        for query, missing in ((f"{counted} EXCEPT {actual}", "counted"),
                               (f"{actual} EXCEPT {counted}", "there")):
            for target, state, code, count in db.execute(query):
                self.find(f"target {target}: {count} registrations of state {state}, code {code}"
                          f" are {missing} only")
        query = ("SELECT id, lines, (SELECT count(*) FROM registration WHERE task_id = b.id)"
                 " FROM bulk_task AS b WHERE state < ?")
        for task, lines, rows in db.execute(query, (TASK_BOOKED,)):
            if lines != rows:
                self.find(f"bulk task {task}: {lines} lines are counted, {rows} are there")

    # What clients hold.

    def check_files(self, folders):
        seen = {"certificate": {}, "device": {}, "serial": {}, "key": {}}
        for path in sorted(p for folder in folders for p in folder.rglob("*.pem")):
            self.counts["files"] += 1
            try:
                der = leaf(path.read_text())
                parts = parse_tbs(split_certificate(der)[0])
            except (ValueError, IndexError) as error:
                self.find(f"{path}: {error}")
                continue
            rows = self.by_der.get(der, [])
            if len(rows) != 1:
                self.find(f"{path}: is in the ledger {len(rows)} times")
            values = {"certificate": der, "serial": parts["serial"], "key": parts["spki"],
                      "device": tuple(parts["names"]) or path.stem}
            for kind, value in values.items():
                if value in seen[kind]:
                    self.find(f"{path}: the same {kind} as {seen[kind][value]}")
                seen[kind][value] = path


def leaf(text):
    """The first certificate of a PEM file, decoded here so that a sloppy reader hides nothing."""
    begin, end = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
    if not text.startswith(begin) or end not in text:
        raise ValueError("does not start with a PEM certificate")
    return base64.b64decode("".join(text[len(begin):text.index(end)].split()), validate=True)


def show(values):
    return ", ".join(v.hex() if isinstance(v, bytes) else str(v) for v in values)


def copy_ledger(source, target):
    """File and log as they belong together. A log that kept its header was not started anew, so it
    still holds every page that a checkpoint may have written while the file was being copied."""
    log = source / "ledger.sqlite-wal"

    def log_header():
        try:
            with log.open("rb") as file:
                return file.read(32)
        except FileNotFoundError:
            return b""

    for _ in range(20):
        before = log_header()
        shutil.copy(source / "ledger.sqlite", target / "ledger.sqlite")
        content = log.read_bytes() if before else b""
        if before == log_header() and content[:32] == before:
            (target / "ledger.sqlite-wal").write_bytes(content)
            return
    raise OSError("the ledger changes too fast to be copied")


def run(arguments):
    checker = Checker(arguments.ca, arguments.allow_open)
    with tempfile.TemporaryDirectory() as folder:
        copy_ledger(arguments.ledger, pathlib.Path(folder))
        db = sqlite3.connect(f"{folder}/ledger.sqlite")
        db.text_factory = lambda raw: raw.decode("utf-8", "replace")
        try:
            if checker.check_database(db):
                checker.check_unique(db)
                checker.check_orders(db)
                checker.check_states(db)
                checker.check_rows(db)
                if db.execute("PRAGMA user_version").fetchone()[0] >= 2:
                    checker.check_registrations(db)
                    checker.check_feeds(db)
                    checker.check_registration_counts(db)
        except sqlite3.DatabaseError as error:
            checker.find(f"the database cannot be read: {error}")
        db.close()
    checker.check_files(arguments.certs)
    if arguments.expect is not None and checker.counts["certificates"] != arguments.expect:
        checker.find(f"{checker.counts['certificates']} certificates, {arguments.expect} expected")
    return checker


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ledger", type=pathlib.Path, required=True, help="the ledger's folder")
    parser.add_argument("--ca", type=pathlib.Path, required=True, action="append",
                        help="PEM; the first one in it counts; may be repeated: former CAs")
    parser.add_argument("--certs", type=pathlib.Path, action="append", default=[],
                        help="a folder of <device>.pem files; may be repeated")
    parser.add_argument("--expect", type=int, help="the number of certificates")
    parser.add_argument("--allow-open", action="store_true", help="intents may be open")
    parser.add_argument("--json", action="store_true")
    try:
        arguments = parser.parse_args()
        checker = run(arguments)
    except SystemExit as end:
        return 64 if end.code else 0
    except (OSError, ValueError) as error:
        print(f"check_ledger: {error}", file=sys.stderr)
        return 64
    is_true = not checker.findings
    if arguments.json:
        print(json.dumps({"ok": is_true, **checker.counts, "findings": checker.findings}))
        return 0 if is_true else 1
    for finding in checker.findings[:MAX_SHOWN]:
        print(f"WRONG  {finding}")
    if len(checker.findings) > MAX_SHOWN:
        print(f"WRONG  ... and {len(checker.findings) - MAX_SHOWN} more")
    print(", ".join(f"{value} {name.replace('_', ' ')}" for name, value in checker.counts.items()))
    print("the ledger is true" if is_true else f"{len(checker.findings)} findings")
    return 0 if is_true else 1


if __name__ == "__main__":
    sys.exit(main())
