"""Errors as the services send them: code, status and the envelope of the service's protocol."""

import json
from xml.sax.saxutils import escape

from .messages import Reply, new_request_id

STATUS = {
    "InvalidRequestException": 400, "CertificateValidationException": 400,
    "RegistrationCodeValidationException": 400, "MalformedPolicyException": 400,
    "ResourceRegistrationFailureException": 400, "ThrottlingException": 400,
    "ValidationException": 400, "SerializationException": 400, "UnauthorizedException": 401,
    "ServiceQuotaExceededException": 402, "ResourceNotFoundException": 404,
    "NotConfiguredException": 404, "UnknownOperationException": 404,
    "CertificateStateException": 406, "ResourceAlreadyExistsException": 409,
    "CertificateConflictException": 409, "DeleteConflictException": 409,
    "ResourceConflictsException": 409, "ConflictingResourceUpdateException": 409,
    "VersionConflictException": 409, "LimitExceededException": 410,
    "InternalFailureException": 500, "ServiceUnavailableException": 503,
    # Signatures and permissions.
    "AccessDeniedException": 403, "ForbiddenException": 403, "InvalidSignatureException": 403,
    "UnrecognizedClientException": 403, "ExpiredTokenException": 403,
    "MissingAuthenticationTokenException": 403, "IncompleteSignatureException": 403,
    # S3 and STS.
    "AccessDenied": 403, "InvalidAccessKeyId": 403, "SignatureDoesNotMatch": 403,
    "RequestTimeTooSkewed": 403, "InvalidClientTokenId": 403, "MissingAuthenticationToken": 403,
    "ExpiredToken": 400, "InvalidToken": 400, "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400, "XAmzContentSHA256Mismatch": 400,
    "MissingSecurityHeader": 400, "BadDigest": 400, "InvalidDigest": 400, "InvalidRequest": 400,
    "InvalidArgument": 400, "InvalidBucketName": 400, "KeyTooLongError": 400,
    "EntityTooLarge": 400, "MetadataTooLarge": 400, "MalformedXML": 400, "ValidationError": 400,
    "InvalidAction": 400, "Throttling": 400, "PermanentRedirect": 301, "NoSuchBucket": 404,
    "NoSuchKey": 404, "MethodNotAllowed": 405, "ConditionalRequestConflict": 409,
    "MissingContentLength": 411, "PreconditionFailed": 412, "InternalError": 500,
    "NotImplemented": 501, "SlowDown": 503,
}


class ServiceError(Exception):
    """`members` join the body, `headers` the reply."""

    def __init__(self, code, message, status=None, members=None, headers=None):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or STATUS.get(code, 400)
        self.members = members or {}
        self.headers = headers or {}


def invalid(message):
    return ServiceError("InvalidRequestException", message)


def not_found(message):
    return ServiceError("ResourceNotFoundException", message)


def already_exists(message, resource_id=None, arn=None):
    members = {}
    if resource_id is not None:
        members = {"resourceId": resource_id, "resourceArn": arn}
    return ServiceError("ResourceAlreadyExistsException", message, members=members)


def _json_reply(error):
    reply = Reply(error.status, json.dumps({"message": error.message, **error.members}).encode())
    reply.headers = {"content-type": "application/json", "x-amzn-errortype": error.code,
                     "x-amzn-requestid": new_request_id(), **error.headers}
    return reply


def _sts_reply(error):
    request_id = new_request_id()
    fault = "Receiver" if error.status >= 500 else "Sender"
    body = ('<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <Error>\n'
            f"    <Type>{fault}</Type>\n    <Code>{error.code}</Code>\n"
            f"    <Message>{escape(error.message)}</Message>\n  </Error>\n"
            f"  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n")
    # STS has 403 where S3 has 400.
    status = 403 if error.code == "ExpiredToken" else error.status
    reply = Reply(status, body.encode())
    reply.headers = {"content-type": "text/xml", "x-amzn-requestid": request_id, **error.headers}
    return reply


def _s3_reply(error):
    request_id = new_request_id()[:16].upper().replace("-", "0")
    more = "".join(f"<{name}>{escape(str(value))}</{name}>"
                   for name, value in error.members.items())
    body = ('<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>{more}"
            f"<RequestId>{request_id}</RequestId><HostId>double</HostId></Error>")
    reply = Reply(error.status, body.encode("latin-1", "replace"))
    reply.headers = {"content-type": "application/xml", "x-amz-request-id": request_id,
                     "x-amz-id-2": "double", **error.headers}
    return reply


def error_reply(service, error):
    if service == "s3":
        return _s3_reply(error)
    if service == "sts":
        return _sts_reply(error)
    return _json_reply(error)


# How each family of services names what is wrong with a signature.
_JSON_KINDS = {
    "missing": "MissingAuthenticationTokenException",
    "incomplete": "IncompleteSignatureException",
    "unknown_key": "UnrecognizedClientException",
    "bad_token": "UnrecognizedClientException",
    "expired_token": "ExpiredTokenException",
    "denied": "AccessDeniedException",
}
_S3_KINDS = {
    "missing": "AccessDenied", "incomplete": "AuthorizationHeaderMalformed",
    "query_malformed": "AuthorizationQueryParametersError",
    "unknown_key": "InvalidAccessKeyId", "bad_token": "InvalidToken",
    "expired_token": "ExpiredToken", "skew": "RequestTimeTooSkewed",
    "region": "AuthorizationHeaderMalformed", "service": "AuthorizationHeaderMalformed",
    "unsigned_header": "AccessDenied", "payload": "XAmzContentSHA256Mismatch",
    "no_payload_hash": "MissingSecurityHeader", "presigned_expired": "AccessDenied",
    "denied": "AccessDenied",
}
_STS_KINDS = {
    "missing": "MissingAuthenticationToken", "incomplete": "IncompleteSignature",
    "unknown_key": "InvalidClientTokenId", "bad_token": "InvalidClientTokenId",
    "expired_token": "ExpiredToken", "denied": "AccessDenied",
}


def signature_error(service, kind, message, members=None):
    if service == "s3":
        code = _S3_KINDS.get(kind, "SignatureDoesNotMatch")
        return ServiceError(code, message, members=members)
    if service == "sts":
        code = _STS_KINDS.get(kind, "SignatureDoesNotMatch")
        return ServiceError(code, message, 400 if kind == "incomplete" else 403)
    if service == "rolesanywhere":
        return ServiceError("AccessDeniedException", message)
    return ServiceError(_JSON_KINDS.get(kind, "InvalidSignatureException"), message, 403)


def throttled(service):
    if service == "s3":
        return ServiceError("SlowDown", "Please reduce your request rate.")
    if service == "sts":
        return ServiceError("Throttling", "Rate exceeded")
    return ServiceError("ThrottlingException", "Rate exceeded",
                        429 if service == "rolesanywhere" else 400)
