"""Forgeries of a ledger that linesignd wrote: whatever can be known about each of them is found.

One appliance makes the ledger, its record, a manifest and the files at the station; every test works
on a copy."""

import glob
import hashlib
import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from support import csr, der
from support.appliance import BIN, EX_DATA, EX_OK, EX_TEMPFAIL, Appliance, read_only, writable
from support.raw_station import messages

AUDIT = Path(__file__).resolve().parent.parent.parent / "appliance/audit/linesign-audit"
DEVICES = 12
ALL = ("state", "manifest", "certs")


class Evidence:
    def __init__(self, folder):
        self.folder = folder
        self.ledger = folder / "ledger"
        self.given = {"state": folder / "ledger-state.toml", "manifest": folder / "manifest.csv",
                      "certs": folder / "certs"}
        self.signed = folder / "manifest.json"

    def sql(self, *statements):
        with sqlite3.connect(self.ledger / "ledger.sqlite", isolation_level=None) as db:
            db.execute("PRAGMA foreign_keys = OFF")
            for statement in statements:
                db.execute(statement)
        db.close()

    def audit(self, *given, options=()):
        command = ["/usr/bin/python3", str(AUDIT), "--ledger", str(self.ledger), "--ca",
                   str(self.folder / "ca.pem"), "--json", *options]
        for name in given:
            command += [f"--{name}", str(self.given[name])]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.stderr == "", run.stderr
        return run.returncode, json.loads(run.stdout)

    def findings(self, *given):
        code, report = self.audit(*given)
        assert code == (EX_DATA if report["findings"] else EX_OK)
        return report["findings"]


