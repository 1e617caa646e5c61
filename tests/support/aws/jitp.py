"""A device connects: what AWS IoT does with its certificate then, just-in-time registration and
provisioning included."""

from . import iot_certificates, x509
from .errors import ServiceError, invalid
from .provisioning import Provisioner
from .template import parse_template

_SUBJECT = {"Country": "2.5.4.6", "Organization": "2.5.4.10", "OrganizationalUnit": "2.5.4.11",
            "DistinguishedNameQualifier": "2.5.4.46", "StateName": "2.5.4.8",
            "CommonName": "2.5.4.3", "SerialNumber": "2.5.4.5"}


def parameters_of(certificate):
    """What the subject of a certificate gives to a template."""
    values = {"AWS::IoT::Certificate::Id": certificate.id}
    for name, oid in _SUBJECT.items():
        found = x509.subject_values(certificate, oid)
        if found:
            values[f"AWS::IoT::Certificate::{name}"] = found[0]
    return values


def _template(space, config):
    if config.get("templateName"):
        found = space.templates.get(config["templateName"])
        if found is None or not found.enabled:
            raise invalid("The provisioning template is gone or disabled")
        return parse_template(found.text, "JITP")
    return parse_template(config["templateBody"], "JITP")


def _first_connect(world, space, certificate, pem, sni):
    ca = iot_certificates.find_ca(space, certificate, None)
    if not ca.auto_registration or (ca.mode == "SNI_ONLY" and not sni):
        return None
    device = iot_certificates.add_device(world, space, certificate, pem, ca, "PENDING_ACTIVATION")
    if ca.config:
        template = _template(space, ca.config)
        given = {name: value for name, value in parameters_of(certificate).items()
                 if name in template.parameters}
        Provisioner(world, space, template, given).run()
    return device


def connect(world, account, region, pem, sni=True):
    """{"connected", "status", "event", "error"} of one TLS handshake with the endpoint."""
    space = world.space(account, region)
    try:
        certificate = iot_certificates.check_certificate(world, pem)
        device = space.devices.get(certificate.id)
        before = device.status if device else None
        if device is None:
            device = _first_connect(world, space, certificate, pem, sni)
    except ServiceError as error:
        return {"connected": False, "status": None, "event": False,
                "error": f"{error.code}: {error.message}"}
    if device is None:
        return {"connected": False, "status": None, "event": False, "error": "not registered"}
    good = before == "ACTIVE" and (sni or device.mode == "DEFAULT")
    return {"connected": good, "status": device.status, "error": "",
            "event": device.status == "PENDING_ACTIVATION", "certificateId": device.id}
