"""linesign-audit must find what is wrong with a ledger: each way of lying is one test.

The ledger is written here with SQL from the product's own schema and certificates made by
python3-cryptography, so nothing of linesign has to run."""

import datetime
import hashlib
import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parent.parent.parent
AUDIT = ROOT / "appliance/audit/linesign-audit"
MIGRATIONS = sorted((ROOT / "appliance/ledger/migrations").glob("*.sql"))
ALGORITHM = bytes.fromhex("300a06082a8648ce3d040302")
START = datetime.datetime(2024, 1, 1)
ISSUED = 1704067200  # START
PROFILE = "linesign profile 1\nbackdate_s=0\nvalidity_s=315360000\n"  # 3650 days
WRONG = 65
DER = serialization.Encoding.DER
PEM = serialization.Encoding.PEM


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, issuer, key, ca_key, serial, is_ca=False):
    return (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
            .public_key(key.public_key()).serial_number(serial).not_valid_before(START)
            .not_valid_after(START + datetime.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
            .sign(ca_key, hashes.SHA256()))


class Folder:
    """A CA, its ledger with `count` certificates, and the files that clients hold."""

    def __init__(self, path, count=4):
        self.path = path
        self.ledger = path / "ledger"
        self.certs = path / "certs"
        self.ledger.mkdir(parents=True)
        self.certs.mkdir()
        self.ca_key = ec.generate_private_key(ec.SECP256R1())
        ca = certificate("Device CA", "Device CA", self.ca_key, self.ca_key, 1, True)
        (path / "ca.pem").write_bytes(ca.public_bytes(PEM))
        self.db = sqlite3.connect(self.ledger / "ledger.sqlite", isolation_level=None)
        for migration in MIGRATIONS:
            self.db.executescript(migration.read_text())
        self.db.execute(f"PRAGMA application_id = {0x4C534C31}")
        self.db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        self.db.execute("INSERT INTO station VALUES (1, 'line-1', 2, x'01', x'30', 0, 0, NULL,"
                        " x'02', 0, x'03')")
        self.db.execute("UPDATE station SET certificate_sha256 = ?", (hashlib.sha256(b"0").digest(),))
        ca_der = ca.public_bytes(DER)
        self.db.execute("INSERT INTO profile VALUES (1, ?, ?, ?, ?, 0)",
                        (hashlib.sha256(PROFILE.encode() + ca_der).digest(), PROFILE, ca_der,
                         ALGORITHM))
        for number in range(1, count + 1):
            self.issue(number)
        self.register()

    def register(self):
        """The first is registered, the second parked, the third in a bulk task, the rest to come."""
        self.db.execute("INSERT INTO cloud_target VALUES (1, 'eu', '123456789012', 'eu-west-1', 1, 0)")
        self.db.execute("INSERT INTO cloud_feed VALUES (1, 1, 1, 1, 4, 3, 0)")
        self.db.execute("INSERT INTO bulk_task VALUES (1, 1, 'key', NULL, 1, 3, 3, 1, NULL, 0, 0, '')")
        first = x509.load_pem_x509_certificate((self.certs / "device-1.pem").read_bytes())
        for row in ((1, 2, None, 0, first.fingerprint(hashes.SHA256())), (2, 3, None, 1030, None),
                    (3, 5, 1, 0, None)):
            self.db.execute("INSERT INTO registration VALUES (1, ?, ?, 0, 0, ?, ?, '', ?, 0)", row)
            self.db.execute("INSERT INTO registration_count VALUES (1, ?, ?, 1)", (row[1], row[3]))

    def issue(self, number):
        key = ec.generate_private_key(ec.SECP256R1())
        device = f"device-{number}"
        serial = bytes([0x41]) + number.to_bytes(15, "big")
        made = certificate(device, "Device CA", key, self.ca_key, int.from_bytes(serial, "big"))
        spki = key.public_key().public_bytes(
            DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.db.execute("INSERT INTO issuance VALUES (?, ?, 1, ?, ?, 1, x'00', ?, 1, ?, ?)",
                        (number, serial, device, number.to_bytes(16, "big"),
                         hashlib.sha256(spki).digest(), ISSUED, made.tbs_certificate_bytes))
        self.db.execute("INSERT INTO certificate VALUES (?, ?, ?)", (number, made.signature, ISSUED))
        self.db.execute("UPDATE production_order SET reserved = reserved + 1")
        (self.certs / f"{device}.pem").write_bytes(made.public_bytes(PEM))

    def sql(self, text, *values):
        self.db.execute("PRAGMA foreign_keys = OFF")
        self.db.execute(text, values)

    def check(self, *more):
        done = subprocess.run(
            ["/usr/bin/python3", AUDIT, "--ledger", self.ledger, "--ca", self.path / "ca.pem",
             "--certs", self.certs, "--json", *more], capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    folder = Folder(tmp_path_factory.mktemp("model"))
    folder.db.close()
    return folder


@pytest.fixture
def folder(model, tmp_path):
    copy = Folder.__new__(Folder)
    copy.path = tmp_path / "copy"
    shutil.copytree(model.path, copy.path)
    copy.ledger, copy.certs, copy.ca_key = copy.path / "ledger", copy.path / "certs", model.ca_key
    copy.db = sqlite3.connect(copy.ledger / "ledger.sqlite", isolation_level=None)
    yield copy
    copy.db.close()


def test_a_true_ledger_passes(folder):
    code, report = folder.check("--expect", "4")
    assert (code, report["findings"]) == (0, [])
    assert (report["certificates"], report["files"]) == (4, 4)


def test_a_true_ledger_with_a_log_passes(folder):
    folder.db.execute("PRAGMA journal_mode = WAL")
    folder.issue(5)
    assert (folder.ledger / "ledger.sqlite-wal").stat().st_size > 0
    assert folder.check("--expect", "5")[0] == 0


def test_open_intents_are_found_unless_allowed(folder):
    folder.sql("DELETE FROM certificate WHERE issuance_id = 4")
    folder.sql("INSERT INTO open_intent VALUES (4, x'30')")
    folder.sql("UPDATE issuance SET csr_sha256 = ? WHERE id = 4", hashlib.sha256(b"0").digest())
    (folder.certs / "device-4.pem").unlink()
    assert folder.check()[0] == WRONG
    code, report = folder.check("--allow-open", "--expect", "3")
    assert (code, report["open_intents"]) == (0, 1)


FLIP = "(SELECT substr({0}, 1, 40) || x'00' || substr({0}, 42))"
LIES = {
    "the number is another one": ("", "expected", ["--expect", "5"]),
    "a signature was changed": (
        "UPDATE certificate SET signature = CAST(" + FLIP.format("signature") + " AS BLOB)"
        " WHERE issuance_id = 2", "does not verify"),
    "the signed bytes were changed": (
        "UPDATE issuance SET tbs = CAST(" + FLIP.format("tbs") + " AS BLOB) WHERE id = 2",
        "issuance 2"),
    "a signature belongs to another": (
        "UPDATE certificate SET signature = (SELECT signature FROM certificate WHERE"
        " issuance_id = 1) WHERE issuance_id = 2", "does not verify"),
    "a row has another device": (
        "UPDATE issuance SET device_id = 'other' WHERE id = 2", "common name"),
    "a row has another serial number": (
        "UPDATE issuance SET serial = x'42000000000000000000000000000009' WHERE id = 2",
        "serial number"),
    "a row has another key": ("UPDATE issuance SET key_sha256 = x'99' WHERE id = 2", "the key"),
    "a certificate was removed": (
        "DELETE FROM certificate WHERE issuance_id = 2", "no certificate and is not open"),
    "an intent was removed": ("DELETE FROM issuance WHERE id = 2", "refers to no issuance"),
    "an end was written twice": ("INSERT INTO open_intent VALUES (2, x'30')", "and is open"),
    "the order counts less": ("UPDATE production_order SET reserved = 3", "units are reserved"),
    "a void is not counted": (
        "INSERT INTO void_issuance VALUES (9, x'41', 1, 'v', x'01', 1, x'02', x'03', 1, 0, 213, 0)",
        "voids are counted"),
    "another CA made it": (
        "UPDATE profile SET ca_certificate_der = x'3000'", "another CA certificate"),
    "another certificate was registered": (
        "UPDATE registration SET certificate_id = zeroblob(32) WHERE issuance_id = 1",
        "another certificate"),
    "a certificate was left out": ("DELETE FROM registration WHERE issuance_id = 2", "left out"),
    "what was taken in is miscounted": ("UPDATE cloud_feed SET taken = 9", "9 were taken in"),
    "a state is miscounted": (
        "UPDATE registration_count SET count = 2 WHERE state = 3", "counted only"),
    "a state is not counted": ("DELETE FROM registration_count WHERE state = 3", "there only"),
    "a bulk task is over too soon": ("UPDATE bulk_task SET state = 5", "that is over"),
    "a bulk task is miscounted": ("UPDATE bulk_task SET lines = 7", "7 lines"),
    "a registration has no certificate": (
        "INSERT INTO registration VALUES (1, 77, 1, 0, 0, NULL, 0, '', NULL, 0)", "has no certificate"),
    "a registration to come has no intent": (
        "INSERT INTO registration VALUES (1, 77, 0, 0, 0, NULL, 0, '', NULL, 0)", "has no intent"),
    "a number of stations is no number": (
        "UPDATE sqlite_sequence SET seq = 'x' WHERE name = 'station'", "references: "),
    "a VOID is earlier than a lower number": (
        f"INSERT INTO void_issuance VALUES (5, x'41', 1, 'v', x'01', 1, x'02', x'03', 1, {ISSUED - 7200},"
        " 213, 0)", "of a lower number"),
    "the schema is newer": ("PRAGMA user_version = 9", "schema 9"),
    "it is no ledger": ("PRAGMA application_id = 1", "not a ledger"),
}


@pytest.mark.parametrize("what", LIES)
def test_a_lie_in_the_ledger_is_found(folder, what):
    statement, expected, *more = LIES[what]
    if statement:
        folder.sql(statement)
    code, report = folder.check(*(more[0] if more else []))
    assert code == WRONG
    assert any(expected in finding for finding in report["findings"]), report["findings"]


def rebuild(folder, table, *rules):
    """The same table without these rules."""
    folder.db.execute("PRAGMA foreign_keys = OFF")
    text = folder.db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    weak = text.replace(f"TABLE {table}", "TABLE weak")
    for rule in rules:
        assert rule in weak
        weak = weak.replace(rule, "")
    folder.db.execute("PRAGMA legacy_alter_table = ON")
    folder.db.executescript(f"{weak}; INSERT INTO weak SELECT * FROM {table}; DROP TABLE {table};"
                            f" ALTER TABLE weak RENAME TO {table};")


@pytest.mark.parametrize("columns", ["key_sha256", "serial", "order_id, device_id"])
def test_duplicates_are_found_without_believing_the_index(folder, columns):
    """A ledger whose UNIQUE constraints were taken away."""
    rebuild(folder, "issuance", " NOT NULL UNIQUE", ",\n  UNIQUE (order_id, device_id)",
            ",\n  UNIQUE (order_id, request_id)")
    for column in columns.split(", "):
        folder.db.execute(f"UPDATE issuance SET {column} = (SELECT {column} FROM issuance"
                          " WHERE id = 1) WHERE id = 2")
    code, report = folder.check()
    assert code == WRONG
    assert any(f"the same {columns}" in finding for finding in report["findings"])
    assert any("UNIQUE rules" in finding for finding in report["findings"])


@pytest.mark.parametrize("table, rule", [
    ("station", " NOT NULL UNIQUE"), ("station", "CHECK (state IN (1, 2, 3))"),
    ("profile", " UNIQUE"), ("certificate", " REFERENCES issuance (id)"), ("issuance", " STRICT"),
    ("production_order", "CHECK (quantity >= 0)"), ("bulk_task", " UNIQUE"), ("cloud_target", " UNIQUE")])
def test_a_dropped_rule_is_found(folder, table, rule):
    rebuild(folder, table, rule)
    code, report = folder.check()
    assert code == WRONG
    assert [each for each in report["findings"] if f"{table} is not that of schema 4" in each]


@pytest.mark.parametrize("statement, expected", [
    ("DROP INDEX station_live_name", "station_live_name of schema 4 is missing"),
    ("DROP INDEX station_live_name; CREATE UNIQUE INDEX station_live_name ON station (name)"
     " WHERE state > 3", "station_live_name is not that of schema 4"),
    ("PRAGMA writable_schema = ON; CREATE INDEX i ON station (state); UPDATE sqlite_master SET"
     " name = 'sqlite_i', sql = 'CREATE INDEX sqlite_i ON station (state)' WHERE name = 'i'",
     "sqlite_i is not that of schema 4"),
    ("CREATE TABLE notes (text)", "notes is not that of schema 4")])
def test_another_index_or_table_is_found(folder, statement, expected):
    folder.db.executescript(statement)
    code, report = folder.check()
    assert code == WRONG
    assert len(report["findings"]) == 1 and expected in report["findings"][0], report["findings"]


@pytest.mark.parametrize("change, expected", [
    ("production_order SET state = 0", "1 rows of production_order break CHECK (state IN (1, 2))"),
    ("production_order SET quantity = 3", "CHECK (quantity IS NULL OR reserved <= quantity)"),
    ("station SET state = 3", "CHECK ((state = 3) = (revoked_at IS NOT NULL))"),
    ("station SET token_key_sha256 = NULL", "((enrolled_at IS NULL) = (token_key_sha256 IS NULL))"),
    ("registration SET state = 9 WHERE issuance_id = 2", "CHECK (state BETWEEN 0 AND 5)"),
    ("ledger_identity SET ledger_id = x'01'", "CHECK (length(ledger_id) = 16)")])
def test_values_that_the_schema_does_not_allow_are_found(folder, change, expected):
    folder.db.execute("PRAGMA ignore_check_constraints = ON")
    folder.sql(f"UPDATE {change}")
    code, report = folder.check()
    assert code == WRONG
    assert any(expected in each for each in report["findings"]), report["findings"]


def test_values_of_another_type_hide_nothing_else(folder):
    """Without STRICT and NOT NULL a row may hold anything."""
    rebuild(folder, "issuance", " STRICT", " NOT NULL")
    folder.sql("UPDATE issuance SET issued_at = 'x', tbs = NULL, serial = 1.5 WHERE id = 2")
    folder.sql("UPDATE issuance SET key_sha256 = x'99' WHERE id = 3")
    code, report = folder.check()
    assert code == WRONG
    for expected in ("issuance 2", "issuance 3 (device-3): the key"):
        assert any(expected in each for each in report["findings"]), report["findings"]
    assert report["not_checked"] == ["state", "manifests"]


@pytest.mark.parametrize("line", ["backdate_s=x", "backdate_s=", "validity_s=\u00b2", "validity_s=none",
                                  pytest.param("validity_s=" + "9" * 5000, id="long"), "backdate_s"])
def test_a_profile_that_cannot_be_read_hides_nothing_else(folder, line):
    key = line.split("=")[0]
    text = "".join(f"{line}\n" if each.startswith(key) else f"{each}\n" for each in PROFILE.split("\n"))
    (der,) = folder.db.execute("SELECT ca_certificate_der FROM profile").fetchone()
    folder.sql("UPDATE profile SET canonical_text = ?, sha256 = ?", text,
               hashlib.sha256(text.encode() + der).digest())
    folder.sql("UPDATE issuance SET key_sha256 = x'99' WHERE id = 2")
    code, report = folder.check()
    assert code == WRONG
    found = report["findings"]
    assert len(found) == 2 and found[0].startswith("profile 1: its text: "), found
    assert found[1] == "issuance 2 (device-2): the key is not that of the row"


def test_after_a_doubt_of_the_clock_only_sure_contradictions_are_found(folder):
    """Stations get their times also while the clock is in doubt. Here it was after number 2."""
    folder.sql("INSERT INTO clock_event VALUES (1, 1, 0, 0, 2)")
    folder.sql("INSERT INTO clock_event VALUES (2, 2, 0, 0, 2)")
    folder.sql("UPDATE station SET enrolled_at = ?", ISSUED + 86400)
    code, report = folder.check()
    assert [each.split(" of ")[0] for each in report["findings"]] == [
        "issuance 1 (device-1)", "issuance 2 (device-2)"]
    assert any("up to number 2" in each for each in report["notes"])
    assert "station times" in report["not_checked"] and "stations" in report["checked"]
    folder.sql("UPDATE station SET enrolled_at = 0, state = 3, revoked_at = ?", ISSUED - 3600)
    code, report = folder.check()
    assert [each.split(" of ")[0] for each in report["findings"]] == [
        "issuance 3 (device-3)", "issuance 4 (device-4)"]
    folder.sql("UPDATE clock_event SET newest_issuance = 4 WHERE id = 2")
    assert folder.check()[1]["findings"] == []


def test_a_void_counts_as_an_intent_of_its_station(folder):
    folder.sql("INSERT INTO station SELECT 2, 'line-2', 3, x'05', x'31', 0, 0, 1, x'06', 0, x'07'")
    folder.sql("UPDATE station SET certificate_sha256 = ? WHERE id = 2", hashlib.sha256(b"1").digest())
    folder.sql("INSERT INTO void_issuance VALUES (5, x'41', 1, 'v', x'01', 2, x'02', x'03', 1, ?, 213, ?)",
               ISSUED, ISSUED)
    folder.sql("UPDATE production_order SET voided = 1")
    found = folder.check()[1]["findings"]
    assert len(found) == 1 and found[0].startswith(f"issuance 5 (v) of {ISSUED}: station line-2"), found


def test_text_before_the_ca_certificate_does_not_count(folder):
    path = folder.path / "ca.pem"
    made = subprocess.run(["openssl", "x509", "-text", "-in", path], capture_output=True, check=True)
    assert not made.stdout.startswith(b"-----BEGIN")
    path.write_bytes(b"M\xfcller\n" + made.stdout)
    assert folder.check()[0] == 0


@pytest.mark.parametrize("text", ["none", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"])
def test_a_ca_file_that_is_none_is_named(folder, text):
    path = folder.path / "other.pem"
    path.write_text(text)
    done = subprocess.run(["/usr/bin/python3", AUDIT, "--ledger", folder.ledger, "--ca", path],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 74 and str(path) in done.stderr, done.stderr


def test_a_missing_library_is_told(folder):
    """Without its site packages Python finds no cryptography."""
    done = subprocess.run(["/usr/bin/python3", "-S", AUDIT, "--ledger", folder.ledger, "--ca", "x"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 69 and "python3-cryptography" in done.stderr, done.stderr


def test_a_forged_row_writes_no_line_of_the_report(folder):
    folder.sql("UPDATE issuance SET device_id = ? WHERE id = 2", "x\nOK: all checks passed\x1b[2J\u009b\u4e00")
    folder.sql("INSERT INTO ledger_event VALUES (1, 0, 'new_ledger', ?)", "\r\x1b[1A\x1b[K")
    shutil.copy(folder.certs / "device-1.pem", bytes(folder.certs) + b"/\xff.pem")
    done = subprocess.run(["/usr/bin/python3", AUDIT, "--ledger", folder.ledger, "--ca",
                           folder.path / "ca.pem", "--certs", folder.certs], capture_output=True, check=False,
                          env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (done.returncode, done.stderr) == (WRONG, b"")
    assert b"issuance 2 (x\\nOK: all checks passed\\x1b[2J\\x9b\\u4e00)" in done.stdout
    assert all(byte == 10 or 32 <= byte < 127 for byte in done.stdout)


def test_a_file_that_is_not_in_the_ledger_is_found(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    made = certificate("device-9", "Device CA", key, folder.ca_key, 0x41 << 120)
    (folder.certs / "device-9.pem").write_bytes(made.public_bytes(PEM))
    code, report = folder.check()
    assert code == WRONG
    assert "is not in the ledger" in report["findings"][0]


def test_a_file_that_is_there_twice_is_found(folder):
    shutil.copy(folder.certs / "device-1.pem", folder.certs / "copy.pem")
    code, report = folder.check()
    assert code == WRONG
    assert any("the same certificate" in finding for finding in report["findings"])


def test_a_file_that_is_cut_off_is_found(folder):
    path = folder.certs / "device-1.pem"
    path.write_text(path.read_text()[:200])
    assert folder.check()[0] == WRONG


def test_a_damaged_database_is_found(folder):
    folder.db.close()
    path = folder.ledger / "ledger.sqlite"
    content = bytearray(path.read_bytes())
    content[5 * 4096:6 * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    code, report = folder.check()
    assert code == WRONG and report["findings"]


@pytest.mark.parametrize("arguments, expected", [
    (("--ledger", "/nonexistent", "--ca", "/nonexistent"), 74), (("--ledger", "/nonexistent"), 64)])
def test_wrong_usage_and_missing_files_are_told_apart(arguments, expected):
    done = subprocess.run(["/usr/bin/python3", AUDIT, *arguments], capture_output=True, text=True,
                          check=False)
    assert done.returncode == expected, done.stderr
