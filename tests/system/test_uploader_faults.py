"""Bad days of the cloud: nothing is lost, nothing is registered twice, and the reason is told."""

import json
import os
import random
import re
import shutil
import subprocess

import pytest

from support.appliance import (EX_CONFIG, EX_DATA, EX_IO, EX_NOPERM, EX_UNAVAILABLE, MODULE,
                               limit_file_size, program, read_only, tree_mode, wait_until, writable)
from support.aws.calls import ACCOUNT, OTHER
from support.aws.certificates import TestCa, key_pem, new_key
from support.aws.client import Keys


def check_registered(plant, number=0):
    """What was issued is in the account, once, and the ledger says so."""
    issued = plant.issued()
    account = plant.account(number)
    assert set(account["certificates"]) == issued
    assert len(account["things"]) == len(issued)
    name = plant.targets[number]["name"]
    assert plant.status()[name]["registered"] == len(issued)
    assert f"{len(issued)} the same, 0 still to come" in plant.cli("reconcile", "--target", name)


def wait_held(plant, error, number=0):
    def look():
        target = plant.progress()["targets"][number]
        return target if target["error"] == error else None
    return wait_until(look, f"held up by {error}")


# --- the network ---------------------------------------------------------------------------------

def test_aws_is_away_while_many_are_made_and_gets_them_in_order(make_plant, long_run):
    devices = 100_000 if long_run else 1_000
    plant = make_plant({})
    plant.aws.settings(away="refuse")
    plant.start_uploader()
    plant.appliance.request("--generate", str(devices), timeout=3600)
    wait_held(plant, "AwsUnreachable")
    status = plant.status()["plant0"]
    assert (status["waiting"], status["registered"], status["parked"]) == (devices, 0, 0)
    assert status["oldest_waiting_at"] and status["state"] == "held"
    said = plant.cli("status")
    assert "held up by" in said and "what to do" in said
    assert "producing since" in plant.appliance.cli("status").stdout, "issuing does not wait"
    plant.aws.settings(away="", clock_skew=7 * 86400)  # for AWS a week has passed
    plant.wait_done(3600 if long_run else 120)
    check_registered(plant)
    if not long_run:
        # In the order of issuing, as far as calls side by side have one.
        made = [each["detail"].rpartition("/")[2] for each in plant.aws.calls(operation="CreateThing")]
        place = {device: number for number, device in enumerate(plant.ledger_order())}
        moved = sum(abs(place[device] - number) for number, device in enumerate(made))
        assert moved / devices < 16
    assert plant.aws.counts()["RegisterCertificate"] == devices


def test_throttled_to_one_call_a_second(make_plant):
    plant = make_plant({"quotas": {}})
    plant.issue(6)
    plant.aws.throttle("RegisterCertificate", 1, burst=1)
    assert "throttled" in plant.cli("upload")
    check_registered(plant)
    assert plant.status()["plant0"]["parked"] == 0


def test_every_reply_is_lost_once(make_plant):
    plant = make_plant({"name": "direct", "policy": "device"},
                       {"name": "bulk", "way": "bulk", "region": "us-east-1",
                        "bucket": "manifests-us"}, ready=False)
    plant.aws.add(accounts=[{"id": ACCOUNT,
                             "buckets": [{"name": "manifests-us", "region": "us-east-1"}]}])
    plant.aws.fault(operation="*CACertificate", do="lose_reply", each="call")
    plant.make_ready()
    plant.issue(20)
    plant.aws.fault(operation="*", do="lose_reply", each="call")
    plant.cli("upload", timeout=200)
    assert sum(plant.aws.log()["replies_lost"].values()) > 80
    plant.aws.clear_faults()
    check_registered(plant, 0)
    check_registered(plant, 1)
    started = [each for each in plant.account(1, "tasks")["tasks"].values()]
    assert len(started) == 1, "a task whose start was not heard of is found, not started again"


