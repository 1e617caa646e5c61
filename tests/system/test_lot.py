"""Lots through linesign-station: many certificates, each of them in the ledger."""

import base64
import json
import threading

from support import csr
from support.raw_station import messages


def test_a_lot_with_a_full_window_beside_single_requests(make_appliance, check_ledger, long_run):
    lot = 100_000 if long_run else 10_000
    appliance = make_appliance(config={"stations": {"window": 64}, "daemon": {"log_level": "info"}})
    appliance.start()
    singles, failures, stop = [], [], threading.Event()
    single_folder = appliance.folder / "singles"
    single_folder.mkdir()

    def single_requests():
        with appliance.open_station("line2") as station:
            while not stop.wait(0.02):
                device = f"single-{len(singles):05d}"
                reply = station.issue(device, csr.make(device, csr.new_key()))
                if reply.status != messages.STATUS_OK:
                    failures.append(str(reply.failure))
                    return
                singles.append(device)
                (single_folder / f"{device}.der").write_bytes(reply.certificate_der)

    thread = threading.Thread(target=single_requests)
    thread.start()
    try:
        run = appliance.request("--generate", str(lot), "--json", timeout=1200)
    finally:
        stop.set()
        thread.join()
    assert not failures
    assert len(singles) > 5
    assert len(appliance.certificates()) == lot
    summary = json.loads(run.stdout)
    assert summary["issued"] == lot
    status = appliance.status()
    assert status["ledger"]["certificates"] == lot + len(singles)
    assert status["ledger"]["intents"] == 0
    # Group commit: far fewer transactions than rows.
    assert status["commits"]["transactions"] < status["commits"]["writes"] / 2
    appliance.stop()
    check_ledger(appliance, "--certs", str(single_folder))


def test_a_lot_that_is_done_is_not_done_again(appliance):
    appliance.request("--generate", "50")
    before = {path.name: path.read_bytes() for path in appliance.certificates()}
    appliance.request("--generate", "50")
    assert {path.name: path.read_bytes() for path in appliance.certificates()} == before
    assert appliance.status()["ledger"]["certificates"] == 50
    appliance.request("--generate", "80")
    after = {path.name: path.read_bytes() for path in appliance.certificates()}
    assert len(after) == 80 and before.items() <= after.items()
    assert appliance.status()["ledger"]["certificates"] == 80


def test_a_certificate_file_that_was_damaged_is_fetched_again(appliance):
    appliance.request("--generate", "5")
    victim = appliance.certificates()[2]
    whole = victim.read_bytes()
    victim.chmod(0o600)
    victim.write_bytes(whole[:40])
    appliance.request("--generate", "5")
    assert victim.read_bytes() == whole
    assert appliance.status()["ledger"]["certificates"] == 5


def test_one_bad_csr_among_good_ones_stops_nobody(appliance):
    folder = appliance.folder / "csrs"
    folder.mkdir()
    for number in range(10):
        (folder / f"good-{number}.csr").write_bytes(csr.make(f"good-{number}", csr.new_key()))
    (folder / "bad.csr").write_bytes(
        csr.make("bad", csr.new_key(), spki=csr.spki_of(csr.new_key())))
    (folder / "garbage.csr").write_bytes(b"garbage")
    run = appliance.request("--csr-dir", str(folder), check=False)
    assert run.returncode == 65
    assert "CsrProofWrong" in run.stdout + run.stderr
    assert len(appliance.certificates()) == 10


def test_devices_of_one_common_name_are_told_apart_by_their_files(make_appliance):
    appliance = make_appliance(config={"profile": {"csr_common_name": "ignore"}}).start()
    folder = appliance.folder / "csrs"
    folder.mkdir()
    for number in range(4):
        (folder / f"SN-{number}.req").write_bytes(csr.make("AWS IoT Certificate", csr.new_key()))
    told = appliance.request("--csr-dir", str(folder), check=False)
    assert told.returncode == 65
    assert "'AWS IoT Certificate'; choose another source with --device-id-from" in told.stdout
    appliance.request("--csr-dir", str(folder), "--device-id-from", "file-name")
    assert [path.stem for path in appliance.certificates()] == [f"SN-{n}" for n in range(4)]


def test_a_common_name_that_devices_share_is_a_reason_to_look_at_the_files(appliance):
    folder = appliance.folder / "csrs"
    folder.mkdir()
    for number in range(2):
        (folder / f"SN-{number}.csr").write_bytes(csr.make("sensor-x", csr.new_key()))
    told = appliance.request("--csr-dir", str(folder), check=False)
    assert told.returncode == 65
    assert "1 issued" in told.stdout
    assert "take the device ids from the file names: --device-id-from file-name" in told.stdout


def test_csr_files_are_read_as_windows_and_json_leave_them(appliance):
    folder = appliance.folder / "csrs"
    folder.mkdir()
    ders = [csr.make(f"unit-{number}", csr.new_key()) for number in range(4)]
    pems = ["-----BEGIN CERTIFICATE REQUEST-----\n"
            + base64.encodebytes(each).decode().replace("\n", "")
            + "\n-----END CERTIFICATE REQUEST-----\n" for each in ders]
    (folder / "utf16.csr").write_bytes(pems[0].encode("utf-16"))
    (folder / "json.csr").write_text(json.dumps({"csr": pems[1]}))
    (folder / "indented.pem").write_text("".join(f"    {line}\r\n" for line in pems[2].split("\n")))
    (folder / "tail.der").write_bytes(ders[3] + b"\r\n")
    appliance.request("--csr-dir", str(folder))
    assert len(appliance.certificates()) == 4


def test_every_file_is_the_leaf_and_its_chain(appliance):
    appliance.request("--generate", "3")
    ca = (appliance.folder / "ca.pem").read_text().strip()
    for path in appliance.certificates():
        text = path.read_text()
        assert text.count("BEGIN CERTIFICATE") == 2
        assert "".join(ca.split()) in "".join(text.split())
