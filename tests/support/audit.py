"""linesign-audit, which has the last word on each ledger, as a function."""

import subprocess
import sys
from pathlib import Path

AUDIT = Path(__file__).resolve().parent.parent.parent / "appliance/audit/linesign-audit"


def audit(ledger, ca, *more):
    """The finished process: its exit code, and what it printed."""
    command = [sys.executable, AUDIT, "--ledger", ledger, "--ca", ca, *more]
    return subprocess.run([str(each) for each in command], capture_output=True, text=True, timeout=600,
                          check=False)


def audit_appliance(appliance, *more):
    """Of a stopped one, with the state that it recorded outside of the ledger."""
    return audit(appliance.folder / "ledger", appliance.folder / "ca.pem", "--state",
                 appliance.folder / "station-ca/ledger-state.toml", *more)
