"""linesign bench: a whole measurement, small; and that it destroys nothing and issues nothing real
unasked."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from support.appliance import EX_DATA, EX_OK, EX_USAGE, program, softhsm_env, writable
from support.audit import audit

ROOT = Path(__file__).resolve().parent.parent.parent


def bench(*options, config=None, environment=None):
    command = [program("linesign"), *(["--config", str(config)] if config else []), "bench",
               *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False,
                          env=environment or os.environ)


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "plant"
    tokens = tmp_path / "plant" / "tokens"
    if tokens.exists():
        writable(tokens)


def check(folder, expected):
    run = audit(folder / "ledger", folder / "ca.pem", "--expect", expected)
    assert run.returncode == EX_OK, run.stdout + run.stderr


def test_a_lot_from_an_empty_folder_to_the_report(folder):
    run = bench("--dir", folder, "--stations", 2, "--window", 16, "--lot", 200, "--ceiling-seconds",
                0.5, "--json", "--quiet")
    assert run.returncode == EX_OK, run.stdout + run.stderr
    assert run.stderr == ""
    report = json.loads(run.stdout)
    assert report["certificates"] == report["ledger_certificates"] == 400
    assert report["certificates_per_second"] > 0
    assert report["obeying"] == {**report["obeying"], "stations": 2, "least_per_station": 200,
                                 "most_per_station": 200}
    assert report["refused"] == {}
    names = [each["name"] for each in report["cpu"]["processes"]]
    assert names.count("linesignd") == 1
    assert names.count("linesign-signer") == report["setup"]["signers"]
    latency = report["latency"]
    assert latency["count"] == 400
    assert 0 < latency["p50_us"] <= latency["p90_us"] <= latency["p99_us"] <= latency["max_us"]
    assert 0 < report["transactions_per_certificate"] <= 3
    assert 0 < report["ratios"]["per_cpu_second"]
    assert 0 < report["ratios"]["wall"]
    check(folder, 400)


def test_other_keys_a_lone_station_and_a_file_of_csrs(folder, tmp_path):
    cache = tmp_path / "csrs.pem"
    run = bench("--dir", folder, "--stations", 3, "--seconds", 3, "--warm-up", 0.2, "--lone",
                "--lone-interval", 50, "--ca-key", "P-384", "--csr-cache", cache, "--no-ceiling",
                "--json", "--quiet")
    assert run.returncode == EX_OK, run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert report["setup"]["ca_key"] == "P-384"
    assert report["lone"]["latency"]["count"] > 5
    assert report["ledger_certificates"] >= report["all_certificates"] > report["certificates"] > 0
    assert report["ratios"] == {"per_cpu_second": None, "wall": None}
    assert cache.read_text().count("BEGIN CERTIFICATE REQUEST") >= report["all_certificates"]
    check(folder, report["ledger_certificates"])


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("x")
    run = bench("--dir", tmp_path, "--stations", 1, "--lot", 1, "--quiet")
    assert run.returncode == EX_DATA
    assert "FileExists" in run.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["precious"]


def test_a_temporary_folder_goes(tmp_path):
    run = bench("--stations", 1, "--lot", 5, "--no-ceiling", "--quiet",
                environment={**os.environ, "TMPDIR": str(tmp_path)})
    assert run.returncode == EX_OK, run.stdout + run.stderr
    assert "certificates              5 in" in run.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [
    ["--lot", 5, "--seconds", 1], ["--stations", 0], ["--ca-key", "DSA"], ["--signers", -1]])
def test_options_that_make_no_sense_are_refused(options):
    assert bench(*options).returncode == EX_USAGE


def test_a_running_appliance_is_used_only_when_asked_for(appliance):
    environment = softhsm_env(appliance.folder)
    small = ["--stations", 2, "--seconds", 0.5, "--warm-up", 0, "--ceiling-seconds", 0.2, "--json",
             "--quiet"]
    run = bench(*small, config=appliance.config_file, environment=environment)
    assert run.returncode == EX_USAGE
    assert appliance.status()["ledger"]["certificates"] == 0
    run = bench(*small, "--order", "default", "--real-certificates", config=appliance.config_file,
                environment=environment)
    assert run.returncode == EX_OK, run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert appliance.status()["ledger"]["certificates"] == report["ledger_certificates"] > 0
    stations = json.loads(appliance.cli("station", "list", "--json").stdout)["stations"]
    assert sorted((each["name"], each["state"]) for each in stations) == [
        ("bench-0001", "revoked"), ("bench-0002", "revoked")]


def test_an_hsm_is_sized():
    run = bench("hsm", "--seconds", 0.2)
    assert run.returncode == EX_OK, run.stdout + run.stderr
    assert re.search(r"\[hsm\]\nsigners = \d+\nthreads_per_signer = \d+", run.stdout)


def test_the_figures_have_one_line_each():
    figures = ROOT / "tests/bench/figures.py"
    run = subprocess.run([sys.executable, str(figures), "list"], capture_output=True, text=True,
                         check=True)
    names = [line.split()[0] for line in run.stdout.splitlines()]
    assert {"cpu-ratio", "overload", "growth", "restart"} <= set(names)
    run = subprocess.run([sys.executable, str(figures), "restart"], capture_output=True, text=True,
                         timeout=300, check=False)
    assert re.fullmatch(r"restart \d+\.\d{3} <=2 (ok|MISSED)\n", run.stdout), run.stdout + run.stderr
    assert subprocess.run([sys.executable, str(figures), "no-such-figure"], capture_output=True,
                          check=False).returncode == EX_USAGE


def test_the_curve_is_drawn(tmp_path):
    points = [{"stations": stations, "certificates_per_second": 900 * stations, "p50_ms": 3.0,
               "p99_ms": 8.5, "later": {}} for stations in (1, 10, 100)]
    data = tmp_path / "points.json"
    data.write_text(json.dumps({"machine": "this one", "window": 64, "seconds": 1,
                                "points": points}))
    out = tmp_path / "curve.svg"
    subprocess.run([sys.executable, str(ROOT / "tests/bench/curve.py"), "--draw", str(data), "--out",
                    str(out)], check=True, capture_output=True)
    picture = ElementTree.parse(out).getroot()
    assert len(picture.findall("{http://www.w3.org/2000/svg}polyline")) == 3