@pytest.fixture(scope="module")
def real(tokens, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    appliance = Appliance(tokens, config={"manifest": {"key_label": "manifest"}})
    try:
        writable(appliance.folder / "tokens")
        appliance.cli("manifest", "init")
        read_only(appliance.folder / "tokens")
        appliance.start()
        appliance.station("line2")
        appliance.request("--generate", str(DEVICES))
        appliance.cli("station", "revoke", "line2")
        for form, name in (("csv", "manifest.csv"), ("signed", "manifest.json")):
            appliance.cli("manifest", "export", "--format", form, "--out", str(folder / name))
        appliance.stop()
        shutil.copytree(appliance.folder / "ledger", folder / "ledger")
        shutil.copytree(appliance.certs, folder / "certs")
        shutil.copy(appliance.folder / "ca.pem", folder)
        shutil.copy(appliance.folder / "station-ca/ledger-state.toml", folder)
    finally:
        appliance.close()
    return folder


@pytest.fixture
def evidence(real, tmp_path):
    return Evidence(Path(shutil.copytree(real, tmp_path / "evidence")))


def test_a_real_ledger_passes_and_the_report_says_what_was_checked(evidence):
    code, report = evidence.audit(*ALL)
    assert (code, report["findings"], report["not_checked"]) == (EX_OK, [], [])
    assert (report["certificates"], report["files"], report["manifest_devices"]) == (DEVICES,) * 3
    assert report["cannot_know"]
    assert evidence.audit()[1]["not_checked"] == ["state", "manifests", "certificates"]


def test_the_text_ends_with_the_checks_and_never_calls_the_ledger_true(evidence):
    run = subprocess.run(["/usr/bin/python3", str(AUDIT), "--ledger", str(evidence.ledger), "--ca",
                          str(evidence.folder / "ca.pem")], capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    assert lines[-1].startswith("OK: all 13 checks passed (file, references, numbers,")
    assert "what this cannot know:" in lines and "not checked:" in lines


def test_times_that_a_doubt_of_the_clock_covers_are_not_called_checked(evidence):
    evidence.sql("INSERT INTO clock_event VALUES (1, 3, 0, 0, 0)")
    code, report = evidence.audit(*ALL)
    assert (code, report["not_checked"]) == (EX_OK, ["station times"])
    assert any("intents up to number 0" in each for each in report["notes"]), report["notes"]


def test_reading_leaves_the_ledger_as_it_was(evidence):
    before = {path.name: path.read_bytes() for path in evidence.ledger.iterdir()}
    evidence.audit(*ALL)
    assert {path.name: path.read_bytes() for path in evidence.ledger.iterdir()} == before


TABLES = ("delivery", "confirmation", "certificate", "issuance")


def remove(condition):
    column = condition.replace("id", "issuance_id", 1)
    return [f"DELETE FROM {table} WHERE {condition if table == 'issuance' else column}"
            for table in TABLES] + [
        "UPDATE production_order SET reserved = (SELECT count(*) FROM issuance)"]


def number_from_to(old, new):
    return [f"UPDATE {table} SET {column} = {new} WHERE {column} = {old}"
            for table in TABLES for column in ["id" if table == "issuance" else "issuance_id"]]


TO_VOID = ["INSERT INTO void_issuance SELECT id, serial, order_id, device_id, request_id, station_id,"
           " csr_sha256, key_sha256, profile_id, issued_at, 213, issued_at FROM issuance WHERE id = 5",
           *remove("id = 5"), "UPDATE production_order SET voided = 1"]

# What was forged, the statements, what finds it without help, and what each evidence adds.
FORGERIES = {
    "the last rows were deleted": (remove("id > 9"), None, {
        "state": "the ledger is older", "manifest": "is not in the ledger",
        "certs": "is not in the ledger"}),
    "a row in the middle was deleted": (remove("id = 5"), "number 5 is missing", {
        "state": "certificates 11, recorded 12", "manifest": "is not in the ledger",
        "certs": "is not in the ledger"}),
    "a row was deleted and the others renumbered": ([*remove("id = 5"), *[each for old in range(6, 13) for each in number_from_to(old, old - 1)]], None, {
        "state": "newest 11, recorded 12", "manifest": "is not in the ledger"}),
    "an issued certificate became a VOID": (TO_VOID, None, {
        "state": "certificates 11, recorded 12", "manifest": "is VOID 5 in the ledger",
        "certs": "is VOID 5 in the ledger"}),
    "its delivery was left": ([TO_VOID[0], *TO_VOID[3:],
                               "INSERT OR IGNORE INTO delivery VALUES (5, 1, 1)"],
                              "VOID 5 (", {}),
    "a VOID has a reason that rejects nothing": (
        [*TO_VOID, "UPDATE void_issuance SET reason = 500"], "has reason 500", {}),
    "a station that rows point to was deleted": (
        ["DELETE FROM station WHERE name = 'line1'"], "refers to no station", {}),
    "a station that no row points to was deleted": (
        ["DELETE FROM station WHERE name = 'line2'"], "2 stations were added, 1 are there", {
            "state": "station changes"}),
    "it was deleted, and the other one got its number": (
        ["DELETE FROM station WHERE name = 'line2'", "UPDATE station SET id = 1",
         "UPDATE issuance SET station_id = 1", "UPDATE delivery SET station_id = 1",
         "UPDATE sqlite_sequence SET seq = 1"], None, {"state": "station changes"}),
    "the number of a station may be given again": (
        ["UPDATE sqlite_sequence SET seq = 1"], "1 numbers of stations were given, the newest is 2", {}),
    "a revoked station has no time of it": (
        ["PRAGMA ignore_check_constraints = ON",
         "UPDATE station SET revoked_at = NULL WHERE name = 'line2'"], "rows of station break CHECK", {}),
    "a revocation was taken back": (
        ["UPDATE station SET state = 2, revoked_at = NULL WHERE name = 'line2'"], None, {
            "state": "station changes 4, recorded 5"}),
    "a station's certificate was exchanged": (
        ["UPDATE station SET certificate_der = x'3000' WHERE name = 'line1'"],
        "its certificate is not the one of its hash", {}),
    "it was exchanged together with its hash": (
        ["UPDATE station SET certificate_der = x'3000', certificate_sha256 ="
         f" x'{hashlib.sha256(bytes.fromhex('3000')).hexdigest()}' WHERE name = 'line1'"], None, {}),
    "the profile's text was changed": (
        ["UPDATE profile SET canonical_text = canonical_text || 'policy 1.2.3\n'"],
        "are not those of its hash", {}),
    "a row is from another time than its certificate": (
        ["UPDATE issuance SET issued_at = issued_at + 86400 WHERE id = 12"],
        ("notBefore", "notAfter"), {}),
    "a certificate is from before its intent": (
        ["UPDATE certificate SET committed_at = committed_at - 7200 WHERE issuance_id = 3"],
        "committed_at", {}),
    "a row is earlier than one of a lower number": (
        ["UPDATE issuance SET issued_at = issued_at - 7200 WHERE id = 6"], "of a lower number", {}),
    "an intent is from before its station was enrolled": (
        ["UPDATE station SET enrolled_at = enrolled_at + 7200 WHERE name = 'line1'"],
        "was enrolled at", {}),
    "a doubt of the clock was made up, and its station was never enrolled": (
        ["INSERT INTO clock_event VALUES (1, 3, 0, 0, 0)", "PRAGMA ignore_check_constraints = ON",
         "UPDATE station SET enrolled_at = NULL WHERE name = 'line1'"], "was enrolled at None", {}),
    "a doubt of the clock was made up, and its station enrolled later": (
        ["INSERT INTO clock_event VALUES (1, 3, 0, 0, 0)",
         "UPDATE station SET enrolled_at = enrolled_at + 7200 WHERE name = 'line1'"], None, {}),
    "the order counts more": (["UPDATE production_order SET reserved = 13"], "units are reserved", {}),
    "a certificate has another signature": (
        ["UPDATE certificate SET signature = (SELECT signature FROM certificate WHERE issuance_id = 1)"
         " WHERE issuance_id = 2"], "does not verify", {}),
    "the newest row is another one": (
        [each for move in ((12, 99), (11, 12), (99, 11)) for each in number_from_to(*move)], None, {"state": "number 12 has serial number"}),
    "a UNIQUE rule was cut out of the schema": (
        ["PRAGMA writable_schema = ON",
         "UPDATE sqlite_master SET sql = replace(sql, ',\n  UNIQUE (order_id, device_id)', '') WHERE"
         " name = 'issuance'",
         "DELETE FROM sqlite_master WHERE name = 'sqlite_autoindex_issuance_3'"],
        "cannot be read", {}),
    "a trigger was added": (
        ["CREATE TRIGGER forget AFTER INSERT ON void_issuance BEGIN DELETE FROM void_issuance; END"],
        "has no trigger", {}),
    "it is another ledger": (
        ["UPDATE ledger_identity SET ledger_id = zeroblob(16)"], None, {"state": "another ledger"}),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forgery_is_found(evidence, what):
    statements, alone, by_evidence = FORGERIES[what]
    evidence.sql(*statements)
    found = evidence.findings()
    if alone is None:
        assert found == [], "this program says what it cannot know without evidence"
    else:
        for words in [alone] if isinstance(alone, str) else alone:
            assert any(words in each for each in found), found
    for name, expected in by_evidence.items():
        assert any(expected in each for each in evidence.findings(name)), (name,
                                                                           evidence.findings(name))


def test_an_older_copy_is_found_by_the_record_and_by_a_manifest_alone(evidence):
    evidence.sql(*remove("id > 9"))
    assert any("older" in each for each in evidence.findings("state"))
    assert len(evidence.findings("manifest")) == DEVICES - 9


def test_a_ledger_that_went_on_elsewhere_is_found_by_the_record(evidence):
    state = evidence.given["state"]
    state.write_text(state.read_text().replace(f"certificates = {DEVICES}", "certificates = 3"))
    assert any("went on after linesignd was stopped" in each for each in evidence.findings("state"))


def test_certificates_of_several_cas_are_checked_under_their_own(make_appliance, check_ledger):
    appliance = make_appliance().start()
    appliance.request("--generate", "3")
    appliance.change_ca()
    appliance.request("--generate", "6")
    appliance.stop()
    check_ledger(appliance, "--ca", str(appliance.folder / "ca-2.pem"), "--expect", "6")


def certify(appliance, name, requests):
    with appliance.open_station(name) as station:
        for device, subject in requests.items():
            reply = station.issue(device, csr.make(subject, csr.new_key()))
            assert reply.status == messages.STATUS_OK, reply.failure


def test_common_names_of_every_type_are_read_and_missing_ones_counted(make_appliance, check_ledger):
    appliance = make_appliance(config={"profile": {"subject": "csr"}}).start()
    wide = "universal-1".encode("utf-32-be")
    certify(appliance, "line1", {
        "utf8-1": der.common_name("utf8-1"),
        "bmp-1": der.common_name("bmp-1", der.BMP),
        "universal-1": der.name(der.attribute(der.COMMON_NAME, wide, 0x1C)),
        "none-1": der.name(der.attribute(der.SERIAL_NUMBER, "1", der.PRINTABLE))})
    manifest = appliance.folder / "manifest.csv"
    appliance.cli("manifest", "export", "--format", "csv", "--out", str(manifest))
    appliance.stop()
    text = check_ledger(appliance, "--expect", "4", "--manifest", str(manifest))
    assert "4 certificates, 1 without common name" in text
    copy = Evidence(Path(shutil.copytree(appliance.folder, appliance.folder / "copy", ignore=lambda folder, _:
                                         ["copy", "tokens"])))
    copy.given["manifest"] = manifest
    copy.sql("UPDATE issuance SET device_id = device_id || 'x'")
    found = copy.findings()
    assert len(found) == 3 and all("the common name is" in each for each in found), found
    assert any("device none-1 is none-1x in the ledger" in each for each in copy.findings("manifest"))


def test_a_station_that_came_or_went_under_a_wrong_clock_accuses_nobody(make_appliance, check_ledger):
    """line1 is revoked while the clock is an hour back, line2 enrolled while it is a day ahead."""
    appliance = make_appliance()
    clock = appliance.folder / "faketime"

    def set_clock(offset):
        clock.with_suffix(".new").write_text(offset + "\n")
        clock.with_suffix(".new").rename(clock)

    def wait_for(error):
        appliance.wait_status(lambda each: [error] == [obstacle["error"]["name"] for obstacle
                                                       in each["obstacles"]], error)

    set_clock("+0")
    appliance.environment = {
        "LD_PRELOAD": glob.glob("/usr/lib/*/faketime/libfaketime.so.1")[0], "FAKETIME_NO_CACHE": "1",
        "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    appliance.start()
    certify(appliance, "line1", {"before-1": "before-1", "before-2": "before-2"})
    set_clock("-1h")
    wait_for("ClockInDoubt")
    appliance.cli("station", "revoke", "line1")
    set_clock("+1d")
    wait_for("ClockUnconfirmed")
    appliance.station("line2")
    set_clock("+0")
    appliance.wait_producing()
    certify(appliance, "line2", {"after-1": "after-1"})
    appliance.stop()
    text = check_ledger(appliance, "--expect", "3")
    assert "intents up to number 2 were compared with times of enrolment" in text, text


def test_while_linesignd_runs_a_copy_is_checked_and_the_report_says_so(appliance):
    appliance.request("--generate", "3")
    run = subprocess.run(["/usr/bin/python3", str(AUDIT), "--ledger", str(appliance.folder / "ledger"),
                          "--ca", str(appliance.folder / "ca.pem"), "--allow-open", "--expect", "3",
                          "--state", str(appliance.folder / "station-ca/ledger-state.toml")],
                         capture_output=True, text=True, check=False)
    assert run.returncode == EX_OK, run.stdout + run.stderr
    assert f"linesignd runs on this ledger (process {appliance.daemon.pid})" in run.stdout
    assert appliance.status()["producing"]


def test_a_record_that_grows_during_the_audit_accuses_nobody(evidence, tmp_path):
    """As that of a running linesignd: here it grows as soon as the ledger is copied."""
    state = evidence.given["state"]
    grown = state.read_text().replace(f"certificates = {DEVICES}", "certificates = 99")
    code = ("import runpy, sys\nfrom pathlib import Path\n"
            f"sys.path.insert(0, {str(AUDIT.parent)!r})\n"
            "from linesign_audit import source\ncopy = source.copy_ledger\n"
            f"source.copy_ledger = lambda *a: (copy(*a), Path({str(state)!r}).write_text({grown!r}))\n"
            f"sys.argv[0] = {str(AUDIT)!r}\nrunpy.run_path(sys.argv[0], run_name='__main__')\n")
    (evidence.ledger / "ledger.lock").write_text("1")
    run = subprocess.run(["/usr/bin/python3", "-c", code, "--ledger", str(evidence.ledger), "--ca",
                          str(evidence.folder / "ca.pem"), "--state", str(state)],
                         capture_output=True, text=True, check=False)
    assert "certificates = 99" in state.read_text()
    assert run.returncode == EX_OK, run.stdout + run.stderr


def test_a_ledger_that_is_used_while_it_is_read_accuses_nobody(evidence):
    """As by a linesignd that was started meanwhile: here it removes a row in the middle."""
    file = evidence.ledger / "ledger.sqlite"
    code = ("import runpy, sqlite3, sys\n"
            f"sys.path.insert(0, {str(AUDIT.parent)!r})\n"
            "from linesign_audit import rows\ncheck = rows.check_references\n"
            "def change(*a):\n"
            f"    with sqlite3.connect({str(file)!r}) as db:\n"
            "        db.execute('DELETE FROM certificate WHERE issuance_id = 5')\n"
            "    db.close()\n    return check(*a)\n"
            "rows.check_references = change\n"
            f"sys.argv[0] = {str(AUDIT)!r}\nrunpy.run_path(sys.argv[0], run_name='__main__')\n")
    run = subprocess.run(["/usr/bin/python3", "-c", code, "--ledger", str(evidence.ledger), "--ca",
                          str(evidence.folder / "ca.pem")], capture_output=True, text=True, check=False)
    assert run.returncode == EX_TEMPFAIL, run.stdout + run.stderr
    assert "was used while it was read" in run.stderr and run.stdout == ""


def test_a_ledger_whose_owner_is_not_seen_is_copied(evidence):
    assert evidence.audit()[1]["notes"] == []  # stopped in order: the lock names nobody
    (evidence.ledger / "ledger.lock").write_text("4194305")  # no process can have it
    code, report = evidence.audit()
    assert code == EX_OK
    assert any("cannot be seen from here: a copy" in each for each in report["notes"]), report["notes"]


def test_a_signed_manifest_tells_numbers_too(evidence):
    evidence.given["manifest"] = evidence.signed
    code, report = evidence.audit("manifest")
    assert (code, report["findings"], report["manifest_devices"]) == (EX_OK, [], DEVICES)
    evidence.sql(*remove("id = 5"),
                 *[each for old in range(6, 13) for each in number_from_to(old, old - 1)])
    found = evidence.findings("manifest")
    assert any("is not in the ledger" in each for each in found), found
    assert any("has number 12, in the ledger 11" in each for each in found), found
    assert any("goes up to number 12, the newest of the ledger is 11" in each for each in found), found


def test_a_manifest_that_was_cut_off_is_found(evidence):
    manifest = evidence.folder / "manifest.json"
    manifest.write_text('{"linesign_manifest":2,"order":"default","devices":[\n')
    evidence.given["manifest"] = manifest
    assert any("ends too soon" in each for each in evidence.findings("manifest"))


def test_the_installed_program_works_away_from_the_source(real, tmp_path):
    """As docs/operations.md installs it."""
    subprocess.run(["cmake", "--install", BIN.parent, "--component", "Unspecified", "--prefix", tmp_path],
                   check=True, capture_output=True)
    assert (tmp_path / "bin/linesignd").is_file()
    run = subprocess.run([str(tmp_path / "bin/linesign-audit"), "--ledger", str(real / "ledger"), "--ca",
                          str(real / "ca.pem")], capture_output=True, text=True, check=False)
    assert run.returncode == EX_OK, run.stdout + run.stderr


def test_the_record_fits_the_ledger_byte_for_byte(real):
    """The record is written by linesignd; here it is read by eye."""
    text = (real / "ledger-state.toml").read_text()
    with sqlite3.connect(f"file:{real}/ledger/ledger.sqlite?immutable=1", uri=True) as db:
        (serial,) = db.execute("SELECT lower(hex(serial)) FROM issuance WHERE id = 12").fetchone()
    for line in ("newest = 12", f'newest_serial = "{serial}"', "certificates = 12", "voids = 0",
                 "station_changes = 5", "closed = true"):
        assert line in text.splitlines()
