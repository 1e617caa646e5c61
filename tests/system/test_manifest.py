"""Manifests with the real daemon and a token: what was made, told to others, and what comes back
from a plant without internet."""

import hashlib
import json
import os
import signal
import subprocess
import sys

import pytest

from support.appliance import (EX_CONFIG, EX_DATA, EX_IO, EX_TEMPFAIL, EX_UNAVAILABLE,
                               EX_USAGE, Appliance, limit_file_size, program, read_only,
                               softhsm_env, writable)
from support.aws.certificates import id_of

AWS = {"targets_of_default_order": ["plant"]}
TARGETS = [{"name": "plant", "account": "111122223333", "region": "eu-central-1", "way": "file",
            "export_dir": "export"}]
DEVICES = 25


def make_key(appliance, *arguments, **options):
    """The ceremony's token is open for writing while a key is made."""
    writable(appliance.folder / "tokens")
    run = appliance.cli("manifest", "init", *arguments, **options)
    read_only(appliance.folder / "tokens")
    return run


@pytest.fixture(scope="module")
def plant(tokens):
    """An appliance with a manifest key that has made devices."""
    appliance = Appliance(tokens, config={"manifest": {"key_label": "manifest"}, "aws": AWS})
    appliance.tables["aws.target"] = TARGETS
    appliance.configure({})
    make_key(appliance)
    appliance.start()
    appliance.request("--generate", str(DEVICES))
    yield appliance
    appliance.close()


@pytest.fixture
def out(tmp_path):
    return tmp_path / "manifest.json"


def export(plant, out, *arguments, form="signed", **options):
    return plant.cli("manifest", "export", "--format", form, "--out", str(out), *arguments, **options)


def verify(plant, *arguments, **options):
    return plant.cli("manifest", "verify", *map(str, arguments), **options)


def refused(run, code, name):
    assert run.returncode == code and name in run.stderr, run.stdout + run.stderr


def openssl_verify(plant, manifest):
    return subprocess.run(
        ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", f"{manifest}.p7s", "-content",
         str(manifest), "-CAfile", str(plant.folder / "manifest.pem"), "-out", "/dev/null"],
        capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("form", ["json", "csv", "signed"])
def test_a_range_is_exported_twice_with_the_same_bytes(plant, tmp_path, form):
    first, second = tmp_path / "first", tmp_path / "second"
    export(plant, first, form=form)
    export(plant, second, "--first", "1", "--last", str(DEVICES), form=form)
    assert first.read_bytes() == second.read_bytes()
    if form == "json":
        lines = [json.loads(line) for line in first.read_text().splitlines()]
        assert len(lines) == DEVICES
        assert set(lines[0]) == {"ThingName", "SerialNumber", "Batch", "CertificatePem"}
    if form == "csv":
        assert len(first.read_text().splitlines()) == DEVICES + 1


def test_the_range_hash_can_be_computed_by_anyone(plant, out):
    export(plant, out)
    manifest = json.loads(out.read_text())
    hashed = hashlib.sha256()
    for device in manifest["devices"]:
        hashed.update(device["sequence"].to_bytes(8, "big"))
        hashed.update(bytes.fromhex(device["certificate_id"]))
        hashed.update(device["ca"].to_bytes(4, "big"))
        hashed.update(device["device_id"].encode() + b"\n")
    for ca in manifest["ca_certificate_ids"]:
        hashed.update(bytes.fromhex(ca))
    assert manifest["range_sha256"] == hashed.hexdigest()
    assert manifest["count"] == len(manifest["devices"]) == DEVICES
    ca = subprocess.run(["openssl", "x509", "-in", str(plant.folder / "ca.pem"), "-outform", "DER"],
                        capture_output=True, check=True).stdout
    assert manifest["ca_certificate_ids"] == [hashlib.sha256(ca).hexdigest()]
    assert manifest["ledger_head"] is None


