"""Devices get to AWS: the real appliance and the real uploader, and a double for AWS."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

from support.appliance import (BIN, EX_CONFIG, EX_DATA, EX_NOPERM, EX_TEMPFAIL, EX_UNAVAILABLE,
                               EX_USAGE, program, wait_until)
from support.aws.calls import ACCOUNT, OTHER, ROLE
from support.aws.certificates import id_of


def test_a_lot_goes_direct_to_its_account_and_reconciles(make_plant):
    plant = make_plant({"policy": "device", "attributes": {"order": "{order}"}})
    plant.issue(60)
    status = plant.status()["plant0"]
    assert (status["waiting"], status["registered"]) == (60, 0)
    said = plant.cli("upload")
    assert "60 of 60  100 %" in said and "done" in said
    issued = plant.issued()
    account = plant.account()
    assert set(account["certificates"]) == issued and len(issued) == 60
    assert len(account["things"]) == 60
    assert all(each["attributes"] == {"order": "default"} for each in account["things"].values())
    assert "60 the same" in plant.cli("reconcile")
    assert plant.status()["plant0"]["registered"] == 60
    # A second time there is nothing to do, and nothing is called for a device.
    before = plant.aws.counts()["RegisterCertificate"]
    plant.cli("upload")
    assert plant.aws.counts()["RegisterCertificate"] == before


def test_the_service_registers_what_is_made_while_it_runs(make_plant):
    plant = make_plant({})
    uploader = plant.start_uploader()
    for _ in range(2):
        plant.issue(len(plant.appliance.certificates()) + 20)
        plant.wait_done()
    assert plant.status()["plant0"]["registered"] == len(plant.appliance.certificates())
    said = plant.cli("status")
    assert "registered" in said and "idle since" in said
    assert "0 waiting, 0 parked" in plant.appliance.cli("status").stdout
    uploader.terminate()
    assert uploader.wait(10) == 0
    assert "does not run" in plant.cli("status")


def test_after_a_change_of_the_ca_devices_of_both_are_registered(make_plant, check_ledger, tmp_path):
    """Of the same subject: AWS must be told with each certificate which one it is."""
    plant = make_plant({"policy": "device", "send_ca_certificate": True})
    plant.issue(4)
    former = id_of((plant.appliance.folder / "ca.pem").read_text())
    plant.appliance.change_ca()
    plant.appliance.request("--generate", "3", "--first", "5", out=tmp_path / "second")
    plant.cli("register-ca")
    assert f"The former CA {former}, which signed 4 devices still to come, is registered" in \
        plant.cli("preflight")

    def delete(*more, **options):
        return plant.cli("delete-ca", "--target", "plant0", "--yes", *more, **options)

    said = delete("--ca", former, expect=EX_DATA)
    assert f"the CA {former} signed devices that are still to be registered at plant0 (4 of" in said
    assert f"does not have the CA {former}" in \
        delete("--ca", str(plant.appliance.folder / "ca.pem"), "--force")
    register = f"register-ca --target plant0 --ca {former}"
    assert register in plant.cli("preflight", expect=EX_CONFIG)
    assert former in plant.cli("upload", "--once", expect=EX_DATA)
    assert plant.status()["plant0"]["parked"] == 0
    assert f"has the CA {former} now: SNI_ONLY ACTIVE" in plant.cli(*register.split())
    plant.cli("upload")
    assert len(plant.account()["certificates"]) == 7
    assert "7 the same" in plant.cli("reconcile")
    delete("--ca", former)
    said = plant.cli("reconcile", "--deep")
    assert "7 the same" in said and "7 looked at closely: 0 without their thing" in said
    plant.appliance.stop()
    check_ledger(plant.appliance, "--ca", str(plant.appliance.folder / "ca-2.pem"),
                 "--certs", str(tmp_path / "second"), "--expect", "7")


def test_what_the_account_lost_is_found_by_device_and_registered_again(make_plant):
    plant = make_plant({"policy": "device"})
    plant.issue(4)
    plant.cli("upload")
    certificates = plant.account()["certificates"]
    things = {name: only for name, thing in plant.account()["things"].items()
              for only in thing["principals"]}
    gone, thingless, quiet, _ = sorted(things)
    plant.aws.control("POST", "forget",
                      {"account": ACCOUNT, "region": plant.targets[0]["region"],
                       "certificates": [things[gone]], "things": [thingless],
                       "policies_of": [things[quiet]]})
    said = plant.cli("reconcile", expect=EX_DATA)
    assert f"certificate {things[gone]}) is registered by the ledger and not in the account" in said
    assert f"{gone} (number " in said and "3 the same" in said
    said = plant.cli("reconcile", "--deep", expect=EX_DATA)
    assert f") has no thing {thingless} in the account" in said
    assert f"{quiet} (number " in said and ") does not have the policy device" in said
    plant.cli("reconcile", "--repair", expect=EX_USAGE)  # nobody has said yes
    said = plant.cli("reconcile", "--repair", "--yes", "--device", gone)
    assert "; registered again" in said and "1 registered again" in said
    assert set(plant.account()["certificates"]) == set(certificates)
    plant.cli("reconcile", "--repair", "--deep", "--yes")
    assert "4 the same" in plant.cli("reconcile", "--deep")


def test_two_accounts_and_two_regions_get_the_same_certificates(make_plant):
    plant = make_plant({"name": "production"}, {"name": "staging", "account": OTHER},
                       {"name": "america", "region": "us-east-1"})
    plant.issue(25)
    plant.cli("upload")
    issued = plant.issued()
    for number in range(3):
        assert set(plant.account(number)["certificates"]) == issued
    assert plant.cli("reconcile").count("25 the same") == 3


def test_an_order_is_added_to_a_target_later(make_plant):
    plant = make_plant({"name": "production"}, {"name": "staging", "account": OTHER},
                       default_order=["production"])
    plant.issue(12)
    plant.cli("upload")
    assert plant.account(1, "certificates").get("certificates", {}) == {}
    assert "from the first" in plant.cli("register", "--order", "default", "--target", "staging")
    plant.cli("upload")
    assert set(plant.account(1)["certificates"]) == plant.issued()
    plant.cli("register", "--order", "none", "--target", "staging", expect=EX_DATA)


def test_a_target_that_becomes_another_account_registers_nothing_there(make_plant):
    plant = make_plant({"name": "moved"}, {"name": "other", "account": OTHER},
                       default_order=["moved", "other"])
    plant.issue(5)
    plant.cli("upload")
    plant.appliance.stop()
    file = plant.appliance.config_file
    file.write_text(file.read_text().replace(ACCOUNT, OTHER, 1))
    plant.appliance.start()
    plant.issue(8)
    for command in ("upload --once", "preflight", "reconcile"):
        said = plant.cli(*command.split(), "--target", "moved", expect=EX_CONFIG)
        assert "another name" in said, command
    plant.cli("upload", "--target", "other")
    assert plant.status()["other"]["registered"] == 8, "the others go on"
    assert plant.status()["moved"]["registered"] == 5


def test_what_was_stopped_by_hand_stays_off_and_is_told(make_plant):
    plant = make_plant({"name": "production"})
    plant.cli("register", "--order", "default", "--target", "production", "--stop")
    plant.appliance.stop()
    plant.appliance.start()
    plant.issue(3)
    by_hand = "the configuration names it, and it was stopped by hand: linesign aws register " \
              "--order default --target production"
    assert by_hand in plant.cli("preflight", "--order", "default")
    assert by_hand in plant.cli("upload")
    assert plant.account().get("certificates", {}) == {}
    plant.cli("register", "--order", "default", "--target", "production")
    assert "by hand" not in plant.cli("preflight") + plant.cli("upload")
    assert set(plant.account()["certificates"]) == plant.issued()
    plant.appliance.configure({"aws": {"targets_of_default_order": []}})
    plant.appliance.stop()
    plant.appliance.start()
    assert "production: ok: the order default goes here by hand" in plant.cli("preflight")


def test_a_target_that_linesignd_does_not_know_yet_wants_its_restart(make_plant):
    plant = make_plant({"name": "production"}, {"name": "staging", "account": OTHER},
                       default_order=[])
    everything = plant.targets
    plant.appliance.configure({"aws.target": everything[:1]})
    plant.appliance.stop()
    plant.appliance.start()
    plant.appliance.configure({"aws": {"targets_of_default_order": ["staging"]},
                               "aws.target": everything})
    yet = "linesignd does not know this target yet: restart linesignd"
    assert f"staging: {yet}" in plant.cli("status")
    assert json.loads(plant.cli("status", "--json"))["not_known_yet"] == ["staging"]
    assert f"staging: {yet}" in plant.cli("preflight", "--order", "default", expect=EX_DATA)
    assert f"staging: {yet}" in plant.cli("upload", "--once", expect=EX_DATA)
    plant.appliance.stop()
    plant.appliance.start()
    assert json.loads(plant.cli("status", "--json"))["not_known_yet"] == []
    plant.cli("preflight", "--order", "default")


def test_a_target_that_linesignd_never_knew_is_not_called_unknown(make_plant):
    plant = make_plant({"name": "production"})
    plant.targets.append(plant.target(1, name="new", account=OTHER))
    plant.appliance.configure({"aws.target": plant.targets})
    yet = "new: linesignd does not know this target yet: restart linesignd"
    assert yet in plant.cli("upload", "--once", "--target", "new", expect=EX_DATA)
    assert yet in plant.cli("register", "--order", "default", "--target", "new", expect=EX_DATA)
    assert yet in plant.cli("parked", "--target", "new", expect=EX_DATA)
    assert yet not in plant.cli("parked", "--target", "typo", expect=EX_DATA)


def test_bulk_parks_five_bad_lines_in_a_thousand_and_registers_the_others(make_plant):
    devices, bad = 1000, [5, 99, 500, 777, 990]
    plant = make_plant({"way": "bulk"})
    plant.issue(devices)
    order = plant.ledger_order()
    plant.aws.settings(bulk_bad_things=[order[number - 1] for number in bad])
    plant.cli("upload", expect=EX_DATA)
    status = plant.status()["plant0"]
    assert (status["registered"], status["parked"]) == (devices - 5, 5)
    parked = json.loads(plant.cli("parked", "--target", "plant0", "--json"))["parked"]
    assert len(parked) == 5 and all(each["reason"] for each in parked)
    assert f"{devices - 5} the same, 5 still to come" in plant.cli("reconcile")
    # After the repair they wait again, and go into a task of their own, which is the third: before
    # they were failed they had been tried a second time.
    plant.aws.settings(bulk_bad_things=[])
    assert "nothing is parked for error 9999" in plant.cli("release", "--target", "plant0",
                                                           "--code", "9999")
    assert "5 wait again" in plant.cli("release", "--target", "plant0")
    assert "plant0: nothing is parked\n" in plant.cli("release", "--target", "plant0")
    plant.cli("upload")
    assert set(plant.account()["certificates"]) == plant.issued()
    assert f"{devices} the same, 0 still to come" in plant.cli("reconcile")
    counts = plant.aws.counts()
    assert counts["StartThingRegistrationTask"] == 3 and counts["PutObject"] == 3


def test_files_for_a_plant_without_internet(make_plant):
    plant = make_plant({"way": "file"}, ready=False)
    plant.issue(30)
    plant.cli("upload")
    lines = [json.loads(line) for path in sorted((plant.folder / "export").glob("*.ndjson"))
             for line in path.read_text().splitlines()]
    assert {id_of(each["CertificatePem"]) for each in lines} == plant.issued()
    assert len(lines) == 30 and len(list((plant.folder / "export").glob("*.csv"))) == 1
    assert plant.status()["plant0"]["handed_over"] == 30
    assert plant.aws.counts() == {}


def test_reconciling_leaves_a_target_of_files_out_unless_it_is_named(make_plant):
    """A plant without internet has no credentials for it."""
    plant = make_plant({"name": "here"}, {"name": "stick", "way": "file", "profile": None})
    plant.issue(3)
    plant.cli("upload")
    said = plant.cli("reconcile")
    assert "stick: not compared: way file calls nothing of AWS" in said
    assert "here: 3 the same" in said
    assert "AwsCredentialsMissing" in plant.cli("reconcile", "--target", "stick", expect=EX_NOPERM)


def test_just_in_time_checks_the_ca_and_calls_nothing_for_a_device(make_plant):
    plant = make_plant({"way": "jit"})
    plant.issue(10)
    plant.cli("upload")
    assert plant.status()["plant0"]["handed_over"] == 10
    assert "RegisterCertificate" not in plant.aws.counts()
    plant.cli("deactivate-ca", "--target", "plant0", "--yes")
    plant.issue(20)
    assert "not ACTIVE" in plant.cli("upload", "--once", expect=EX_DATA)


def test_a_device_registers_itself_with_the_template_that_register_ca_made(make_plant):
    plant = make_plant({"way": "jit", "template_name": "line-jitp",
                        "registration_role_arn": ROLE}, ready=False)
    common_name = {"Ref": "AWS::IoT::Certificate::CommonName"}
    plant.template.write_text(json.dumps({
        "Parameters": {"AWS::IoT::Certificate::CommonName": {"Type": "String"},
                       "AWS::IoT::Certificate::Id": {"Type": "String"}},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": common_name}},
            "certificate": {"Type": "AWS::IoT::Certificate",
                            "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"},
                                           "Status": "ACTIVE"}}}}))
    plant.targets[0]["template_file"] = str(plant.template)
    plant.appliance.configure({"aws.target": plant.targets})
    assert "made the provisioning template line-jitp" in plant.cli("register-ca")
    plant.cli("preflight")
    plant.issue(2)
    plant.cli("upload")
    device = plant.appliance.certificates()[0]
    pem = device.read_text()
    answer = plant.aws.control("POST", "connect", {
        "account": ACCOUNT, "region": "eu-west-1",
        "certificatePem": pem[:pem.index("-----END")] + "-----END CERTIFICATE-----\n"})
    assert answer["status"] == "ACTIVE", answer
    account = plant.account()
    assert list(account["things"]) == [device.stem]
    assert list(account["certificates"]) == [id_of(device.read_text())]
    # The other one has not connected yet: that is no difference.
    assert "1 the same, 1 still to come" in plant.cli("reconcile")


# --- the CA --------------------------------------------------------------------------------------

def the_ca(plant, number=0):
    (ca,) = plant.account(number, "cas")["cas"].values()
    return ca


def test_mode_default_is_proved_with_the_key_in_the_token(make_plant):
    plant = make_plant({"mode": "DEFAULT", "way": "jit"}, ready=False)
    assert "verification certificate made" in plant.cli("register-ca")
    ca = the_ca(plant)
    assert (ca["mode"], ca["status"], ca["auto_registration"]) == ("DEFAULT", "ACTIVE", True)
    assert "nothing to do" in plant.cli("register-ca"), "the second time finds it"


def test_a_mode_is_changed_only_when_that_is_said(make_plant):
    plant = make_plant({}, ready=True)
    plant.targets[0]["mode"] = "DEFAULT"
    plant.appliance.configure({"aws.target": plant.targets})
    assert "--change-mode" in plant.cli("register-ca", expect=EX_DATA)
    assert "linesign aws register-ca --target plant0 --change-mode" in \
        plant.cli("preflight", expect=EX_CONFIG)
    assert the_ca(plant)["mode"] == "SNI_ONLY"
    plant.cli("register-ca", "--change-mode", expect=EX_USAGE, stdin=subprocess.DEVNULL)
    assert the_ca(plant)["mode"] == "SNI_ONLY"
    plant.cli("register-ca", "--change-mode", "--yes")
    assert the_ca(plant)["mode"] == "DEFAULT"


def test_a_ca_is_deactivated_and_deleted(make_plant):
    plant = make_plant({})
    plant.cli("delete-ca", "--target", "plant0", expect=EX_USAGE, stdin=subprocess.DEVNULL)
    plant.cli("deactivate-ca", "--target", "plant0", "--yes")
    assert the_ca(plant)["status"] == "INACTIVE"
    assert "deleted" in plant.cli("delete-ca", "--target", "plant0", "--yes")
    assert plant.account(0, "cas")["cas"] == {}
    assert "nothing to do" in plant.cli("delete-ca", "--target", "plant0", "--yes")


def test_an_account_may_be_looked_at_before_there_is_a_linesignd(make_plant):
    plant = make_plant({})
    plant.appliance.stop()
    assert "The credentials belong to account" in plant.cli("preflight", "--target", "plant0")


def test_preflight_says_what_is_missing_before_the_first_device(make_plant):
    plant = make_plant({"policy": "device", "thing_group": "line"}, ready=False)
    said = plant.cli("preflight", "--order", "default", expect=EX_CONFIG)
    assert "linesign aws register-ca --target plant0" in said
    assert "device is not there" in said and "line is not there" in said


# --- who works where -----------------------------------------------------------------------------

def test_the_uploader_leaves_no_core_file_with_keys_in_it(make_plant):
    plant = make_plant({})
    process = Path(f"/proc/{plant.start_uploader().pid}")
    limits = (process / "limits").read_text()
    assert re.search(r"^Max core file size\s+0\s+0\s", limits, re.M)


def test_a_second_uploader_is_told_that_there_is_one(make_plant):
    plant = make_plant({})
    first = plant.start_uploader()
    second = plant.start_uploader(wait=False)
    assert second.wait(10) == EX_TEMPFAIL
    said = plant.cli("upload", expect=EX_TEMPFAIL)
    assert "FolderInUse" in said and "another linesign-uploader runs in this state_dir" in said
    assert first.poll() is None
    plant.issue(5)
    plant.wait_done()


def test_it_waits_for_linesignd(make_plant):
    plant = make_plant({})
    plant.issue(5)
    plant.appliance.stop()
    plant.start_uploader()
    wait_until(lambda: plant.progress()["targets"][0]["error"] == "AdminUnavailable",
               "it says that linesignd is away")
    plant.cli("upload", "--once", expect=EX_TEMPFAIL)
    plant.appliance.start()
    plant.wait_done()
    assert set(plant.account()["certificates"]) == plant.issued()


def test_without_linesignd_a_command_says_so(make_plant):
    plant = make_plant({})
    plant.appliance.stop()
    assert "AdminUnavailable" in plant.cli("status", expect=EX_UNAVAILABLE)
    assert "AdminUnavailable" in plant.cli("upload", "--once", expect=EX_UNAVAILABLE)
    plant.appliance.start()


def test_credentials_of_another_account_register_nothing(make_plant):
    plant = make_plant({})
    plant.issue(3)
    plant.targets[0]["profile"] = "account1"
    plant.appliance.configure({"aws.target": plant.targets})
    said = plant.cli("upload", "--once", expect=EX_CONFIG)
    assert OTHER in said and ACCOUNT in said
    assert plant.account().get("certificates", {}) == {}


def test_the_uploader_cannot_reach_a_token():
    """Neither libp11 nor the ledger's file is in reach of the process with the internet."""
    program = (BIN / "linesign-uploader").read_bytes()
    assert b"libp11.so" not in program


