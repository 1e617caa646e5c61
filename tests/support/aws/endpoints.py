"""Which service and which region does a request mean, and which is it at?"""

import re

from . import iot_cas, iot_certificates, iot_groups, iot_policies  # noqa: F401  fill the table
from . import iot_tasks, iot_templates, iot_things  # noqa: F401
from . import roles_anywhere, s3, sts
from .operations import IOT

SERVICES = ("iot", "s3", "sts", "rolesanywhere")
_HOST = re.compile(r"(?:.+\.)?(iot|s3|sts|rolesanywhere)(?:-fips)?[.-](?:dualstack\.)?"
                   r"([a-z]{2}(?:-[a-z]+)+-\d)\.(?:amazonaws\.com|api\.aws)(?:\.cn)?")
_SCOPE = re.compile(r"/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")


class Target:
    """The service, the region of the endpoint (or None where it serves all), the operation."""

    __slots__ = ("service", "region", "name", "operation", "segments")

    def __init__(self, service, region):
        self.service = service
        self.region = region
        self.name = "Unknown"
        self.operation = None
        self.segments = ()


def _meant(request):
    """(service, region) of the credential, wherever it stands."""
    text = request.headers.get("authorization") or request.query_value("X-Amz-Credential") or ""
    match = _SCOPE.search(text)
    return (match.group(2), match.group(1)) if match else (None, None)


def resolve(request):
    """The target of a request. The endpoint decides; where one serves all, the credential."""
    listener = request.listener
    service, region = listener.service, listener.region
    if service is None:
        match = _HOST.fullmatch(request.headers.get("host", "").partition(":")[0])
        if match:
            service, region = match.groups()
        elif request.headers.get("host", "").partition(":")[0] == "sts.amazonaws.com":
            service, region = "sts", "us-east-1"
    if service is None:
        service = _meant(request)[0]
        if service not in SERVICES:
            # Unsigned, or signed for what is not played.
            service = "iot" if IOT.find(request.method, request.segments()) else "s3"
    target = Target(service, region)
    if service == "iot":
        target.segments = request.segments()
        target.operation = IOT.find(request.method, target.segments)
        target.name = target.operation.name if target.operation else "Unknown"
    else:
        target.name = {"s3": s3, "sts": sts,
                       "rolesanywhere": roles_anywhere}[service].operation_name(request)
    return target