def test_a_login_page_is_not_aws(make_plant):
    plant = make_plant({})
    plant.issue(5)
    for portal in ("html", "redirect"):
        plant.aws.settings(captive_portal=portal)
        assert "AwsNotAws" in plant.cli("upload", "--once", expect=EX_UNAVAILABLE)
    plant.aws.settings(captive_portal="")
    assert plant.status()["plant0"]["parked"] == 0
    plant.cli("upload")
    check_registered(plant)


def test_a_server_without_a_trusted_certificate_gets_nothing(make_plant):
    plant = make_plant({})
    plant.issue(3)
    before = plant.aws.counts()
    plant.aws.settings(untrusted_tls=True)
    assert "AwsNotTrusted" in plant.cli("upload", "--once", expect=EX_NOPERM)
    plant.aws.settings(untrusted_tls=False)
    assert plant.aws.counts() == before


# --- clock, region, credentials ------------------------------------------------------------------

def test_a_clock_that_is_ten_minutes_behind(make_plant):
    plant = make_plant({})
    plant.issue(8)
    plant.aws.settings(clock_skew=600)
    plant.cli("upload", "--once")
    plant.aws.settings(clock_skew=0)
    check_registered(plant)


def test_a_clock_that_is_ten_minutes_ahead_makes_devices_wait_and_parks_none(make_plant):
    plant = make_plant({})
    plant.issue(8)
    plant.aws.settings(clock_skew=-600)
    said = plant.cli("upload", "--once", expect=EX_UNAVAILABLE)
    assert "AwsClockSkew" in said and "correct the clock here" in said
    assert plant.status()["plant0"]["parked"] == 0
    plant.aws.settings(clock_skew=0)
    plant.cli("upload", "--once")
    check_registered(plant)


def test_a_bulk_task_waits_for_the_clock_that_was_ahead(make_plant):
    plant = make_plant({"way": "bulk"})
    plant.issue(8)
    plant.aws.settings(clock_skew=-600)
    for _ in range(2):  # the second uploader knows of the task only what the ledger has
        said = plant.cli("upload", "--once", expect=EX_UNAVAILABLE)
        assert "AwsClockSkew" in said and "correct the clock here" in said
    assert plant.status()["plant0"]["parked"] == 0
    plant.aws.settings(clock_skew=0)
    plant.cli("upload", "--once")
    check_registered(plant)


def test_an_endpoint_of_another_region_registers_nothing(make_plant):
    plant = make_plant({})
    plant.issue(3)
    plant.aws.settings(wrong_region="us-east-1")
    said = plant.cli("upload", "--once", expect=EX_NOPERM)
    assert "region" in said
    plant.aws.settings(wrong_region="")
    assert plant.status()["plant0"]["parked"] == 0
    plant.cli("upload")
    check_registered(plant)


def test_credentials_expire_in_the_middle(make_plant):
    plant = make_plant({"assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/deploy"})
    uploader = plant.start_uploader()
    for devices in (30, 60, 90):
        plant.issue(devices)
        assert plant.aws.expire_tokens() > 0
        plant.wait_done()
    check_registered(plant)
    assert uploader.poll() is None


def test_keys_that_are_refused_are_replaced_in_their_file(make_plant):
    plant = make_plant({})
    plant.issue(5)
    good = (plant.folder / "credentials").read_text()
    (plant.folder / "credentials").write_text(good.replace("first-secret", "wrong-secret"))
    plant.start_uploader()
    wait_held(plant, "AwsCredentialsRefused")
    (plant.folder / "credentials").write_text(good)
    plant.wait_done()
    check_registered(plant)


def replace_key(plant, old, new):
    """As an engineer rotates a key: the new one into the file, the old one deleted."""
    file = plant.folder / "credentials"
    file.write_text(file.read_text().replace(old.access_key_id, new.access_key_id)
                    .replace(old.secret_access_key, new.secret_access_key))
    plant.aws.forget_key(old.access_key_id)


