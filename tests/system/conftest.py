"""Fixtures of the system tests: real programs, a token of their own, nothing shared with the
machine's configuration."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.appliance import (BIN, Appliance, TokenCache,  # noqa: E402
                               wait_for_removals)
from support.audit import audit_appliance  # noqa: E402
from support.flood import allow_descriptors  # noqa: E402
from support.plant import Plant  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="200 kills of each program, lots of 100,000")


def pytest_configure(config):
    allow_descriptors()
    missing = [name for name in ("linesignd", "linesign-signer", "linesign", "linesign-station",
                            "linesign-uploader")
               if not os.access(BIN / name, os.X_OK)]
    if missing:
        pytest.exit(f"not built in {BIN}: {', '.join(missing)}", 3)


@pytest.fixture(scope="session")
def long_run(request):
    return request.config.getoption("--long")


@pytest.fixture(scope="session")
def tokens():
    folder = tempfile.mkdtemp(prefix="ls-tokens-")
    yield TokenCache(folder)
    shutil.rmtree(folder, ignore_errors=True)
    wait_for_removals()


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.failed = outcome.get_result().failed


@pytest.fixture
def make_appliance(request, tokens):
    """Makes appliances; those of a failed test are kept when LINESIGN_KEEP is set."""
    made = []

    def make(**options):
        made.append(Appliance(tokens, **options))
        return made[-1]

    yield make
    failed = getattr(request.node, "failed", False)
    for each in made:
        if failed:
            print(f"--- {each.folder}: the end of linesignd.log\n{each.log_tail()}")
        each.close(keep=failed and "LINESIGN_KEEP" in os.environ)


@pytest.fixture
def appliance(make_appliance):
    """One that produces."""
    return make_appliance().start()


@pytest.fixture
def make_plant(make_appliance, tmp_path):
    """Makes plants with AWS targets that produce, with their CA registered: support/plant.py."""
    made = []

    def make(*targets, ready=True, config=None, **options):
        plant = Plant(make_appliance(config=config), tmp_path, targets, **options)
        made.append(plant)
        plant.appliance.start()
        if ready:
            plant.make_ready()
        return plant

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def shared(tokens):
    """One for all tests of a file, for those that leave it as they found it."""
    appliance = Appliance(tokens, config={
        "stations": {"frame_timeout": "2s", "hello_timeout": "2s", "handshake_timeout": "2s"}})
    yield appliance.start()
    appliance.close()


@pytest.fixture
def check_ledger():
    """Runs linesign-audit on a stopped appliance; fails with what it says."""
    def check(appliance, *more):
        run = audit_appliance(appliance, "--certs", appliance.certs, *more)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout
    return check
