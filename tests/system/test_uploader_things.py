"""Whose things are they, and whose fault is it: other teams' things, set-ups that fail everybody,
device ids that can be no things, devices that are switched off."""

import contextlib
import json

from support.appliance import EX_DATA, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE, wait_until
from support.aws.calls import ACCOUNT, OTHER, REGION, arn_of
from support.aws.certificates import TestCa


def make_thing_of_somebody_else(plant, name):
    """Its principal."""
    pem = TestCa("Gateways").device(name)
    with contextlib.closing(plant.aws.client(0, region=REGION)) as client:
        client.iot("POST", "/certificate/register-no-ca", {"certificatePem": pem, "status": "ACTIVE"})
        client.iot("POST", f"/things/{name}", {"attributePayload": {"attributes": {"team": "other"}}})
        client.iot("PUT", f"/things/{name}/principals", principal=arn_of(pem))
    return arn_of(pem)


def test_a_station_takes_over_no_thing_of_the_account(make_plant):
    plant = make_plant({"policy": "device", "attributes": {"order": "{order}"}})
    make_thing_of_somebody_else(plant, "gateway-000001")
    before = plant.account(0, "things")["things"]["gateway-000001"]
    plant.start_uploader()
    plant.appliance.request("--generate", "1", "--device-prefix", "gateway-")
    wait_until(lambda: plant.progress()["targets"][0]["error"] == "AwsThingForeign", "it is blocked")
    assert plant.status()["plant0"]["parked"] == 0, "perhaps all things are somebody else's"
    plant.appliance.request("--generate", "3")  # others get through: it is this one's fault
    plant.wait_done()
    (failed,) = json.loads(plant.cli("parked", "--json"))["parked"]
    assert failed["device_id"] == "gateway-000001" and failed["name"] == "AwsThingForeign"
    assert "thing gateway-000001" in failed["reason"] and "existing_things" in failed["reason"]
    assert plant.account(0, "things")["things"]["gateway-000001"] == before
    assert "plant0: nothing is parked of device other" in plant.cli(
        "release", "--target", "plant0", "--device", "other")
    assert "1 wait again" in plant.cli("release", "--target", "plant0", "--device", "gateway-000001")


def test_device_ids_that_can_be_no_things_are_refused_before_they_are_signed(make_plant):
    plant = make_plant({"thing_name_prefix": "line1-"}, {"name": "later"}, default_order=["plant0"])
    plant.issue(2)
    refused = plant.appliance.request("--generate", "1", "--device-prefix", "gateway-", check=False)
    assert refused.returncode != 0
    said = refused.stdout + refused.stderr + plant.appliance.client_log()
    assert "DeviceIdNotAllowed" in said and "target plant0" in said and "'line1-'" in said
    refused = plant.appliance.request("--generate", "1", "--device-prefix", "line1-a.", check=False)
    assert refused.returncode != 0
    assert len(plant.ledger_order()) == 2, "nothing was signed"
    assert "Things begin with line1-" in plant.cli("preflight", "--target", "plant0")
    # A target that is added or stopped by hand counts at once.
    plant.cli("register", "--order", "default", "--target", "plant0", "--stop")
    plant.appliance.request("--generate", "1", "--device-prefix", "gateway.")
    plant.cli("register", "--order", "default", "--target", "later")
    refused = plant.appliance.request("--generate", "1", "--device-prefix", "sensor.", check=False)
    assert refused.returncode != 0 and len(plant.ledger_order()) == 3


def test_a_fault_of_the_set_up_fails_nobody_at_the_pace_of_a_line(make_plant):
    plant = make_plant({"thing_type": "sensor"})
    where = {"account": ACCOUNT, "region": REGION}
    plant.aws.control("POST", "make", {**where, "thing_types": ["sensor"],
                                       "deprecated_thing_types": ["sensor"]})
    uploader = plant.start_uploader()
    for devices in (1, 2, 3):
        plant.issue(devices)
        wait_until(lambda: plant.progress()["targets"][0]["error"] == "AwsRefused", "it is blocked")
    status = plant.status()["plant0"]
    assert (status["registered"], status["waiting"], status["parked"]) == (0, 3, 0)
    assert status["state"] == "held" and "deprecated" in status["detail"]
    plant.cli("status", "--check", expect=EX_TEMPFAIL)
    uploader.terminate()
    uploader.wait(15)
    plant.cli("status", "--check", expect=EX_TEMPFAIL)
    assert "deprecated" in plant.cli("upload", "--once", expect=EX_DATA)
    plant.start_uploader()  # knows of nothing
    plant.aws.control("POST", "make", {**where, "thing_types": ["sensor"]})
    plant.wait_done()
    assert plant.status()["plant0"]["registered"] == 3
    plant.cli("status", "--check")


def test_a_device_is_switched_off_in_every_account(make_plant):
    plant = make_plant({"name": "production"}, {"name": "staging", "account": OTHER},
                       {"name": "file", "way": "file"}, default_order=["production", "staging"])
    plant.issue(3)
    plant.cli("upload", "--target", "production", "--target", "staging")
    device = plant.ledger_order()[1]
    said = plant.cli("revoke", device, expect=EX_USAGE)
    assert said.count("becomes INACTIVE") == 2 and "--yes" in said

    def states(number):
        return sorted(each["status"] for each in plant.account(number)["certificates"].values())

    assert states(0) == states(1) == ["ACTIVE"] * 3, "nothing was done"
    # A target that fails does not keep the others from theirs.
    plant.aws.fault(operation="UpdateCertificate", account=ACCOUNT, do="error", times=None,
                    code="ServiceUnavailableException", status=503)
    said = plant.cli("revoke", device, "--yes", expect=EX_UNAVAILABLE)
    assert "production: AWS reports a failure" in said and "staging: " in said
    assert states(0) == ["ACTIVE"] * 3 and states(1) == ["ACTIVE", "ACTIVE", "INACTIVE"]
    plant.aws.clear_faults()
    assert "was ACTIVE, is now REVOKED" in plant.cli("revoke", device, "--status", "REVOKED", "--yes")
    assert states(0) == states(1) == ["ACTIVE", "ACTIVE", "REVOKED"]
    assert "is already REVOKED" in plant.cli("revoke", device, "--yes")
    assert "DeviceUnknown" in plant.cli("revoke", "nobody", "--yes", expect=EX_DATA)
    assert "1 not active" in plant.cli("reconcile", "--target", "staging", expect=EX_DATA)
    # One that waits is told as such.
    plant.issue(4)
    waiting = plant.ledger_order()[3]
    assert "not registered here yet" in plant.cli("revoke", waiting, "--yes", expect=EX_TEMPFAIL)
