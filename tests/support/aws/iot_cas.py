"""AWS IoT: registration codes and CA certificates."""

import time
import uuid
from calendar import timegm

from . import shapes, x509
from .errors import ServiceError, already_exists, invalid, not_found
from .operations import iot, need
from .paging import BY_MARKER, marker_page
from .iot_space import Ca
from .shapes import BOOLEAN, body, label, query
from .template import parse_template

SAME_SUBJECT_LIMIT = 10
COMMON_NAME = "2.5.4.3"
_CA_ID = label(shapes.CERTIFICATE_ID)


def epoch(moment):
    """YYYYMMDDHHMMSSZ as seconds."""
    return float(timegm(time.strptime(moment, "%Y%m%d%H%M%SZ")))


def bad_certificate(error):
    return ServiceError("CertificateValidationException", str(error))


def check_certificate(world, pem):
    """What AWS IoT checks of any certificate at registration."""
    try:
        certificate = x509.from_pem(pem)
        x509.signature_scheme(certificate.signature_algorithm)
        x509.check_key(certificate)
        x509.check_valid_at(certificate, world.clock.moment())
    except x509.BadCertificate as error:
        raise bad_certificate(error) from None
    return certificate


@iot("GetRegistrationCode", "GET", "/registrationcode")
def get_registration_code(call):
    return {"registrationCode": call.space.registration_code()}


@iot("DeleteRegistrationCode", "DELETE", "/registrationcode")
def delete_registration_code(call):
    if not call.space.has_code:
        raise not_found("There is no registration code")
    call.space.delete_registration_code()
    return {}


def _check_proof(call, ca):
    """The verification certificate proves that the caller holds the CA's key."""
    proof = check_certificate(call.world, call["verificationCertificate"])
    try:
        names = x509.subject_values(proof, COMMON_NAME)
        signed = x509.signed_by(proof, ca)
    except x509.BadCertificate as error:
        raise bad_certificate(error) from None
    if names != [call.space.registration_code()]:
        raise ServiceError("RegistrationCodeValidationException",
                           "The common name of the verification certificate is not the "
                           "registration code")
    if not signed:
        raise ServiceError("CertificateValidationException",
                           "The verification certificate is not signed by the CA certificate")


def check_config(call, config):
    """Either a template of type JITP, or a body and a role."""
    if config is None:
        return
    if config.get("templateName"):
        need(not config.get("templateBody") and not config.get("roleArn"),
             "templateName goes without templateBody and roleArn")
        template = call.space.templates.get(config["templateName"])
        if template is None:
            raise not_found("The provisioning template does not exist")
        need(template.kind == "JITP", "The provisioning template is not of type JITP")
        return
    need(config.get("templateBody") and config.get("roleArn"),
         "registrationConfig wants templateBody and roleArn, or templateName")
    parse_template(config["templateBody"], "JITP")
    check_role(call, config["roleArn"])


def check_role(call, arn):
    """The service must be able to assume the role, which must be the caller's account's."""
    role = call.world.accounts.find_role(arn)
    if role is None or role.account != call.space.account or \
            not role.trusts_service("iot.amazonaws.com"):
        raise invalid(f"AWS IoT cannot assume the role {arn}")
    if not call.caller.may("iam:PassRole"):
        raise ServiceError("AccessDeniedException",
                           f"{call.caller.arn} may not pass the role {arn}", 403)
    return role


@iot("RegisterCACertificate", "POST", "/cacertificate",
     caCertificate=body(shapes.PEM, required=True), verificationCertificate=body(shapes.PEM),
     setAsActive=query(BOOLEAN), allowAutoRegistration=query(BOOLEAN),
     registrationConfig=body(shapes.REGISTRATION_CONFIG), tags=body(shapes.TAGS),
     certificateMode=body(shapes.String(choices=("DEFAULT", "SNI_ONLY"))))
