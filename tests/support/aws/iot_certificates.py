"""AWS IoT: device certificates."""

from . import shapes, x509
from .errors import ServiceError, already_exists
from .iot_cas import bad_certificate, check_certificate, epoch
from .iot_space import Device
from .operations import iot, need
from .paging import BY_MARKER, marker_page
from .shapes import BOOLEAN, body, label, query
from .throttle import REGISTRATIONS

_ID = label(shapes.CERTIFICATE_ID)
_REGISTRABLE = ("ACTIVE", "INACTIVE", "REVOKED")
_TARGET_STATUSES = ("ACTIVE", "INACTIVE", "REVOKED", "REGISTER_INACTIVE")


def _conflict():
    return ServiceError("CertificateConflictException",
                        "Unable to verify the CA certificate used to sign the device certificate: "
                        "more than one registered CA certificate fits")


def find_ca(space, certificate, ca_pem):
    """The registered CA that signed the certificate."""
    same = space.cas_by_subject.get(certificate.issuer, ())
    if ca_pem is not None:
        try:
            wanted = x509.from_pem(ca_pem).id
        except x509.BadCertificate as error:
            raise bad_certificate(error) from None
        candidates = [ca for ca in same if ca.id == wanted]
    else:
        candidates = same
    if not candidates:
        raise ServiceError("CertificateValidationException",
                           "The CA certificate that signed the certificate is not registered")
    if len(candidates) > 1:
        raise _conflict()
    ca = candidates[0]
    if len(same) > 1 and \
            sum(other.certificate.spki == ca.certificate.spki for other in same) > 1:
        raise _conflict()
    try:
        if not x509.signed_by(certificate, ca.certificate):
            raise x509.BadCertificate("The certificate is not signed by the CA certificate")
    except x509.BadCertificate as error:
        raise bad_certificate(error) from None
    if ca.status != "ACTIVE":
        raise ServiceError("CertificateStateException", "The CA certificate is not ACTIVE")
    return ca


def add_device(world, space, certificate, pem, ca, status):
    """Books a certificate that was checked. `ca` is None for one without a registered CA."""
    known = space.devices.get(certificate.id)
    if known is not None:
        known.refused += 1
        raise already_exists("The certificate is already registered", certificate.id,
                             space.cert_arn(certificate.id))
    device = Device(certificate, pem, ca.id if ca else None, ca.mode if ca else "SNI_ONLY", status,
                    world.clock.now())
    space.add_device(device)
    return device


def register(world, space, pem, ca_pem, status):
    certificate = check_certificate(world, pem)
    return add_device(world, space, certificate, pem, find_ca(space, certificate, ca_pem), status)


def _take_registration(call):
    if not call.world.throttle.take(REGISTRATIONS, call.space.account, call.space.region,
                                    call.world.monotonic()):
        raise ServiceError("ThrottlingException", "Rate exceeded")


def _status_to_register(call):
    status = call.get("status")
    if status is None:
        status = "ACTIVE" if call.get("setAsActive") else "INACTIVE"
    need(status in _REGISTRABLE, f"A certificate cannot be registered as {status}")
    return status


@iot("RegisterCertificate", "POST", "/certificate/register",
     certificatePem=body(shapes.PEM, required=True), caCertificatePem=body(shapes.PEM),
     status=body(shapes.STATUS), setAsActive=query(BOOLEAN))
def register_certificate(call):
    status = _status_to_register(call)
    _take_registration(call)
    device = register(call.world, call.space, call["certificatePem"],
                      call.get("caCertificatePem"), status)
    return {"certificateArn": call.space.cert_arn(device.id), "certificateId": device.id}


@iot("RegisterCertificateWithoutCA", "POST", "/certificate/register-no-ca",
     certificatePem=body(shapes.PEM, required=True), status=body(shapes.STATUS))
def register_certificate_without_ca(call):
    status = _status_to_register(call)
    _take_registration(call)
    certificate = check_certificate(call.world, call["certificatePem"])
    device = add_device(call.world, call.space, certificate, call["certificatePem"], None, status)
    return {"certificateArn": call.space.cert_arn(device.id), "certificateId": device.id}


@iot("DescribeCertificate", "GET", "/certificates/{certificateId}", certificateId=_ID)
def describe_certificate(call):
    device = call.space.device(call["certificateId"])
    described = {
        "certificateArn": call.space.cert_arn(device.id), "certificateId": device.id,
        "status": device.status, "certificatePem": device.pem, "ownedBy": call.space.account,
        "creationDate": device.created, "lastModifiedDate": device.modified,
        "customerVersion": device.version, "transferData": {},
        "validity": {"notBefore": epoch(device.not_before), "notAfter": epoch(device.not_after)},
        "certificateMode": device.mode}
    if device.ca_id:
        described["caCertificateId"] = device.ca_id
    return {"certificateDescription": described}


@iot("UpdateCertificate", "PUT", "/certificates/{certificateId}", certificateId=_ID,
     newStatus=query(shapes.STATUS, required=True))
def update_certificate(call):
    status = call["newStatus"]
    need(status in _TARGET_STATUSES, f"A certificate cannot be set to {status}")
    set_status(call.world, call.space.device(call["certificateId"]), status)


def set_status(world, device, status):
    if status == "ACTIVE" and device.registered_as == "REVOKED":
        raise ServiceError("CertificateStateException",
                           "A certificate that was registered as REVOKED cannot be activated")
    if device.status != status:
        device.status = status
        device.modified = world.clock.now()
        device.version += 1


@iot("DeleteCertificate", "DELETE", "/certificates/{certificateId}", certificateId=_ID,
     forceDelete=query(BOOLEAN))
def delete_certificate(call):
    space = call.space
    device = space.device(call["certificateId"])
    if device.status == "ACTIVE":
        raise ServiceError("CertificateStateException", "The certificate is ACTIVE")
    if device.things or device.leaving > call.world.monotonic():
        raise ServiceError("DeleteConflictException", "Things are attached to the certificate")
    if device.policies and not call.get("forceDelete"):
        raise ServiceError("DeleteConflictException", "Policies are attached to the certificate")
    for name in device.policies:
        space.policies[name].targets.pop(space.cert_arn(device.id), None)
    space.remove_device(device)


def _list(call, name, ids):
    def show(certificate_id):
        device = call.space.devices.get(certificate_id)
        if device is None:
            return None
        return {"certificateArn": call.space.cert_arn(device.id), "certificateId": device.id,
                "status": device.status, "certificateMode": device.mode,
                "creationDate": device.created}

    return marker_page(call, name, ids, "certificates", show)


@iot("ListCertificates", "GET", "/certificates", **BY_MARKER)
def list_certificates(call):
    return _list(call, "certificates", call.space.device_order)


@iot("ListCertificatesByCA", "GET", "/certificates-by-ca/{caCertificateId}", caCertificateId=_ID,
     **BY_MARKER)
def list_certificates_by_ca(call):
    ca_id = call["caCertificateId"].lower()
    return _list(call, f"by-ca/{ca_id[:16]}", call.space.devices_by_ca.get(ca_id, []))