def test_a_key_that_is_rotated_while_it_is_used_is_read_anew(make_plant):
    plant = make_plant({})
    plant.issue(5)
    plant.start_uploader()
    plant.wait_done()
    old = plant.aws.keys(0)
    new = Keys("AKIALINESIGNDOUBLE77", "newer-secret-of-the-double-0123456789abc")
    plant.aws.add(accounts=[{"id": ACCOUNT, "keys": [
        {"access_key_id": new.access_key_id, "user": "uploader",
         "secret_access_key": new.secret_access_key}]}])
    replace_key(plant, old, new)
    plant.issue(10)
    plant.wait_done()
    check_registered(plant)


def test_keys_of_another_account_that_replace_the_right_ones_register_nothing(make_plant):
    plant = make_plant({})
    plant.issue(5)
    plant.start_uploader()
    plant.wait_done()
    replace_key(plant, plant.aws.keys(0), plant.aws.keys(1))
    plant.issue(10)
    wait_held(plant, "AwsSettings")
    assert "belong to account" in plant.cli("status")
    assert plant.aws.space(OTHER).get("certificates", {}) == {}
    assert plant.status()["plant0"]["registered"] == 5


def roles_anywhere(plant, key, name):
    """The tables of a trust anchor, and a certificate for `key` that it knows."""
    ca = TestCa("Plant CA")
    plant.aws.add(accounts=[{
        "id": ACCOUNT,
        "roles": [{"name": "uploader", "trust": ["rolesanywhere.amazonaws.com"]}],
        "trust_anchors": [{"region": "eu-west-1", "anchor_id": "anchor", "certificate": ca.pem}],
        "profiles": [{"region": "eu-west-1", "profile_id": "profile", "roles": ["uploader"]}]}])
    (plant.folder / f"{name}.pem").write_text(ca.device("uploader", key=key))
    prefix = f"arn:aws:rolesanywhere:eu-west-1:{ACCOUNT}"
    return {"trust_anchor_arn": f"{prefix}:trust-anchor/anchor",
            "profile_arn": f"{prefix}:profile/profile",
            "role_arn": f"arn:aws:iam::{ACCOUNT}:role/uploader",
            "certificate": str(plant.folder / f"{name}.pem")}


def import_key(plant, key, label, pin):
    """A token of its own, beside that of the CA."""
    folder = plant.appliance.folder
    (plant.folder / "uploader.key").write_text(key_pem(key))
    (plant.folder / "uploader-pin").write_text(pin + "\n")
    (plant.folder / "uploader-pin").chmod(0o400)
    writable(folder / "tokens")
    common = ["--token", label, "--pin", pin]
    plant.appliance.run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin,
                        "--so-pin", "so-" + pin)
    plant.appliance.run("softhsm2-util", "--import", str(plant.folder / "uploader.key"), *common,
                        "--label", "aws", "--id", "a1")
    read_only(folder / "tokens")


@pytest.mark.parametrize("kind", ["P-256", "RSA-2048"])
def test_a_key_in_a_token_is_all_that_the_plant_has(make_plant, kind):
    plant = make_plant({}, ready=False)
    key = new_key(kind)
    import_key(plant, key, "uploader", "uploader-pin")
    roles = roles_anywhere(plant, key, "uploader")
    roles |= {"key": "pkcs11:token=uploader;object=aws", "pin_file": str(plant.folder / "uploader-pin")}
    plant.targets[0] |= {"roles_anywhere": roles}
    del plant.targets[0]["profile"]
    plant.appliance.configure({"aws.target": plant.targets})
    (plant.folder / "credentials").unlink()
    plant.cli("register-ca")
    plant.issue(5)
    plant.cli("upload")
    check_registered(plant)
    assert "CreateSession" in plant.aws.counts() and MODULE


