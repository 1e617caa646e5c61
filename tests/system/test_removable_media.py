"""Files on sticks: FAT and exFAT have no hard links and no modes, refuse some names, and ignore case.

Each test runs on a folder that behaves so (support/fat_medium.cpp, preloaded), and on a real exFAT
file system where this machine can mount one.
"""

import os
import shutil
import subprocess

import pytest

from support import csr
from support.appliance import BIN, EX_DATA, EX_IO, program, softhsm_env, write_ceremony

CAN_MOUNT = (os.geteuid() == 0 and os.path.exists("/dev/loop-control")
             and os.path.exists("/dev/fuse") and shutil.which("mkfs.exfat") is not None)


class PreloadedStick:
    def __init__(self, folder):
        self.folder = folder

    @staticmethod
    def environment(folder, **more):
        """For a program that writes to this folder of the stick."""
        return {"LD_PRELOAD": str(BIN / "liblinesign_fat_medium.so"), "LINESIGN_FAT": str(folder),
                **more}


class ExfatStick:
    def __init__(self, folder, image):
        self.folder = folder
        with image.open("wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.exfat", str(image)], check=True, capture_output=True)
        # The kernel's driver, else the one in user space.
        for kind in ("exfat", "exfat-fuse"):
            mounted = subprocess.run(["mount", "-t", kind, "-o", "loop", str(image), str(folder)],
                                     capture_output=True, text=True, check=False)
            if mounted.returncode == 0:
                return
        who = "" if os.geteuid() == 0 else "only root may mount: "
        pytest.skip(f"{who}exFAT cannot be mounted here: {mounted.stderr}")

    @staticmethod
    def environment(_folder):
        return {}

    def remove(self):
        subprocess.run(["umount", str(self.folder)], check=True)


@pytest.fixture(params=["preloaded"] + (["exfat"] if CAN_MOUNT else []))
def stick(request, tmp_path):
    folder = tmp_path / "stick"
    folder.mkdir()
    if request.param == "preloaded":
        yield PreloadedStick(folder)
        return
    mounted = ExfatStick(folder, tmp_path / "stick.img")
    yield mounted
    mounted.remove()


def run(appliance, stick, folder, *command, check=True, **environment):
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False,
        env={**softhsm_env(appliance.folder), **stick.environment(folder, **environment)})
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def request(appliance, stick, *arguments, out, **options):
    return run(appliance, stick, out, *appliance.request_command(*arguments, out=out), **options)


def write_csrs(folder, *devices):
    folder.mkdir()
    for number, device in enumerate(devices):
        (folder / f"{number}.csr").write_bytes(csr.make(device, csr.new_key()))


def test_a_lot_whose_device_ids_are_no_file_names(appliance, stick):
    write_csrs(appliance.folder / "csrs", "urn:dev:1", "dev-a", "DEV-A")
    out = stick.folder / "certs"
    out.mkdir()
    first = request(appliance, stick, "--csr-dir", str(appliance.folder / "csrs"), out=out)
    assert "file names are percent-encoded where needed" in first.stdout
    assert {path.name for path in appliance.certificates(out)} in (
        {"urn%3Adev%3A1.pem", "dev-a.pem", "%44%45%56-%41.pem"},
        {"urn%3Adev%3A1.pem", "%64%65%76-%61.pem", "DEV-A.pem"})
    again = request(appliance, stick, "--csr-dir", str(appliance.folder / "csrs"), out=out)
    assert "0 issued, 3 already there" in again.stdout
    assert appliance.status()["ledger"]["certificates"] == 3


def test_keys_and_certificates_of_a_lot_are_made_on_a_stick(appliance, stick):
    out = stick.folder / "certs"
    out.mkdir()
    request(appliance, stick, "--generate", "20", out=out)
    assert len(appliance.certificates(out)) == 20
    assert len(list((stick.folder / "certs-keys").glob("*.key"))) == 20


def test_a_station_enrols_on_a_stick_and_works_from_there(appliance, stick):
    folder = stick.folder / "station"
    folder.mkdir()
    enrolled = run(appliance, stick, folder, program("linesign-station"), "enroll",
                   appliance.join_token("jig"), "--dir", str(folder))
    mode = (folder / "station.key").stat().st_mode
    assert ("other users can read this private key" in enrolled.stderr) == (mode & 0o077 != 0)
    run(appliance, stick, folder, program("linesign-station"), "status", "--check", "--dir",
        str(folder))


def test_a_signed_manifest_is_exported_to_a_stick_and_not_replaced(make_appliance, stick):
    appliance = make_appliance(config={"manifest": {"key_label": "device-ca"}})
    appliance.configure({"manifest": {"key_label": "manifest"}})
    for path in (appliance.folder / "tokens").rglob("*"):
        path.chmod(path.stat().st_mode | 0o200)
    appliance.cli("manifest", "init")
    appliance.start()
    appliance.request("--generate", "3")
    command = [program("linesign"), "--config", str(appliance.config_file), "manifest", "export",
               "--format", "signed", "--out"]
    run(appliance, stick, stick.folder, *command, str(stick.folder / "manifest.json"))
    before = (stick.folder / "manifest.json").read_bytes()
    again = run(appliance, stick, stick.folder, *command, str(stick.folder / "manifest.json"),
                check=False)
    assert again.returncode == EX_DATA and "FileExists" in again.stderr
    assert (stick.folder / "manifest.json").read_bytes() == before
    refused = run(appliance, stick, stick.folder, *command, str(stick.folder / "lot:7.json"),
                  check=False)
    assert refused.returncode == EX_IO
    assert "this file system does not allow ':' in a file name" in refused.stderr
    assert len([path for path in stick.folder.iterdir() if path.name.startswith(".")]) == 0


def test_the_csr_of_an_intermediate_ca_is_made_on_a_stick(make_appliance, stick):
    appliance = make_appliance()
    for path in (appliance.folder / "tokens").rglob("*"):
        path.chmod(path.stat().st_mode | 0o200)
    write_ceremony(appliance.folder, kind="intermediate",
                   token={"pin_file": str(appliance.folder / "pin")},
                   key={"label": "issuing-ca"},
                   output={"csr": str(stick.folder / "ca.csr"), "transcript": "issuing.txt"})
    run(appliance, stick, stick.folder, program("linesign"), "ca", "init",
        str(appliance.folder / "ceremony.toml"))
    assert (stick.folder / "ca.csr").read_text().startswith("-----BEGIN CERTIFICATE REQUEST-----")


def test_a_lot_goes_on_after_a_file_that_cannot_be_written(appliance, tmp_path):
    write_csrs(appliance.folder / "csrs", "unit-1", "unit-2", "unit-3")
    stick = PreloadedStick(tmp_path)
    arguments = ("--csr-dir", str(appliance.folder / "csrs"))
    first = request(appliance, stick, *arguments, out=tmp_path, check=False,
                    LINESIGN_FAT_BAD_NAME="unit-2.pem")
    assert first.returncode == EX_IO
    assert "1 issued but not stored: unit-2" in first.stdout
    assert "Run the same command again to fetch these certificates." in first.stdout
    assert [path.name for path in appliance.certificates(tmp_path)] == ["unit-1.pem", "unit-3.pem"]
    again = request(appliance, stick, *arguments, out=tmp_path)
    assert "1 issued, 2 already there" in again.stdout
    assert appliance.status()["ledger"]["certificates"] == 3