# --- what a person sees --------------------------------------------------------------------------

def test_a_terminal_shows_a_bar_and_ctrl_c_ends_it(make_plant):
    plant = make_plant({"quotas": {"RegisterCertificate": 5}})
    plant.issue(60)
    parent, child = pty.openpty()
    command = [program("linesign"), "--config", str(plant.appliance.config_file), "aws", "upload"]
    with subprocess.Popen(command, env=plant.environment(), stdin=child, stdout=child,
                          stderr=child) as upload:
        os.close(child)
        seen = b""
        while b"/s" not in seen or b" of 60" not in seen:
            seen += os.read(parent, 4096)
        upload.send_signal(signal.SIGINT)
        assert upload.wait(10) == EX_TEMPFAIL
        with contextlib.suppress(OSError):  # the terminal is gone
            while more := os.read(parent, 4096):
                seen += more
    os.close(parent)
    assert b"\r[" in seen
    status = plant.status()["plant0"]
    assert status["waiting"] + status["registered"] == 60
    # The last line counts also what was done when the signal came.
    assert re.findall(rb"(\d+) of 60", seen)[-1] == b"%d" % status["registered"]


def test_mode_default_in_a_second_account_of_the_region_is_explained(make_plant):
    plant = make_plant({"mode": "DEFAULT"}, {"mode": "DEFAULT", "account": OTHER}, ready=False)
    plant.cli("register-ca", "--target", "plant0")
    said = plant.cli("register-ca", "--target", "plant1", expect=EX_DATA)
    assert "1032 AwsExists" in said and "SNI_ONLY" in said
