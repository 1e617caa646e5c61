"""Runs bulk registration tasks line by line, in slices between the calls, and writes reports."""

import json
import time
import traceback

from .errors import ServiceError
from .messages import new_request_id
from .provisioning import Provisioner
from .s3_objects import Object
from .template import resource_failure
from .throttle import REGISTRATIONS

LINE_SIZE = 256_000
_SLICE = 0.02  # seconds of work before other calls get their turn
# What a line costs of the account's quotas.
_COSTS = ("RegisterThing", REGISTRATIONS)


def _error_members(shape, error):
    code, message = error.code, error.message
    if shape == "public":
        status = 429 if code == "ThrottlingException" else error.status
        text = (f"com.amazonaws.services.iot.model.{code}: {message} (Service: AWSIot; "
                f"Status Code: {status}; Error Code: {code}; Request ID: {new_request_id()}; "
                "Proxy: null)")
        return {"errorMessage": text, "response": None}
    if shape == "register-thing":
        return {"Error": {"Code": code, "Message": message}}
    if shape == "top-level":
        return {"code": code, "message": message}
    return {"error": {"code": code, "message": message}}


def _result_members(shape, pem, arns):
    if shape == "register-thing":
        return {"response": {"certificatePem": pem, "resourceArns": arns}}
    response = {"response": {"CertificatePem": pem, "ResourceArns": arns}}
    return {"errorMessage": None, **response} if shape == "public" else response


class Report:
    """The lines of one report, cut into objects of a bucket."""

    def __init__(self, kind):
        self.kind = kind
        self.lines = []

    def store(self, bucket, task, per_object):
        for start in range(0, len(self.lines), per_object):
            key = f"{task.id}/{self.kind.lower()}/{start // per_object:05}"
            content = "".join(self.lines[start:start + per_object]).encode()
            bucket.objects[key] = Object(content, "application/octet-stream", task.modified)
            task.reports[self.kind].append(key)


class Runner:
    def __init__(self, world, space, task, template, role):
        self.world = world
        self.space = space
        self.task = task
        self.template = template
        self.role = role
        self.content = b""
        self.at = 0  # where the next line starts
        self.number = 0
        self.started = world.monotonic()
        self.results = Report("RESULTS")
        self.errors = Report("ERRORS")
        settings = world.settings
        self.bad_lines = frozenset(settings.bulk_bad_lines)
        if self.bad_lines and settings.bulk_bad_tasks > 0:
            settings.bulk_bad_tasks -= 1
            if settings.bulk_bad_tasks == 0:
                settings.bulk_bad_lines = []

    def start(self):
        self.world.schedule(0.0, self.step)

    def step(self):
        """Works for a moment, then lets others in."""
        try:
            self._work()
        except Exception:  # see dispatch.py
            traceback.print_exc()
            self.world.log.bugs += 1
            self.task.status = "Failed"

    def _work(self):
        if self.task.status == "Cancelling":
            self._end("Cancelled")
            return
        if self.number == 0 and self.at == 0 and not self._open():
            return
        wait, deadline = 0.0, time.monotonic() + _SLICE
        while self.at < len(self.content) and time.monotonic() < deadline:
            wait = self._pause()
            if wait:
                break
            self._next_line()
        self.task.percent = 100 * self.at // max(1, len(self.content))
        if self.at >= len(self.content):
            self._end("Completed")
        else:
            self.world.schedule(wait, self.step)

    def _open(self):
        """The role reads the input; what is wrong shows in the task."""
        bucket = self.world.buckets.get(self.task.bucket)
        found = bucket.objects.get(self.task.key) if bucket else None
        if bucket is None or bucket.account != self.space.account or \
                "s3:GetObject" in self.role.deny or bucket.region != self.space.region:
            self._end("Failed", f"Access denied to bucket {self.task.bucket}")
        elif found is None:
            self._end("Failed", f"The file {self.task.key} was not found")
        else:
            self.content = found.content
            return True
        return False

    def _pause(self):
        """Seconds to wait before the next line."""
        pace = self.world.settings.bulk_lines_per_second
        if pace:
            early = self.number / pace - (self.world.monotonic() - self.started)
            if early > 0:
                return min(early, 0.2)
        now = self.world.monotonic()
        for operation in _COSTS:
            if not self.world.throttle.take(operation, self.space.account, self.space.region, now):
                return 0.02
        return 0.0

    def _next_line(self):
        end = self.content.find(b"\n", self.at)
        end = len(self.content) if end < 0 else end
        line, offset = self.content[self.at:end], self.at
        self.at = end + 1
        self.number += 1
        place = {"lineNumber": self.number - 1 + self.world.settings.bulk_first_line,
                 "offset": offset} \
            if self.world.settings.report_positions else {}
        shape = self.world.settings.report_shape
        try:
            pem, arns = self._register(line)
        except ServiceError as error:
            self.task.failed += 1
            self.errors.lines.append(json.dumps(place | _error_members(shape, error)) + "\n")
        else:
            self.task.succeeded += 1
            self.results.lines.append(json.dumps(place | _result_members(shape, pem, arns)) + "\n")

    def _fail(self):
        code = self.world.settings.bulk_bad_code
        raise ServiceError(code, "The line was made to fail") if code else \
            resource_failure("The line was made to fail")

    def _register(self, line):
        if self.number in self.bad_lines:
            self._fail()
        if "iot:RegisterCertificate" in self.role.deny:
            raise resource_failure("AccessDeniedException: the role may not register certificates")
        try:
            text = line.decode("utf-8")
            given = json.loads(text)
        except ValueError:
            raise ServiceError("InvalidRequestException", "The line is not JSON") from None
        if len(text) > LINE_SIZE:
            raise ServiceError("InvalidRequestException", "The line is too long")
        if not isinstance(given, dict):
            raise ServiceError("InvalidRequestException", "The line is not a JSON object")
        if given.get("ThingName") in self.world.settings.bulk_bad_things:
            self._fail()
        return Provisioner(self.world, self.space, self.template, given).run()

    def _end(self, status, message=""):
        task = self.task
        task.status, task.message = status, message
        task.modified = self.world.clock.now()
        bucket = self.world.report_bucket(self.space.region)
        for report in (self.results, self.errors):
            report.store(bucket, task, self.world.settings.report_lines_per_link)
        if status == "Completed":
            task.percent = 100
        self.content = b""