def register_ca_certificate(call):
    space, mode = call.space, call.get("certificateMode", "DEFAULT")
    has_proof = call.get("verificationCertificate") is not None
    need(mode == "SNI_ONLY" or has_proof, "A verification certificate is required in DEFAULT mode")
    need(mode == "DEFAULT" or not has_proof,
         "A verification certificate is not allowed in SNI_ONLY mode")
    certificate = check_certificate(call.world, call["caCertificate"])
    try:
        may_sign = x509.is_ca(certificate)
    except x509.BadCertificate as error:
        raise bad_certificate(error) from None
    if not may_sign:
        raise ServiceError("CertificateValidationException", "The certificate is not a CA's")
    if mode == "DEFAULT":
        _check_proof(call, certificate)
    check_config(call, call.get("registrationConfig"))
    if certificate.id in space.cas:
        raise already_exists("The CA certificate is already registered", certificate.id,
                             space.arn("cacert", certificate.id))
    holder = call.world.default_mode_holders.get((space.region, certificate.id))
    if mode == "DEFAULT" and holder is not None:
        # Whose it is, is nobody's business.
        raise already_exists("The CA certificate is registered in DEFAULT mode by another account")
    same = space.cas_by_subject.setdefault(certificate.subject, [])
    if len(same) >= SAME_SUBJECT_LIMIT:
        raise ServiceError("LimitExceededException",
                           "Too many CA certificates with the same subject")

    ca = Ca(certificate, call["caCertificate"], mode, call.world.clock.now())
    ca.status = "ACTIVE" if call.get("setAsActive") else "INACTIVE"
    ca.auto_registration = call.get("allowAutoRegistration", False)
    ca.config = call.get("registrationConfig")
    space.cas[ca.id] = ca
    same.append(ca)
    if mode == "DEFAULT":
        call.world.default_mode_holders[space.region, ca.id] = space.account
    return {"certificateArn": space.arn("cacert", ca.id), "certificateId": ca.id}


@iot("DescribeCACertificate", "GET", "/cacertificate/{caCertificateId}", caCertificateId=_CA_ID)
def describe_ca_certificate(call):
    ca = call.space.ca(call["caCertificateId"])
    answer = {"certificateDescription": {
        "certificateArn": call.space.arn("cacert", ca.id), "certificateId": ca.id,
        "status": ca.status, "certificatePem": ca.pem, "ownedBy": call.space.account,
        "creationDate": ca.created, "lastModifiedDate": ca.modified,
        "autoRegistrationStatus": "ENABLE" if ca.auto_registration else "DISABLE",
        "customerVersion": ca.version, "generationId": ca.generation,
        "validity": {"notBefore": epoch(ca.certificate.not_before),
                     "notAfter": epoch(ca.certificate.not_after)},
        "certificateMode": ca.mode}}
    if ca.config:
        answer["registrationConfig"] = ca.config
    return answer


@iot("UpdateCACertificate", "PUT", "/cacertificate/{caCertificateId}", caCertificateId=_CA_ID,
     newStatus=query(shapes.String(choices=("ACTIVE", "INACTIVE"))),
     newAutoRegistrationStatus=query(shapes.String(choices=("ENABLE", "DISABLE"))),
     registrationConfig=body(shapes.REGISTRATION_CONFIG), removeAutoRegistration=body(BOOLEAN))
def update_ca_certificate(call):
    ca = call.space.ca(call["caCertificateId"])
    check_config(call, call.get("registrationConfig"))
    ca.status = call.get("newStatus", ca.status)
    if "newAutoRegistrationStatus" in call.arguments:
        ca.auto_registration = call["newAutoRegistrationStatus"] == "ENABLE"
    ca.config = call.get("registrationConfig", ca.config)
    if call.get("removeAutoRegistration"):
        ca.auto_registration, ca.config = False, None
    ca.modified = call.world.clock.now()
    ca.version += 1
    ca.generation = str(uuid.uuid4())


@iot("DeleteCACertificate", "DELETE", "/cacertificate/{caCertificateId}", caCertificateId=_CA_ID)
def delete_ca_certificate(call):
    space = call.space
    ca = space.ca(call["caCertificateId"])
    if ca.status == "ACTIVE":
        raise ServiceError("CertificateStateException", "The CA certificate is ACTIVE")
    del space.cas[ca.id]
    space.cas_by_subject[ca.certificate.subject].remove(ca)
    if ca.mode == "DEFAULT":
        call.world.default_mode_holders.pop((space.region, ca.id), None)
    return {}


@iot("ListCACertificates", "GET", "/cacertificates", templateName=query(shapes.TEMPLATE_NAME),
     **BY_MARKER)
def list_ca_certificates(call):
    wanted = call.get("templateName")

    def show(ca):
        if wanted and (ca.config or {}).get("templateName") != wanted:
            return None
        return {"certificateArn": call.space.arn("cacert", ca.id), "certificateId": ca.id,
                "status": ca.status, "creationDate": ca.created}

    return marker_page(call, "cas", list(call.space.cas.values()), "certificates", show)
