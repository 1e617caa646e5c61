"""Bulk registration by the double: tasks, reports, and what goes wrong with them."""

import json
import ssl
import time
import urllib.error
import urllib.request

import pytest

from aws_fixtures import aws, client, registered_ca as ca
from support.appliance import wait_until
from support.aws.calls import ACCOUNT, POLICY, REGION, ROLE, bulk_template
from support.aws.certificates import new_key

KEY = new_key()


def start_task(client, lines, template=None):
    client.iot("POST", "/policies/device", {"policyDocument": POLICY})
    body = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    client.s3("PUT", "manifests", "lines", body.encode())
    return client.iot("POST", "/thing-registration-tasks", {
        "templateBody": json.dumps(template or bulk_template()), "inputFileBucket": "manifests",
        "inputFileKey": "lines", "roleArn": ROLE})


def finished(aws, task, status="Completed"):
    return wait_until(lambda: [each for key, each in aws.space(ACCOUNT)["tasks"].items()
                               if key == task and each["status"] == status],
                      f"the task is {status}")[0]


def links(client, task, kind):
    target = f"/thing-registration-tasks/{task}/reports?reportType={kind}&maxResults=250"
    return client.iot("GET", target).json()["resourceLinks"]


def fetch(aws, link):
    with urllib.request.urlopen(link, context=ssl.create_default_context(cafile=aws.ca),
                                timeout=20) as reply:
        return [json.loads(line) for line in reply.read().splitlines()]


def lines_for(ca, count):
    return [{"ThingName": f"unit-{number}", "SerialNumber": str(number),
             "CertificatePem": ca.device(f"unit-{number}", key=KEY)} for number in range(count)]


def test_chosen_lines_fail_and_go_in_with_the_next_task(aws, client, ca):
    lines, bad = lines_for(ca, 100), [1, 20, 33, 77, 100]
    aws.settings(bulk_bad_lines=bad, bulk_bad_tasks=1, report_lines_per_link=30)
    task = start_task(client, lines).json()["taskId"]
    ended = finished(aws, task)
    assert (ended["succeeded"], ended["failed"]) == (95, 5)
    assert [each["lineNumber"] for each in fetch(aws, links(client, task, "ERRORS")[0])] == bad
    results = links(client, task, "RESULTS")
    assert [len(fetch(aws, link)) for link in results] == [30, 30, 30, 5]
    again = start_task(client, lines).json()["taskId"]
    assert finished(aws, again)["succeeded"] == 100
    space = aws.space(ACCOUNT)
    assert len(space["certificates"]) == len(space["things"]) == 100


def test_lines_that_are_wrong_fail_alone(aws, client, ca):
    good = lines_for(ca, 3)
    lines = ["not json\n", good[0], "[]\n", {**good[1], "SerialNumber": 7}, good[1],
             {"ThingName": "x"}, {**good[2], "Surplus": "1"}, {**good[2], "ThingName": "a b"},
             good[2]]
    task = start_task(client, lines).json()["taskId"]
    assert finished(aws, task)["succeeded"] == 3
    errors = fetch(aws, links(client, task, "ERRORS")[0])
    assert [each["lineNumber"] for each in errors] == [1, 3, 4, 6, 7, 8]
    assert all("Error Code: ResourceRegistrationFailureException;" in each["errorMessage"] and
               each["response"] is None for each in errors[2:])


@pytest.mark.parametrize("bad", [
    "{", "{}", {"Resources": {}}, {**bulk_template(), "DeviceConfiguration": {}},
    bulk_template(CertificateId="x"), bulk_template(Status="REVOKED"), bulk_template(Unknown="x"),
    bulk_template(Status={"Ref": "NoParameter"}), bulk_template(Status={"Fn::Join": ["", []]}),
])
def test_a_bad_template_is_refused_at_once(client, bad):
    refused = client.iot("POST", "/thing-registration-tasks", {
        "templateBody": bad if isinstance(bad, str) else json.dumps(bad),
        "inputFileBucket": "manifests", "inputFileKey": "lines", "roleArn": ROLE})
    assert refused.error == "InvalidRequestException"


def test_there_is_one_task_at_a_time(aws, client, ca):
    aws.control("POST", "foreign-task", {"account": ACCOUNT, "region": REGION})
    assert start_task(client, lines_for(ca, 1)).error == "InvalidRequestException"
    aws.settings(bulk_busy_code="LimitExceededException")
    assert start_task(client, lines_for(ca, 1)).error == "LimitExceededException"
    running = client.iot("GET", "/thing-registration-tasks?status=InProgress").json()["taskIds"]
    assert len(running) == 1
    aws.control("POST", "end-foreign-task", {"account": ACCOUNT, "region": REGION})
    finished(aws, start_task(client, lines_for(ca, 1)).json()["taskId"])


def test_a_task_can_be_stopped(aws, client, ca):
    aws.settings(bulk_lines_per_second=20)
    task = start_task(client, lines_for(ca, 100)).json()["taskId"]
    wait_until(lambda: aws.space(ACCOUNT)["tasks"][task]["succeeded"] > 2, "the task runs")
    assert links(client, task, "RESULTS") == []
    assert client.iot("PUT", f"/thing-registration-tasks/{task}/cancel").status == 200
    ended = finished(aws, task, "Cancelled")
    assert 2 < ended["succeeded"] < 100


def test_a_task_whose_file_is_not_there_fails(aws, client):
    answer = client.iot("POST", "/thing-registration-tasks", {
        "templateBody": json.dumps(bulk_template()), "inputFileBucket": "manifests",
        "inputFileKey": "gone", "roleArn": ROLE})
    assert "not found" in finished(aws, answer.json()["taskId"], "Failed")["message"]


def test_links_of_reports_can_have_expired(aws, client, ca):
    task = start_task(client, lines_for(ca, 1)).json()["taskId"]
    finished(aws, task)
    aws.settings(expired_reports=1)
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(aws, links(client, task, "RESULTS")[0])
    assert refused.value.code == 403 and b"Request has expired" in refused.value.read()
    assert len(fetch(aws, links(client, task, "RESULTS")[0])) == 1


def test_a_task_uses_up_the_account_s_quota(aws, client, ca):
    aws.throttle("RegisterThing", 20, burst=1)
    started = time.monotonic()
    finished(aws, start_task(client, lines_for(ca, 21)).json()["taskId"])
    assert time.monotonic() - started > 0.8
