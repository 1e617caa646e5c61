"""What the measuring scripts share: where the programs are, and `linesign bench` as a function."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(os.environ.get("LINESIGN_BIN", ROOT / "build/release/bin"))
SIMULATOR = BIN.parent / "tests" / "liblinesign_hsm_simulator.so"
HOW_TO_BUILD = ("cmake --preset release && cmake --build --preset release --target linesign linesignd "
                "linesign-signer linesign-station fill_ledger linesign_hsm_simulator")
EX_OK, EX_USAGE, EX_UNAVAILABLE = 0, 64, 69


def note(text):
    print(text, file=sys.stderr, flush=True)


def need(*names):
    """Leaves with a word on how to build what is missing."""
    missing = [str(path) for path in map(Path, names) if not path.exists()]
    if missing:
        note(f"missing: {', '.join(missing)}\nbuild it: {HOW_TO_BUILD}")
        sys.exit(EX_UNAVAILABLE)


def program(name):
    need(BIN / name)
    return str(BIN / name)


def bench(*options, config=None, environment=None, what="", timeout=3600):
    """One run of `linesign bench`; its report as a dictionary. What it remarks goes to stderr."""
    command = [program("linesign")]
    if config:
        command += ["--config", str(config)]
    command += ["bench", "--json", "--quiet", *map(str, options)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                         env={**os.environ, **(environment or {})})
    if not run.stdout:
        raise RuntimeError(f"{' '.join(command)} ended with {run.returncode}:\n{run.stderr}")
    report = json.loads(run.stdout)
    for remark in report["remarks"]:
        note(f"  {what + ': ' if what else ''}{remark}")
    return report


def machine_line(report):
    machine = report["machine"]
    return (f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.1f} GiB, "
            f"{machine['kernel']}")
