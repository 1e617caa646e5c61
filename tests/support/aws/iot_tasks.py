"""AWS IoT: bulk registration tasks as a caller sees them. bulk.py runs them."""

import time
import uuid

from . import shapes
from .bulk import Runner
from .errors import ServiceError, invalid, not_found
from .iot_cas import check_role
from .operations import iot
from .paging import BY_TOKEN, token_page
from .shapes import ROLE_ARN, TEMPLATE_BODY, body, label, query
from .sigv4 import Keys, Signer
from .template import parse_template

STATUSES = ("InProgress", "Completed", "Failed", "Cancelled", "Cancelling")
_TASK_ID = label(shapes.String(0, 40))


class Task:
    def __init__(self, template_body, bucket, key, role, now):
        self.id = str(uuid.uuid4())
        self.template_body = template_body
        self.bucket = bucket
        self.key = key
        self.role = role
        self.created = self.modified = now
        self.status = "InProgress"
        self.message = ""
        self.succeeded = self.failed = self.percent = 0
        self.reports = {"RESULTS": [], "ERRORS": []}  # keys in the bucket of reports


def running_task(space):
    """The one task at a time, or None."""
    return next((task for task in space.tasks.values()
                 if task.status in ("InProgress", "Cancelling")), None)


@iot("StartThingRegistrationTask", "POST", "/thing-registration-tasks",
     templateBody=body(TEMPLATE_BODY, required=True),
     inputFileBucket=body(shapes.BUCKET, required=True),
     inputFileKey=body(shapes.KEY, required=True), roleArn=body(ROLE_ARN, required=True))
def start_thing_registration_task(call):
    world, space = call.world, call.space
    template = parse_template(call["templateBody"], "BULK")
    role = check_role(call, call["roleArn"])
    if running_task(space):
        raise ServiceError(world.settings.bulk_busy_code,
                           "Another thing registration task is in progress")
    task = Task(call["templateBody"], call["inputFileBucket"], call["inputFileKey"],
                call["roleArn"], world.clock.now())
    space.tasks[task.id] = task
    Runner(world, space, task, template, role).start()
    return {"taskId": task.id}


def _find(call):
    task = call.space.tasks.get(call["taskId"])
    if task is None:
        raise not_found("The task does not exist")
    return task


@iot("DescribeThingRegistrationTask", "GET", "/thing-registration-tasks/{taskId}", taskId=_TASK_ID)
def describe_thing_registration_task(call):
    task = _find(call)
    return {"taskId": task.id, "creationDate": task.created, "lastModifiedDate": task.modified,
            "templateBody": task.template_body, "inputFileBucket": task.bucket,
            "inputFileKey": task.key, "roleArn": task.role, "status": task.status,
            "message": task.message, "successCount": task.succeeded, "failureCount": task.failed,
            "percentageProgress": task.percent}


@iot("ListThingRegistrationTasks", "GET", "/thing-registration-tasks",
     status=query(shapes.String(choices=STATUSES)), **BY_TOKEN)
def list_thing_registration_tasks(call):
    wanted = call.get("status")
    found = [task.id for task in call.space.tasks.values() if wanted in (None, task.status)]
    return token_page(call, "tasks", found, "taskIds")


@iot("StopThingRegistrationTask", "PUT", "/thing-registration-tasks/{taskId}/cancel",
     taskId=_TASK_ID)
def stop_thing_registration_task(call):
    task = _find(call)
    if task.status not in ("InProgress", "Cancelling"):
        raise invalid("The task is not in progress")
    task.status = "Cancelling"
    task.modified = call.world.clock.now()
    return {}


@iot("ListThingRegistrationTaskReports", "GET", "/thing-registration-tasks/{taskId}/reports",
     taskId=_TASK_ID, reportType=query(shapes.String(choices=("ERRORS", "RESULTS")), required=True),
     **BY_TOKEN)
def list_thing_registration_task_reports(call):
    task, kind, settings = _find(call), call["reportType"], call.world.settings
    expired = settings.expired_reports > 0 and bool(task.reports[kind])
    if expired:
        settings.expired_reports -= 1
    answer = token_page(call, f"{kind}/{task.id}", task.reports[kind], "resourceLinks",
                        lambda key: _link(call, key, expired))
    answer["reportType"] = kind
    return answer


def _link(call, key, expired):
    """A presigned link on the endpoint that the caller used; an expired one was signed long ago."""
    world, region = call.world, call.space.region
    host = call.request.headers["host"]
    name = host.rpartition(":")[0] if host.rsplit(":", 1)[-1].isdigit() else host
    host = f"s3.{region}.amazonaws.com" if name.endswith(".amazonaws.com") else \
        f"{name}:{world.shared_port}"
    seconds = world.settings.report_url_seconds
    at = world.clock.now() - (seconds + 60 if expired else 0)
    identity = world.accounts.service_identity
    signer = Signer(Keys(identity.access_key_id, identity.secret), region, "s3",
                    time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at)))
    target = signer.presign("GET", f"/{world.report_bucket(region).name}/{key}", {"host": host},
                            seconds)[3]
    return f"https://{host}{target}"
