"""What the documents promise: both commands, the example client, the library."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import csr
from support.appliance import BIN, writable

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON_CLIENT = ROOT / "docs/examples/station_client.py"
CPP_EXAMPLE = ROOT / "docs/examples/request_certificate"


def test_the_python_example_client_gets_a_certificate(appliance, tmp_path):
    """Debian's python3-protobuf and the standard ssl module, under 120 lines."""
    assert len(PYTHON_CLIENT.read_text().splitlines()) < 120
    request = tmp_path / "unit-1.csr"
    request.write_bytes(csr.make("unit-1", csr.new_key()))
    run = subprocess.run(
        [sys.executable, str(PYTHON_CLIENT), str(appliance.station()), "unit-1", str(request),
         str(tmp_path / "unit-1.pem")],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    subprocess.run(["openssl", "verify", "-CAfile", str(appliance.folder / "ca.pem"),
                    str(tmp_path / "unit-1.pem")], check=True, stdout=subprocess.DEVNULL)


def test_the_library_builds_from_an_installed_package(appliance, tmp_path):
    prefix = tmp_path / "prefix"
    subprocess.run(["cmake", "--install", str(BIN.parent), "--prefix", str(prefix)], check=True,
                   capture_output=True)
    build = tmp_path / "build"
    subprocess.run(["cmake", "-G", "Ninja", "-S", str(CPP_EXAMPLE), "-B", str(build),
                    f"-DCMAKE_PREFIX_PATH={prefix}"], check=True, capture_output=True)
    made = subprocess.run(["cmake", "--build", str(build)], capture_output=True, text=True,
                          check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    request = tmp_path / "unit-2.csr"
    request.write_bytes(csr.make("unit-2", csr.new_key()))
    run = subprocess.run([str(build / "request_certificate"), str(appliance.station()), "unit-2", str(request)],
                         capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "BEGIN CERTIFICATE" in run.stdout


@pytest.fixture
def demo_folder(tmp_path):
    folder = tmp_path / "demo"
    yield folder
    if folder.exists():
        writable(folder)
        shutil.rmtree(folder)


def demo(folder, *arguments):
    return subprocess.run(["bash", str(ROOT / "appliance/demo.sh"), "--dir", str(folder),
                           "--no-wait", *arguments], capture_output=True, text=True, timeout=600,
                          stdin=subprocess.DEVNULL, check=False)


def test_the_demo_runs_and_goes_on_from_what_is_there(demo_folder):
    first = demo(demo_folder, "--lot", "60")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "60 of 60" in first.stdout
    assert "the double has none" in first.stdout and "certs-keys/ " in first.stdout
    # Nobody waits at a terminal, so the appliance is stopped: nothing that asks it is offered.
    assert "aws status" not in first.stdout[first.stdout.index("Look at next:"):]
    assert "played by a double" in first.stdout and "60 the same, 0 still to come" in first.stdout
    for name in ("linesign.toml", "ca.pem", "station/station.pem", "ledger"):
        assert (demo_folder / name).exists(), name
    before = {path.name: path.read_bytes() for path in (demo_folder / "certs").glob("*.pem")}
    assert len(before) == 60
    ca = (demo_folder / "ca.pem").read_bytes()

    again = demo(demo_folder, "--lot", "60")
    assert again.returncode == 0, again.stdout + again.stderr
    larger = demo(demo_folder, "--lot", "90")
    assert larger.returncode == 0, larger.stdout + larger.stderr
    assert "90 the same, 0 still to come" in larger.stdout
    after = {path.name: path.read_bytes() for path in (demo_folder / "certs").glob("*.pem")}
    assert len(after) == 90 and before.items() <= after.items()
    assert (demo_folder / "ca.pem").read_bytes() == ca

    other = demo(demo_folder, "--lot", "90", "--key", "RSA-2048")
    assert other.returncode != 0 and "another --dir" in other.stderr


def test_the_demo_explains_its_options():
    run = subprocess.run(["bash", str(ROOT / "appliance/demo.sh"), "--help"], capture_output=True,
                         text=True, check=False)
    assert run.returncode == 0 and "--lot" in run.stdout
    assert demo("unused", "--lot", "many").returncode == 64
