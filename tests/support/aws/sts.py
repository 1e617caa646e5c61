"""STS: AssumeRole and GetCallerIdentity."""

import re
import time
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from .errors import ServiceError
from .messages import Reply, new_request_id

_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
VERSION = "2011-06-15"


def fields(request):
    return dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))


def operation_name(request):
    return fields(request).get("Action") or "NoAction"


def _answer(action, inner):
    request_id = new_request_id()
    body = (f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n'
            f"  <{action}Result>{inner}</{action}Result>\n"
            f"  <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\n"
            f"</{action}Response>\n")
    return Reply(200, body.encode(), {"content-type": "text/xml", "x-amzn-requestid": request_id})


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def credentials_xml(session):
    return (f"<Credentials><AccessKeyId>{session.access_key_id}</AccessKeyId>"
            f"<SecretAccessKey>{session.secret}</SecretAccessKey>"
            f"<SessionToken>{session.token}</SessionToken>"
            f"<Expiration>{iso(session.expires)}</Expiration></Credentials>")


def _invalid(message):
    return ServiceError("ValidationError", message)


def _assume_role(call, given):
    arn, name = given.get("RoleArn", ""), given.get("RoleSessionName", "")
    if not 20 <= len(arn) <= 2048 or not arn.startswith("arn:"):
        raise _invalid(f"{arn} is invalid")
    if not _SESSION_NAME.fullmatch(name):
        raise _invalid("1 validation error detected: Value at 'roleSessionName' failed to satisfy "
                       "constraint")
    seconds = given.get("DurationSeconds", "3600")
    if not seconds.isdigit() or not 900 <= int(seconds) <= 43200:
        raise _invalid("1 validation error detected: Value at 'durationSeconds' failed to satisfy "
                       "constraint")
    caller = call.caller
    role = call.world.accounts.find_role(arn)
    if role is None or not role.trusts(caller) or role.external_id not in (
            None, given.get("ExternalId")):
        raise ServiceError("AccessDenied", f"User: {caller.arn} is not authorized to perform: "
                           f"sts:AssumeRole on resource: {arn}")
    # A session that assumes a role gets an hour at most.
    if int(seconds) > (3600 if caller.token else role.max_session):
        raise _invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this "
                       "role.")
    session = call.world.accounts.open_session(
        role, name, call.world.settings.session_seconds or int(seconds))
    return _answer("AssumeRole", credentials_xml(session) + (
        f"<AssumedRoleUser><AssumedRoleId>{escape(session.user_id)}</AssumedRoleId>"
        f"<Arn>{escape(session.arn)}</Arn></AssumedRoleUser>"))


def serve(call):
    given = fields(call.request)
    if call.request.method != "POST" or call.request.path != "/":
        raise ServiceError("InvalidAction", "Only POST / is played")
    if given.get("Version") != VERSION:
        raise ServiceError("InvalidAction", f"Could not find operation for version "
                           f"{given.get('Version')}")
    if call.operation == "GetCallerIdentity":
        caller = call.caller
        return _answer("GetCallerIdentity", f"<Arn>{escape(caller.arn)}</Arn><UserId>"
                       f"{escape(caller.user_id)}</UserId><Account>{caller.account}</Account>")
    if call.operation == "AssumeRole":
        return _assume_role(call, given)
    raise ServiceError("InvalidAction", f"Could not find operation {call.operation}")
