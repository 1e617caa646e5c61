"""What others hold, compared with the ledger: the recorded state, manifests, certificate files."""

import csv
import hashlib
import json
import tomllib

from linesign_audit.der import leaf, parse_tbs, split_certificate
from linesign_audit.report import check
from linesign_audit.rows import newest_number
from linesign_audit.schema import WITH_IDENTITY, pragma

COUNTS = ("newest", "certificates", "voids", "station_changes")


def read_state(file):
    """REQUIRES: the ledger is not copied yet; a running linesignd records more from then on."""
    with file.open("rb") as content:
        return tomllib.load(content)


@check("state")
def check_state(db, report, file, known):
    """After check_rows. The ledger may be newer, unless linesignd was stopped in order."""
    found = {
        "newest": newest_number(db),
        "certificates": report.counts["certificates"],
        "voids": report.counts["voids"],
        "station_changes": db.execute("SELECT count(*) + count(enrolled_at) + count(revoked_at)"
                                      " FROM station").fetchone()[0],
    }
    if pragma(db, "user_version") < WITH_IDENTITY:
        report.find(f"{file}: the ledger is from before it had an identity")
        return
    row = db.execute("SELECT hex(ledger_id) FROM ledger_identity").fetchone()
    if row is None or row[0].lower() != known["ledger_id"]:
        report.find(f"{file}: it is another ledger")
        return
    for name in COUNTS:
        if found[name] < known[name]:
            report.find(f"{file}: the ledger is older: {name.replace('_', ' ')} {found[name]}, "
                        f"recorded {known[name]}")
        elif known["closed"] and found[name] > known[name]:
            report.find(f"{file}: the ledger went on after linesignd was stopped: "
                        f"{name.replace('_', ' ')} {found[name]}, recorded {known[name]}")
    serial = db.execute("SELECT hex(serial) FROM issuance WHERE id = ?1 UNION ALL SELECT hex(serial)"
                        " FROM void_issuance WHERE issuance_id = ?1", (known["newest"],)).fetchone()
    if known["newest"] and serial is not None and serial[0].lower() != known["newest_serial"]:
        report.find(f"{file}: number {known['newest']} has serial number {serial[0].lower()}, "
                    f"recorded {known['newest_serial']}")


def state_of(db, certificate_id, serial):
    """What the ledger has in place of a certificate that is not in it."""
    row = db.execute("SELECT issuance_id FROM void_issuance WHERE serial = ?", (serial,)).fetchone()
    if row is not None:
        return f"is VOID {row[0]} in the ledger"
    row = db.execute("SELECT id FROM issuance WHERE serial = ?", (serial,)).fetchone()
    if row is not None:
        return f"is another certificate in the ledger (issuance {row[0]})"
    return "is not in the ledger"


def devices_of_json(file):
    """One device in each line, so that no manifest is too long."""
    with file.open(encoding="utf-8") as lines:
        head = next(lines, "")
        if not head.startswith('{"linesign_manifest":2,'):
            raise ValueError("is no signed manifest of version 2")
        for line in lines:
            if line.startswith("]"):
                yield None, json.loads("{" + line[line.index(",") + 1:])["range"]["last"]
                return
            device = json.loads(line.removeprefix(","))
            yield device["device_id"], (device["sequence"], device["serial"],
                                        device["certificate_id"])
    raise ValueError("ends too soon")


def devices_of_csv(file):
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        wanted = {"device_id", "serial", "certificate_id"}
        if not wanted <= set(reader.fieldnames or ()):
            raise ValueError("has no columns device_id, serial and certificate_id")
        for row in reader:
            yield row["device_id"], (None, row["serial"], row["certificate_id"])


def check_manifest(db, report, file):
    """After check_rows."""
    with file.open("rb") as content:
        is_json = content.read(1) == b"{"
    query = ("SELECT m.id, i.device_id FROM audit_made AS m JOIN issuance AS i ON i.id = m.id"
             " WHERE m.certificate_id = ?")
    newest = newest_number(db)
    for device, value in devices_of_json(file) if is_json else devices_of_csv(file):
        if device is None:
            if value > newest:
                report.find(f"{file}: it goes up to number {value}, the newest of the ledger is "
                            f"{newest}: the ledger is older")
            continue
        number, serial, certificate_id = value
        report.counts["manifest_devices"] += 1
        found = db.execute(query, (bytes.fromhex(certificate_id),)).fetchone()
        if found is None:
            what = state_of(db, certificate_id, bytes.fromhex(serial))
            report.find(f"{file}: device {device}, serial number {serial}, {what}")
        elif number is not None and found[0] != number:
            report.find(f"{file}: device {device} has number {number}, in the ledger {found[0]}")
        elif found[1] != device:
            report.find(f"{file}: device {device} is {found[1]} in the ledger")


@check("manifests")
def check_manifests(db, report, files):
    for file in files:
        with report.understood(file):
            check_manifest(db, report, file)


@check("certificates")
def check_certificates(db, report, folders):
    """After check_rows. Each PEM file is in the ledger once, and no two are alike."""
    db.execute("CREATE TABLE audit_file (path TEXT, certificate BLOB, device TEXT, serial BLOB,"
               " key BLOB)")
    db.execute("BEGIN")
    for path in (path for folder in folders for path in folder.rglob("*.pem")):
        report.counts["files"] += 1
        try:
            der = leaf(path.read_text())
            parts = parse_tbs(split_certificate(der)[0])
        except (ValueError, IndexError) as error:
            report.find(f"{path}: {error}")
            continue
        certificate_id = hashlib.sha256(der).digest()
        rows = db.execute("SELECT count(*) FROM audit_made WHERE certificate_id = ?",
                          (certificate_id,)).fetchone()[0]
        if rows == 0:
            report.find(f"{path}: {state_of(db, certificate_id, parts['serial'])}")
        elif rows > 1:
            report.find(f"{path}: is in the ledger {rows} times")
        db.execute("INSERT INTO audit_file VALUES (?, ?, ?, ?, ?)",
                   (str(path), certificate_id, "/".join(parts["names"]) or path.stem,
                    parts["serial"], hashlib.sha256(parts["spki"]).digest()))
    db.execute("COMMIT")
    for kind in ("certificate", "device", "serial", "key"):
        for first, last in db.execute(f"SELECT min(path), max(path) FROM audit_file GROUP BY {kind}"
                                      " HAVING count(*) > 1"):
            report.find(f"{last}: the same {kind} as {first}")