def test_a_signed_manifest_verifies_here_offline_and_with_openssl(plant, out, tmp_path):
    export(plant, out)
    assert "The ledger holds the same." in verify(plant, out).stdout
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = subprocess.run([program("linesign"), "--config", str(elsewhere / "none.toml"), "manifest",
                          "verify", str(out), "--certificate", str(plant.folder / "manifest.pem")],
                         capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0 and "not asked" in run.stdout, run.stderr
    run = openssl_verify(plant, out)
    assert run.returncode == 0, run.stderr


def test_a_changed_byte_is_found_by_both(plant, out):
    export(plant, out)
    content = bytearray(out.read_bytes())
    content[len(content) // 2] ^= 1
    out.write_bytes(content)
    refused(verify(plant, out, check=False), EX_DATA, "ManifestSignatureWrong")
    assert openssl_verify(plant, out).returncode != 0


def test_manifests_join_and_a_missing_one_is_named(plant, tmp_path):
    parts = []
    for first, last in ((1, 8), (9, 9), (10, DEVICES)):
        parts.append(tmp_path / f"{first}.json")
        export(plant, parts[-1], "--first", str(first), "--last", str(last))
    assert "without a gap" in verify(plant, *reversed(parts)).stdout
    refused(verify(plant, parts[0], parts[2], check=False), EX_DATA, "ManifestIncomplete")


def test_a_range_without_rows_is_a_manifest_and_one_that_is_not_finished_is_none(plant, out):
    run = export(plant, out, "--first", str(DEVICES + 1), "--json")
    assert json.loads(run.stdout)["count"] == 0
    verify(plant, out)
    refused(export(plant, out.with_name("more"), "--last", str(DEVICES + 1), check=False),
            EX_TEMPFAIL, "ManifestRangeOpen")
    beyond = export(plant, out.with_name("more"), "--first", "99999", check=False)
    refused(beyond, EX_TEMPFAIL, f"the next range begins with {DEVICES + 1}")
    assert not out.with_name("more").exists()


def test_a_range_over_a_change_of_the_ca_names_the_ca_of_each_device(make_appliance, tmp_path):
    appliance = make_appliance()
    make_key(appliance)
    appliance.start()
    appliance.request("--generate", "3", out=tmp_path / "first")
    appliance.change_ca()
    appliance.request("--generate", "2", "--first", "4", out=tmp_path / "second")
    cas = [id_of((appliance.folder / name).read_text()) for name in ("ca.pem", "ca-2.pem")]
    whole, rest = tmp_path / "whole.json", tmp_path / "rest.json"
    export(appliance, whole)
    manifest = json.loads(whole.read_text())
    assert manifest["ca_certificate_ids"] == cas
    assert [each["ca"] for each in manifest["devices"]] == [0, 0, 0, 1, 1]
    said = verify(appliance, whole).stdout
    assert f"CA {cas[0]} and {cas[1]}" in said and "The ledger holds the same." in said
    assert json.loads(verify(appliance, whole, "--json").stdout)["manifests"][0][
        "ca_certificate_ids"] == cas
    export(appliance, rest, "--first", "4")
    assert json.loads(rest.read_text())["ca_certificate_ids"] == cas[1:]
    verify(appliance, rest)
    table = tmp_path / "table.csv"
    export(appliance, table, form="csv")
    assert [row.rsplit(",", 1)[1] for row in table.read_text().splitlines()[1:]] == \
        cas[:1] * 3 + cas[1:] * 2


def test_a_reader_that_goes_away_ends_a_command_quietly(plant, out):
    def say(stdout):
        return subprocess.run([program("linesign"), "--config", str(plant.config_file), "status"],
                              stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60,
                              check=False)

    reader, writer = os.pipe()
    os.close(reader)
    run = say(writer)
    os.close(writer)
    assert (run.returncode, run.stderr) == (0, "")
    with open("/dev/full", "wb") as full:
        refused_run = say(full)
    assert refused_run.returncode == EX_IO and "standard output" in refused_run.stderr


def test_nothing_is_overwritten_unless_asked(plant, out):
    export(plant, out, "--last", "3")
    before = out.read_bytes()
    again = export(plant, out, check=False)
    refused(again, EX_DATA, "FileExists")
    assert "--force replaces it" in again.stderr
    assert out.read_bytes() == before
    export(plant, out, "--force")
    assert json.loads(out.read_text())["count"] == DEVICES
    verify(plant, out)


def test_wrong_questions_are_told(plant, out):
    refused(export(plant, out, "--order", "nothing", check=False), EX_DATA, "OrderUnknown")
    refused(export(plant, out, "--target", "moon", form="json", check=False), EX_DATA,
            "CloudTargetUnknown")
    refused(export(plant, out, "--target", "plant", form="csv", check=False), EX_USAGE, "Usage")
    refused(export(plant, out / "no-folder", check=False), EX_IO, "Io")
    export(plant, out, "--target", "plant", form="json")


def test_a_full_disk_leaves_the_old_files(plant, out):
    """A write beyond the limit fails as one on a full disk does."""
    export(plant, out, "--last", "3")
    before = out.read_bytes(), out.with_name(out.name + ".p7s").read_bytes()

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit_file_size(1024)()

    run = export(plant, out, "--force", check=False, preexec_fn=full, restore_signals=False)
    refused(run, EX_IO, "Io")
    assert (out.read_bytes(), out.with_name(out.name + ".p7s").read_bytes()) == before
    assert sorted(each.name for each in out.parent.iterdir()) == [out.name, out.name + ".p7s"]
    verify(plant, out)


def test_the_ca_key_signs_no_manifest(plant, out):
    """By whatever name it is called; and no certificate helps it."""
    config = plant.folder / "ca-key.toml"
    text = plant.config_file.read_text()
    config.write_text(text.replace('key_label = "manifest"',
                                   'key_label = "device-ca"\ncertificate = "ca.pem"'))
    run = plant.run(program("linesign"), "--config", str(config), "manifest", "export", "--format",
                    "signed", "--out", str(out), check=False)
    refused(run, EX_CONFIG, "ManifestKeyRefused")
    assert not out.exists()


def test_without_a_manifest_key_it_is_said_how_to_make_one(make_appliance, tmp_path):
    appliance = make_appliance().start()
    run = export(appliance, tmp_path / "manifest.json", check=False)
    assert run.returncode != 0 and "run `linesign manifest init`" in run.stderr, run.stderr


def test_a_certificate_of_another_key_is_refused(plant, out):
    config = plant.folder / "other.toml"
    config.write_text(plant.config_file.read_text().replace(
        'key_label = "manifest"', 'key_label = "manifest"\ncertificate = "ca.pem"'))
    run = plant.run(program("linesign"), "--config", str(config), "manifest", "export", "--format",
                    "signed", "--out", str(out), check=False)
    refused(run, EX_CONFIG, "ManifestKeyRefused")


@pytest.mark.parametrize("key_type", ["P-384", "RSA-2048"])
def test_other_kinds_of_keys_sign_too_and_are_never_replaced(make_appliance, tmp_path, key_type):
    appliance = make_appliance()
    make_key(appliance, "--type", key_type, "--name", "Plant 7")
    again = make_key(appliance, "--force", check=False)
    refused(again, EX_DATA, "HsmKeyLabelTaken")
    appliance.start()
    appliance.request("--generate", "2")
    out = tmp_path / "manifest.json"
    export(appliance, out)
    assert "signed by CN=Plant 7" in verify(appliance, out).stdout
    assert openssl_verify(appliance, out).returncode == 0


def test_without_a_key_or_a_daemon_it_says_so(make_appliance, out):
    appliance = make_appliance().start()
    refused(export(appliance, out, check=False), EX_IO, "manifest.pem")
    appliance.stop()
    refused(export(appliance, out, form="csv", check=False), EX_UNAVAILABLE, "AdminUnavailable")
    assert not out.exists()


# --- what comes back


def table_of(plant, path, verdict):
    """The exported CSV with two more columns, as a clerk would make it."""
    export(plant, path, form="csv")
    header, *rows = path.read_text().splitlines()
    rows = [f"{row},{verdict(number)}" for number, row in enumerate(rows, 1)]
    path.write_text("\n".join([header + ",status,reason", *rows]) + "\n")
    return path


def import_report(plant, *files, **options):
    return plant.cli("manifest", "import-report", "--target", "plant", "--json", *map(str, files),
                     **options)


def registrations(plant):
    """{state: count} of the target, straight from the ledger's own answers."""
    code = ("import json,socket,sys\n"
            "s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1])\n"
            "s.sendall(b'GET /v1/cloud/status HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n')\n"
            "d=b''\n"
            "while (p:=s.recv(65536)): d+=p\n"
            "print(d.split(b'\\r\\n\\r\\n',1)[1].decode())")
    run = subprocess.run([sys.executable, "-c", code, str(plant.folder / "admin.sock")],
                         capture_output=True, text=True, check=True, timeout=30)
    answer = json.loads(run.stdout)
    return (answer["targets"] if isinstance(answer, dict) else answer)[0]


def test_garbage_is_refused_as_a_whole(plant, tmp_path):
    good = table_of(plant, tmp_path / "good.csv", lambda number: "registered,")
    for name, text in (("half.csv", good.read_text()[:-20]), ("page.html", "<html></html>\n"),
                       ("foreign.csv", f"certificate_id,status\n{'e' * 64},registered\n")):
        bad = tmp_path / name
        bad.write_text(text)
        run = import_report(plant, bad, check=False)
        refused(run, EX_DATA, "Report")
    assert registrations(plant)["registered"] == 0


def test_reports_of_a_bulk_task_and_a_table_are_booked_once(plant, tmp_path):
    lines = tmp_path / "lines.ndjson"
    export(plant, lines, "--target", "plant", form="json")
    pems = [json.loads(line)["CertificatePem"] for line in lines.read_text().splitlines()]
    results, errors = tmp_path / "results", tmp_path / "errors"
    results.write_text("".join(
        json.dumps({"lineNumber": number, "response": {"CertificatePem": pem, "ResourceArns": {}}}) + "\n"
        for number, pem in enumerate(pems[:20], 1)))
    errors.write_text("".join(
        json.dumps({"lineNumber": number, "error": {"code": "ResourceRegistrationFailureException",
                                                    "message": "no such type"}}) + "\n"
        for number in range(21, DEVICES + 1)))
    first = json.loads(import_report(plant, results, errors, "--manifest", lines).stdout)
    assert first == {"registered": 20, "failed": 5, "booked": 25, "unchanged": 0, "to_retry": []}
    again = json.loads(import_report(plant, results, errors, "--manifest", lines).stdout)
    assert again == {"registered": 20, "failed": 5, "booked": 0, "unchanged": 25, "to_retry": []}
    assert (registrations(plant)["registered"], registrations(plant)["parked"]) == (20, 5)
    table = table_of(plant, tmp_path / "table.csv", lambda number: "registered,")
    last = json.loads(import_report(plant, table).stdout)
    assert last == {"registered": DEVICES, "failed": 0, "booked": 5, "unchanged": 20,
                    "to_retry": []}
    assert registrations(plant)["parked"] == 0


@pytest.fixture
def new_plant(make_appliance):
    """One that no other test has booked anything in."""
    appliance = make_appliance(config={"aws": AWS})
    appliance.tables["aws.target"] = TARGETS
    appliance.configure({})
    appliance.start()
    appliance.request("--generate", str(DEVICES))
    return appliance


def test_reports_as_aws_spells_them_are_booked_and_a_busy_line_is_not(new_plant, tmp_path):
    plant = new_plant
    lines = tmp_path / "lines.ndjson"
    export(plant, lines, "--target", "plant", form="json")
    pems = [json.loads(line)["CertificatePem"] for line in lines.read_text().splitlines()]

    def error(number, code, status):
        return json.dumps({"errorMessage": f"com.amazonaws.services.iot.model.{code}: no (Service: "
                                           f"AWSIot; Status Code: {status}; Error Code: {code}; "
                                           "Request ID: 1; Proxy: null)",
                           "lineNumber": number, "offset": 816, "response": None}) + "\n"

    results, errors, empty = (tmp_path / name for name in ("results", "errors", "empty"))
    results.write_text("".join(
        json.dumps({"lineNumber": number, "offset": 0,
                    "response": {"certificatePem": pem, "resourceArns": {}}}) + "\n"
        for number, pem in enumerate(pems[:10], 1)))
    errors.write_text(error(11, "ThrottlingException", 429) +
                      error(12, "InvalidRequestException", 400))
    empty.write_text("")
    said = json.loads(import_report(plant, results, errors, empty, "--manifest", lines).stdout)
    assert (said["registered"], said["failed"], len(said["to_retry"])) == (10, 1, 1)
    status = registrations(plant)
    assert (status["registered"], status["parked"]) == (10, 1)
    told = plant.cli("manifest", "import-report", "--target", "plant", str(errors), "--manifest",
                     str(lines)).stdout
    assert "1 at which AWS failed, which may pass (numbers " in told


def test_a_table_is_booked_as_excel_writes_it(new_plant, tmp_path):
    plant = new_plant
    table = table_of(plant, tmp_path / "table.csv", lambda number: "Registered,")
    header, *rows = table.read_text().splitlines()
    excel = tmp_path / "excel.csv"
    text = "\r\n".join([header.upper() + ",Line", ",,,,,,,", *(row + ",7" for row in rows), ",,"])
    excel.write_text("\ufeff" + text.replace(",", ";") + "\r\n")
    said = json.loads(import_report(plant, excel).stdout)
    assert (said["registered"], said["booked"]) == (DEVICES, DEVICES)
    excel.write_text(text, encoding="utf-16")
    run = import_report(plant, excel, check=False)
    refused(run, EX_DATA, "ReportMalformed")
    assert "UTF-16" in run.stderr and "CSV UTF-8" in run.stderr


# --- many


def test_memory_stays_the_same_however_long_the_range_is(make_appliance, tmp_path, long_run):
    rows = 100_000 if long_run else 5_000
    appliance = make_appliance()
    make_key(appliance)
    subprocess.run([program("fill_ledger"), "--ledger", str(appliance.folder / "ledger"), "--rows", str(rows)],
                   check=True, timeout=600, stdout=subprocess.DEVNULL)
    appliance.run(program("linesignd"), "--config", str(appliance.config_file), "--new-ledger")
    appliance.start()

    def peak(form, last):
        out = tmp_path / f"{form}-{last}"
        child = subprocess.Popen(
            [program("linesign"), "--config", str(appliance.config_file), "manifest", "export",
             "--format", form, "--out", str(out), "--last", str(last)],
            env=softhsm_env(appliance.folder), stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        return used.ru_maxrss

    for form in ("csv", "json", "signed"):
        assert peak(form, rows) - peak(form, rows // 50) < 24 * 1024, form
    verify(appliance, tmp_path / f"signed-{rows}")