def give(path, user, mode):
    os.chown(path, user, user)
    path.chmod(mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start other users' programs")
def test_a_key_in_a_token_needs_nothing_of_the_signers(make_plant):
    """The uploader's user may read neither their PIN nor their lock nor what PINs they have tried."""
    signer, uploader = 64102, 64103  # numbers need no entry in the user database
    plant = make_plant({}, ready=False)
    key = new_key()
    import_key(plant, key, "uploader", "uploader-pin")
    roles = roles_anywhere(plant, key, "uploader")
    folder = plant.appliance.folder
    for name in ("uploader.pem", "uploader-pin"):
        shutil.copy(plant.folder / name, folder / name)
    shutil.copy(program("linesign"), folder / "linesign")
    roles |= {"certificate": str(folder / "uploader.pem"), "pin_file": str(folder / "uploader-pin"),
              "key": "pkcs11:token=uploader;object=aws"}
    plant.targets[0] |= {"roles_anywhere": roles}
    del plant.targets[0]["profile"]
    plant.appliance.configure({"aws": {"state_dir": str(folder / "uploader")},
                               "aws.target": plant.targets, "hsm": {"user": str(signer)}})
    folder.chmod(0o755)
    tree_mode(folder / "tokens", lambda mode: mode | (0o055 if mode & 0o100 else 0o044))
    (folder / "pin-memory").mkdir()
    (folder / "uploader").mkdir()
    (folder / "signer-login.lock").touch()
    give(folder / "pin-memory", signer, 0o700)
    give(folder / "signer-login.lock", signer, 0o640)
    give(folder / "pin", signer, 0o400)
    give(folder / "uploader-pin", uploader, 0o400)
    give(folder / "uploader", uploader, 0o750)
    command = [str(folder / "linesign"), "--config", str(plant.appliance.config_file), "aws",
               "sign-login", "--target", "plant0", "00" * 32]
    run = subprocess.run(command, user=uploader, group=uploader, extra_groups=[], cwd="/",
                         env=plant.environment(), capture_output=True, text=True, check=False)
    assert run.returncode == 0 and bytes.fromhex(run.stdout), run.stderr
    tried = next((folder / "uploader" / "pin-memory").glob("pin-*"))
    assert tried.stat().st_uid == uploader and "accepted" in tried.read_text()


def test_the_ca_key_never_signs_for_aws(make_plant):
    plant = make_plant({}, ready=False)
    roles = roles_anywhere(plant, new_key(), "uploader")
    folder = plant.appliance.folder
    roles |= {"certificate": str(folder / "ca.pem"), "pin_file": str(folder / "pin"),
              "key": "pkcs11:token=system-test;object=device-ca"}
    plant.targets[0] |= {"roles_anywhere": roles}
    del plant.targets[0]["profile"]
    plant.appliance.configure({"aws.target": plant.targets})
    said = plant.cli("sign-login", "--target", "plant0", "00" * 32, expect=EX_DATA)
    assert "the CA key does not sign for AWS" in said


def test_a_key_in_a_file_signs_for_roles_anywhere(make_plant):
    plant = make_plant({}, ready=False)
    key = new_key()
    write_key(plant, key)
    roles = {**roles_anywhere(plant, key, "uploader"), "key": str(plant.folder / "uploader.key")}
    plant.targets[0] |= {"roles_anywhere": roles}
    del plant.targets[0]["profile"]
    plant.appliance.configure({"aws.target": plant.targets})
    plant.cli("register-ca")
    plant.issue(3)
    plant.cli("upload")
    check_registered(plant)


def write_key(plant, key, mode=0o600):
    (plant.folder / "uploader.key").write_text(key_pem(key))
    (plant.folder / "uploader.key").chmod(mode)


def check_config(plant, name, expect=0):
    """What `NAME --check-config` says."""
    run = subprocess.run([program(name), "--config", str(plant.appliance.config_file),
                          "--check-config"], env=plant.environment(), capture_output=True, text=True,
                         timeout=60, check=False)
    assert run.returncode == expect, run.stdout + run.stderr
    return run.stdout + run.stderr


def test_a_key_file_that_would_fail_later_is_told_by_check_config(make_plant):
    plant = make_plant({}, ready=False)
    key = new_key()
    write_key(plant, key)
    roles = {**roles_anywhere(plant, key, "uploader"), "key": str(plant.folder / "uploader.key")}
    plant.targets[0] |= {"roles_anywhere": roles}
    del plant.targets[0]["profile"]
    plant.appliance.configure({"aws.target": plant.targets})
    for name in ("linesignd", "linesign-uploader"):
        assert "ok" in check_config(plant, name)
    for wrong, mode, says in ((key, 0o644, "every user of this machine may read it"),
                              (new_key(), 0o600, "the key does not belong to the certificate"),
                              (new_key("RSA-2048"), 0o600, "does not belong to the certificate")):
        write_key(plant, wrong, mode)
        for name in ("linesignd", "linesign-uploader"):
            said = check_config(plant, name, EX_CONFIG)
            assert re.search(r"linesign\.toml:\d+: aws\.target\.roles_anywhere\.key: ", said), said
            assert says in said
    said = plant.cli("preflight", expect=EX_NOPERM)
    assert "uploader.key: the key does not belong to the certificate" in said


def test_a_profile_that_would_fail_later_is_told_by_the_uploaders_check_config(make_plant):
    plant = make_plant({}, ready=False)
    assert "ok" in check_config(plant, "linesign-uploader")
    config = plant.folder / "config"
    config.write_text(config.read_text() + f"role_arn = arn:aws:iam::{ACCOUNT}:role/narrow\n" +
                      "[profile broken]\nno key\n")
    plant.targets[0] |= {"profile": "account1"}
    plant.appliance.configure({"aws.target": plant.targets})
    said = check_config(plant, "linesign-uploader", EX_CONFIG)
    assert "plant0: " in said and "nothing says whose keys assume the role" in said
    assert "nothing says whose keys assume the role" in plant.cli("preflight", expect=EX_CONFIG)
    plant.targets[0] |= {"profile": "broken"}
    plant.appliance.configure({"aws.target": plant.targets})
    said = check_config(plant, "linesign-uploader", EX_CONFIG)
    assert re.search(r"/config:\d+: \"key = value\" is expected", said), said
    plant.targets[0] |= {"profile": "account0"}
    plant.appliance.configure({"aws.target": plant.targets})
    assert "ok" in check_config(plant, "linesign-uploader")


def test_a_target_that_cannot_begin_holds_up_no_other(make_plant):
    plant = make_plant({"name": "good"}, {"name": "bad", "region": "us-east-1"})
    plant.targets[1] |= {"profile": "gone"}
    plant.appliance.configure({"aws.target": plant.targets})
    plant.issue(10)
    plant.start_uploader()
    wait_held(plant, "AwsSettings", 1)
    wait_until(lambda: plant.status()["good"]["registered"] == 10, "the other one works")
    assert "there is no profile gone" in plant.cli("status", "--target", "bad")
    with (plant.folder / "credentials").open("a") as file:
        file.write((plant.folder / "credentials").read_text().replace("[account0]", "[gone]"))
    plant.wait_done()
    check_registered(plant, 1)


# --- one device ----------------------------------------------------------------------------------

def test_another_certificate_id_in_an_answer_is_believed_by_nobody(make_plant):
    plant = make_plant({})
    plant.issue(30)
    device = plant.ledger_order()[3]
    certificate = next(each for each in plant.appliance.certificates() if each.stem == device)
    # A piece of its signature that JSON writes as it is.
    signature = certificate.read_text().partition("-----END")[0].split("\n")[-3]
    piece = max(re.split(r"[^A-Za-z0-9]", signature), key=len)
    plant.aws.fault(operation="RegisterCertificate", do="replace", contains=piece, times=None,
                    members={"certificateId": "ab" * 32, "resourceId": "ab" * 32})
    plant.cli("upload", expect=EX_DATA)
    (parked,) = json.loads(plant.cli("parked", "--json"))["parked"]
    assert (parked["target"], parked["device_id"]) == ("plant0", device)
    assert parked["name"] == "AwsAnswerInvalid" and "ab" * 32 in parked["reason"]
    assert plant.status()["plant0"]["registered"] == 29
    assert "1 not booked" in plant.cli("reconcile", expect=EX_DATA)
    plant.aws.clear_faults()
    plant.cli("release", "--target", "plant0", "--code", "1007")
    plant.cli("upload")
    check_registered(plant)


def test_an_answer_that_cannot_be_read_blocks_the_target_and_fails_nobody(make_plant):
    plant = make_plant({})
    plant.start_uploader()
    devices = 0
    for form in ("half", "deep", "long", "list", "types"):
        plant.aws.fault(operation="CreateThing", do="unreadable", form=form, times=None)
        devices += 2
        plant.issue(devices)
        wait_held(plant, "AwsAnswerUnreadable")
        status = plant.status()["plant0"]
        assert (status["waiting"], status["parked"]) == (2, 0), form
        plant.aws.clear_faults()
        plant.wait_done()
    check_registered(plant)


def test_a_call_that_hangs_keeps_no_other_device(make_plant):
    plant = make_plant({})
    plant.issue(40)
    plant.aws.fault(operation="CreateThing", do="hang")
    plant.start_uploader()
    wait_until(lambda: plant.status()["plant0"]["registered"] == 39, "the others are registered")
    plant.issue(60)
    wait_until(lambda: plant.status()["plant0"]["registered"] >= 59, "and those that come later")
    plant.wait_done()
    check_registered(plant)


def test_a_device_that_aws_refuses_holds_up_nobody_else(make_plant):
    plant = make_plant({})
    plant.issue(20)
    device = plant.ledger_order()[7]
    plant.aws.fault(operation="CreateThing", do="error", contains=f"/things/{device}", times=None,
                    code="InvalidRequestException", message="no such luck", status=400)
    uploader = plant.start_uploader()
    wait_until(lambda: plant.status()["plant0"]["registered"] == 19, "the others are registered", 60)
    plant.issue(21)  # one that is begun after the refusal, which shows that it is not about all
    plant.wait_done()
    said = plant.cli("parked", "--target", "plant0")
    assert device in said and "no such luck" in said
    assert plant.status()["plant0"]["registered"] == 20
    plant.aws.clear_faults()
    plant.cli("release", "--target", "plant0")
    plant.wait_done()
    check_registered(plant)
    uploader.terminate()
    assert uploader.wait(10) == 0
    assert "devices parked target=plant0 parked=1" in plant.log_tail()
    assert "registered target=plant0" in plant.log_tail()


# --- processes -----------------------------------------------------------------------------------

@pytest.mark.parametrize("way", ["direct", "bulk"])
def test_kills_of_the_uploader_at_any_moment(make_plant, long_run, way):
    kills = 200 if long_run else 10
    plant = make_plant({"way": way, "chunk_lines": 40} if way == "bulk" else {"way": way})
    chance = random.Random(7)
    devices = 0
    for _ in range(kills):
        devices += 40
        plant.issue(devices)
        uploader = plant.start_uploader(wait=False)
        with pytest.raises(subprocess.TimeoutExpired):
            uploader.wait(chance.uniform(0.01, 0.5))
        uploader.kill()
        uploader.wait()
    plant.cli("upload", timeout=300)
    check_registered(plant)


def test_linesignd_is_killed_while_devices_are_registered(make_plant):
    plant = make_plant({})
    plant.issue(300)
    plant.start_uploader()
    wait_until(lambda: plant.progress()["targets"][0]["registered"] > 0 or
               plant.aws.counts().get("RegisterCertificate", 0) > 20, "some are registered")
    plant.appliance.kill()
    plant.appliance.start()
    plant.wait_done()
    check_registered(plant)


@pytest.mark.parametrize("way", ["file", "bulk"])
def test_a_disk_that_is_full_while_a_manifest_is_written(make_plant, way):
    plant = make_plant({"way": way}, ready=way == "bulk")
    plant.issue(60)
    uploader = plant.start_uploader(preexec=limit_file_size(16 * 1024))
    wait_held(plant, "Io")
    assert not list((plant.folder / "export").glob("*")) or \
        all(path.name.startswith(".") for path in (plant.folder / "export").iterdir())
    assert plant.aws.counts().get("PutObject", 0) == 0
    uploader.terminate()
    assert uploader.wait(10) == 0
    plant.cli("upload")
    if way == "bulk":
        check_registered(plant)
        return
    (manifest,) = (plant.folder / "export").glob("*.ndjson")
    assert len(manifest.read_text().splitlines()) == 60
    assert plant.status()["plant0"]["handed_over"] == 60


def test_a_stick_that_is_not_in_its_place_gets_nothing_and_holds(make_plant):
    plant = make_plant({"way": "file"}, ready=False)
    plant.issue(4)
    stick = plant.folder / "export"
    stick.rename(plant.folder / "away")
    said = plant.cli("preflight", expect=EX_IO) + plant.cli("upload", "--once", expect=EX_IO)
    assert said.count("is the stick in its place?") >= 2
    assert not stick.exists() and plant.status()["plant0"]["handed_over"] == 0
    (plant.folder / "away").rename(stick)
    plant.cli("upload", "--once")
    assert plant.status()["plant0"]["handed_over"] == 4


# --- bulk ----------------------------------------------------------------------------------------

def test_it_waits_while_a_bulk_task_of_somebody_else_runs(make_plant):
    plant = make_plant({"way": "bulk"})
    plant.issue(10)
    where = {"account": ACCOUNT, "region": "eu-west-1"}
    plant.aws.control("POST", "foreign-task", where)
    plant.start_uploader()
    wait_until(lambda: plant.aws.counts().get("ListThingRegistrationTasks", 0) > 1, "it looks")
    assert plant.account(0, "certificates")["certificates"] == {}
    wait_held(plant, "AwsTaskRunning")
    plant.aws.control("POST", "end-foreign-task", where)
    plant.wait_done()
    check_registered(plant)


def test_a_slow_line_makes_no_task_of_each_device(make_plant):
    plant = make_plant({"way": "bulk", "min_lines": 12, "max_wait": "1h"})
    plant.start_uploader()
    for devices in range(2, 12, 3):
        plant.issue(devices)
        wait_until(lambda: plant.progress()["targets"][0]["state"] == "working", "it gathers")
        assert plant.status()["plant0"]["waiting"] == devices
    plant.issue(12)
    plant.wait_done()
    check_registered(plant)
    assert plant.aws.counts()["StartThingRegistrationTask"] == 1
    # Whoever asks for it need not wait.
    plant.issue(13)
    plant.uploaders[0].terminate()
    assert plant.uploaders[0].wait(10) == 0
    plant.cli("upload")
    check_registered(plant)


def test_throttled_lines_and_empty_answers_that_call_themselves_html_cost_nothing(make_plant):
    plant = make_plant({"way": "bulk"})
    plant.aws.settings(empty_type="text/html", bulk_bad_lines=[2, 5], bulk_bad_tasks=1,
                       bulk_bad_code="ThrottlingException")
    plant.issue(10)
    plant.cli("upload")
    check_registered(plant)
    assert plant.aws.counts()["StartThingRegistrationTask"] == 2


def test_tasks_that_fail_leave_no_object_and_no_file(make_plant):
    plant = make_plant({"way": "bulk"})
    plant.aws.settings(bulk_bad_lines=list(range(1, 13)), bulk_bad_tasks=3)
    plant.issue(12)
    plant.start_uploader()
    plant.wait_done()
    check_registered(plant)
    counts = plant.aws.counts()
    assert (counts["StartThingRegistrationTask"], counts["DeleteObject"]) == (4, 3)
    left = [path.name for path in (plant.appliance.folder / "uploader").iterdir()]
    assert not [name for name in left if name.startswith((".plant0", "plant0"))], left


def test_links_to_reports_that_have_expired_are_asked_for_again(make_plant):
    plant = make_plant({"way": "bulk"})
    plant.aws.settings(expired_reports=1)
    plant.issue(10)
    plant.cli("upload")
    check_registered(plant)
    assert plant.aws.counts()["ListThingRegistrationTaskReports"] > 2


def test_no_secret_is_in_what_it_says(make_plant):
    plant = make_plant({})
    plant.issue(3)
    plant.aws.settings(away="refuse")
    said = plant.cli("upload", "--once", expect=EX_UNAVAILABLE) + plant.cli("status")
    plant.aws.settings(away="")
    assert not re.search(r"first-secret|AKIA", said)
    assert plant.cli("preflight", expect=0) and EX_CONFIG
