"""The ledger's files are deleted, moved, replaced or restored: nothing is produced on the wrong ledger,
and nothing that was delivered is missing from the right one."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from support.appliance import EX_CONFIG, EX_IO, EX_OK, EX_USAGE, program, softhsm_env, wait_until

FIRST = 40


def ledger(appliance):
    return appliance.folder / "ledger"


def refused_start(appliance, code, *texts):
    appliance.start(wait=False)
    assert appliance.daemon.wait(30) == code, appliance.log_tail()
    appliance.daemon = None
    said = appliance.log_text().splitlines()[-1]
    for text in texts:
        assert text in said, said
    return said


def decide(appliance, flag, expect=EX_OK):
    run = subprocess.run([program("linesignd"), "--config", str(appliance.config_file), flag],
                         env=softhsm_env(appliance.folder), capture_output=True, text=True, timeout=60,
                         check=False)
    assert run.returncode == expect, run.stdout + run.stderr
    return run.stdout + run.stderr


def names(status):
    return [each["error"]["name"] for each in status["obstacles"]]


def wait_replaced(appliance):
    status = appliance.wait_status(
        lambda each: not each["producing"] and
        "LedgerReplaced" in names(each),
        "the missing file is noticed")
    return next(each["error"]["detail"] for each in status["obstacles"]
                if each["error"]["name"] == "LedgerReplaced")


@pytest.fixture
def stopped(appliance):
    """One with certificates, stopped in order."""
    appliance.request("--generate", str(FIRST))
    appliance.stop()
    return appliance


def restore(appliance, backup):
    shutil.rmtree(ledger(appliance))
    shutil.copytree(backup, ledger(appliance))


# --- while it runs


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_deleted_log_stops_production_and_loses_nothing(appliance, check_ledger, end):
    appliance.request("--generate", str(FIRST))
    (ledger(appliance) / "ledger.sqlite-wal").unlink()
    detail = wait_replaced(appliance)
    assert "ledger.sqlite-wal was deleted; every committed row is in" in detail
    assert appliance.status()["ledger"]["certificates"] == FIRST  # what is known still
    appliance.kill() if end == "kill" else appliance.stop()
    appliance.start()
    assert appliance.status()["ledger"]["certificates"] == FIRST
    appliance.request("--generate", str(FIRST + 1))
    appliance.stop()
    check_ledger(appliance, "--expect", str(FIRST + 1))


def test_a_log_deleted_under_a_running_lot_loses_nothing(appliance, check_ledger):
    client = appliance.start_request("--generate", "3000")
    wait_until(lambda: len(appliance.certificates()) > 300, "the lot runs")
    (ledger(appliance) / "ledger.sqlite-wal").unlink()
    wait_replaced(appliance)
    appliance.kill()
    appliance.start()
    assert client.wait(120) == 0, appliance.client_log()
    appliance.stop()
    check_ledger(appliance, "--expect", "3000")


def test_a_kill_right_after_the_log_was_deleted_is_noticed_at_the_next_start(appliance):
    """Before linesignd looks: what was committed is lost with its open files, and it says so."""
    appliance.request("--generate", str(FIRST))
    os.kill(appliance.daemon.pid, 19)  # SIGSTOP: it cannot look
    (ledger(appliance) / "ledger.sqlite-wal").unlink()
    appliance.kill()
    said = refused_start(appliance, EX_IO, "LedgerReplaced", "ledger.sqlite-wal is missing")
    assert f"{ledger(appliance)}" in said


def test_a_deleted_database_is_written_again(appliance, check_ledger):
    appliance.request("--generate", str(FIRST))
    (ledger(appliance) / "ledger.sqlite").unlink()
    assert "every committed row was copied to" in wait_replaced(appliance)
    appliance.stop()
    appliance.start()
    assert appliance.status()["ledger"]["certificates"] == FIRST
    appliance.stop()
    check_ledger(appliance, "--expect", str(FIRST))


def test_a_stop_right_after_the_log_was_replaced_keeps_every_row(appliance, check_ledger):
    """By an older one of the same ledger, which the next start would apply."""
    appliance.request("--generate", str(FIRST))
    log = ledger(appliance) / "ledger.sqlite-wal"
    older = Path(shutil.copy(log, appliance.folder / "older"))
    appliance.request("--generate", str(2 * FIRST))
    older.rename(log)
    appliance.stop()
    assert "ledger.sqlite-wal.foreign-" in appliance.log_text()
    appliance.start()
    assert appliance.status()["ledger"]["certificates"] == 2 * FIRST
    appliance.stop()
    check_ledger(appliance, "--expect", str(2 * FIRST))


def test_a_folder_that_was_moved_is_taken_again_when_it_is_back(appliance):
    appliance.request("--generate", str(FIRST))
    moved = appliance.folder / "elsewhere"
    ledger(appliance).rename(moved)
    assert str(moved) in wait_replaced(appliance)
    appliance.kill()
    refused_start(appliance, EX_CONFIG, "LedgerUnknown", "does not exist")
    moved.rename(ledger(appliance))
    appliance.start()
    assert appliance.status()["ledger"]["certificates"] == FIRST


# --- at the start


def test_an_older_copy_is_refused_until_an_operator_accepts_it(stopped, check_ledger):
    backup = shutil.copytree(ledger(stopped), stopped.folder / "backup")
    stopped.start()
    stopped.request("--generate", str(2 * FIRST))
    stopped.stop()
    restore(stopped, backup)
    refused_start(stopped, EX_IO, "LedgerOlder", str(ledger(stopped)), f"has {FIRST} certificates",
                  f"{2 * FIRST} certificates", "--restored-ledger")
    assert "LedgerOlder" in decide(stopped, "--new-ledger", EX_IO)
    assert f"{FIRST} certificates" in decide(stopped, "--restored-ledger")
    stopped.start()
    assert stopped.status()["ledger"]["certificates"] == FIRST
    stopped.stop()
    notes = subprocess.run(
        ["/usr/bin/python3", str(program_audit()), "--ledger", str(ledger(stopped)), "--ca",
         str(stopped.folder / "ca.pem")], capture_output=True, text=True, check=True).stdout
    assert "restored_ledger: " in notes


def program_audit():
    from support.audit import AUDIT
    return AUDIT


def test_an_unmounted_ledger_is_refused_and_nothing_is_made_there(stopped):
    aside = ledger(stopped).rename(stopped.folder / "aside")
    for folder_is_there in (False, True):
        if folder_is_there:
            ledger(stopped).mkdir()  # the empty mount point
        refused_start(stopped, EX_CONFIG, "LedgerUnknown", str(ledger(stopped)), "0 certificates",
                      f"{FIRST} certificates", "--new-ledger")
    assert list(ledger(stopped).iterdir()) == []
    assert "LedgerUnknown" in decide(stopped, "--restored-ledger", EX_CONFIG)
    ledger(stopped).rmdir()
    aside.rename(ledger(stopped))
    stopped.start()


def test_an_empty_ledger_begins_by_an_operators_word_only(stopped):
    shutil.rmtree(ledger(stopped))
    assert "0 certificates" in decide(stopped, "--new-ledger")
    stopped.start()
    assert stopped.status()["ledger"]["certificates"] == 0


def test_without_its_record_a_ledger_is_refused(stopped):
    (stopped.folder / "station-ca/ledger-state.toml").unlink()
    refused_start(stopped, EX_CONFIG, "LedgerUnknown", "ledger-state.toml is missing")
    decide(stopped, "--new-ledger")
    stopped.start()
    assert stopped.status()["ledger"]["certificates"] == FIRST


def test_the_ledger_of_another_appliance_is_refused(stopped, make_appliance):
    other = make_appliance().start()
    other.request("--generate", str(2 * FIRST))
    other.stop()
    shutil.rmtree(ledger(stopped))
    shutil.copytree(ledger(other), ledger(stopped))
    refused_start(stopped, EX_CONFIG, "LedgerUnknown", "another ledger")


def test_a_kill_needs_no_word(appliance, check_ledger):
    appliance.request("--generate", str(FIRST))
    appliance.kill()
    appliance.start()
    assert appliance.status()["ledger"]["certificates"] == FIRST
    assert "nothing to accept" in stop_and_decide(appliance)
    check_ledger(appliance, "--expect", str(FIRST))


def stop_and_decide(appliance):
    appliance.stop()
    return decide(appliance, "--restored-ledger")


def test_a_decision_is_not_taken_while_linesignd_runs(appliance):
    assert "LedgerInUse" in decide(appliance, "--new-ledger", EX_IO)


def test_both_words_at_once_are_refused(stopped):
    run = subprocess.run([program("linesignd"), "--config", str(stopped.config_file), "--new-ledger",
                          "--restored-ledger"], capture_output=True, text=True, check=False)
    assert run.returncode == EX_USAGE


def test_a_record_that_cannot_be_written_stops_production_and_is_told(appliance):
    """Its disk is full, or as here its folder is gone; production resumes with it."""
    folder = appliance.folder / "station-ca"
    folder.rename(appliance.folder / "aside")
    folder.write_text("no folder")
    appliance.join_token("line7")  # something to record
    status = appliance.wait_status(lambda each: not each["producing"], "the lost record is told")
    assert "ledger-state.toml" in str(status["obstacles"])
    folder.unlink()
    (appliance.folder / "aside").rename(folder)
    appliance.wait_producing()


# --- as docs/operations.md says


def restore_commands():
    """The two blocks of its section Restore: for the same machine, and the line for a new one."""
    text = (Path(__file__).parents[2] / "docs/operations.md").read_text(encoding="utf-8")
    section = text.split("## Restore\n")[1].split("\n## ")[0]
    blocks = [block.strip().splitlines() for block in re.findall(r"```\n(.*?)```", section, re.S)]
    assert len(blocks) == 2
    return blocks


def run_documented(appliance, lines, backup):
    """Each command as it stands there, with the places of this test."""
    places = {"/var/lib/linesign/ledger": str(ledger(appliance)), "/backup/ledger": str(backup),
              "/etc/linesign/linesign.toml": str(appliance.config_file),
              "/etc/linesign/ca.pem": str(appliance.folder / "ca.pem"),
              "STATION-FILES": str(appliance.certs), "linesignd": program("linesignd"),
              "linesign-audit": program_audit(), "linesign:linesign": f"{os.getuid()}:{os.getgid()}"}
    for line in lines:
        line = line.removeprefix("sudo -u linesign ").removeprefix("sudo ")
        if line == "systemctl stop linesignd":
            if appliance.daemon is not None:
                appliance.stop()
        elif line == "systemctl start linesignd":
            appliance.start()
        else:
            line = line.replace("--manifest MANIFEST ", "")
            for name in sorted(places, key=len, reverse=True):
                line = re.sub(rf"(^|(?<= )){re.escape(name)}", str(places[name]), line)
            run = subprocess.run(shlex.split(line), env=softhsm_env(appliance.folder), timeout=60,
                                 capture_output=True, text=True, check=False)
            allowed = (0, 65) if "linesign-audit" in line else (0,)
            assert run.returncode in allowed, line + run.stdout + run.stderr


def to_schema_2(folder):
    """What was released before ledgers had an identity."""
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        db.executescript("DROP TABLE ledger_identity; DROP TABLE ledger_event; DROP TABLE clock_event;"
                         "PRAGMA user_version = 2;")
    db.close()


@pytest.mark.parametrize("machine", ["this", "new"])
@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("backup_is", ["older", "older without its log", "from before the update",
                                       "the newest"])
def test_any_backup_is_restored_by_the_documented_commands(stopped, backup_is, end, machine):
    backup = stopped.folder / "backup"
    if backup_is == "from before the update":
        to_schema_2(ledger(stopped))
        (stopped.folder / "station-ca/ledger-state.toml").unlink()
    if backup_is != "the newest":
        shutil.copytree(ledger(stopped), backup)
    stopped.start()
    stopped.request("--generate", str(2 * FIRST))
    stopped.stop() if end == "stop" else stopped.kill()
    if backup_is == "the newest":
        shutil.copytree(ledger(stopped), backup)
    if backup_is in ("from before the update", "older without its log"):
        (backup / "ledger.sqlite-wal").unlink(missing_ok=True)
    same_machine, new_machine = restore_commands()
    if machine == "new":
        (stopped.folder / "station-ca/ledger-state.toml").unlink()
        same_machine[-2:-1] = new_machine
    run_documented(stopped, same_machine, backup)
    assert stopped.status()["ledger"]["certificates"] == (2 * FIRST if backup_is == "the newest" else FIRST)
    stopped.stop()
    stopped.start()


@pytest.mark.parametrize("word", ["--new-ledger", "--restored-ledger"])
def test_a_word_after_a_kill_harms_nothing(appliance, check_ledger, word):
    appliance.request("--generate", str(FIRST))
    appliance.kill()
    assert "nothing to accept" in decide(appliance, word)
    appliance.start()
    appliance.stop()
    check_ledger(appliance, "--expect", str(FIRST))


def test_an_appliance_from_before_records_is_updated_without_hands(stopped):
    to_schema_2(ledger(stopped))
    (stopped.folder / "station-ca/ledger-state.toml").unlink()
    stopped.start()
    assert stopped.status()["ledger"]["certificates"] == FIRST
