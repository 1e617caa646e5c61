"""Provisioning templates: what is allowed in one, and what running one does."""

import hashlib
import json

from .errors import ServiceError, invalid

_PROPERTIES = {
    "AWS::IoT::Thing": {"ThingName", "AttributePayload", "ThingTypeName", "ThingGroups",
                        "BillingGroup", "PackageVersions"},
    "AWS::IoT::Certificate": {"CertificateSigningRequest", "CertificateId", "CertificatePem",
                              "CACertificatePem", "Status", "ThingPrincipalType"},
    "AWS::IoT::Policy": {"PolicyName", "PolicyDocument"},
}
_OVERRIDES = {
    "AWS::IoT::Thing": {"AttributePayload": ("DO_NOTHING", "REPLACE", "FAIL", "MERGE"),
                        "ThingTypeName": ("DO_NOTHING", "REPLACE", "FAIL"),
                        "ThingGroups": ("DO_NOTHING", "REPLACE", "FAIL", "MERGE")},
    "AWS::IoT::Certificate": {"Status": ("DO_NOTHING", "REPLACE", "FAIL")},
    "AWS::IoT::Policy": {},
}
_SOURCES = ("CertificateSigningRequest", "CertificateId", "CertificatePem")
VALUE_SIZE = 4096
JITP_PARAMETERS = {f"AWS::IoT::Certificate::{name}" for name in (
    "Country", "Organization", "OrganizationalUnit", "DistinguishedNameQualifier", "StateName",
    "CommonName", "SerialNumber", "Id")}


def _bad(message):
    return invalid(f"The template is not valid: {message}")


def resource_failure(message):
    return ServiceError("ResourceRegistrationFailureException", message)


def _table(parent, key):
    found = parent.get(key, {})
    if not isinstance(found, dict):
        raise _bad(f"{key} is not an object")
    return found


class Resource:
    def __init__(self, name, kind, properties, overrides):
        self.name = name
        self.kind = kind
        self.properties = properties
        self.overrides = overrides


class Template:
    def __init__(self, parameters, resources):
        self.parameters = parameters  # name -> default or None
        self.resources = resources

    def first(self, kind):
        return next((each for each in self.resources if each.kind == kind), None)

    def bind(self, given):
        """Every parameter's value; refuses what is missing, too long, no text or not declared."""
        for name, value in given.items():
            if name not in self.parameters:
                raise resource_failure(f"The template has no parameter {name}")
            if not isinstance(value, str):
                raise resource_failure(f"The value of parameter {name} is not a string")
            if len(value) > VALUE_SIZE:
                raise resource_failure(f"The value of parameter {name} is too long")
        values = {}
        for name, default in self.parameters.items():
            values[name] = given.get(name, default)
            if values[name] is None:
                raise resource_failure(f"Parameter {name} has no value")
        return values


def _check_text(value, parameters, where):
    """Text, or {"Ref": name of a parameter}."""
    if isinstance(value, str):
        return
    if not isinstance(value, dict) or set(value) != {"Ref"} or not isinstance(value["Ref"], str):
        raise _bad(f"the value of {where}")
    if value["Ref"] not in parameters:
        raise _bad(f"{where} refers to {value['Ref']}, which is no parameter")


def _check_value(key, value, parameters, where):
    """AttributePayload is a map of texts, ThingGroups a list of them; all others are text."""
    if key == "AttributePayload" and isinstance(value, dict):
        for name, inner in value.items():
            _check_text(inner, parameters, f"{where}.{name}")
    elif key == "ThingGroups" and isinstance(value, list):
        for inner in value:
            _check_text(inner, parameters, where)
    else:
        _check_text(value, parameters, where)


def _check_certificate(properties, where, use):
    sources = [each for each in _SOURCES if each in properties]
    if len(sources) != 1:
        raise _bad(f"{where} wants exactly one of {', '.join(_SOURCES)}")
    own_id = {"Ref": "AWS::IoT::Certificate::Id"}
    if use == "JITP" and properties.get("CertificateId") != own_id:
        raise _bad(f"{where} wants CertificateId from AWS::IoT::Certificate::Id")
    if "CACertificatePem" in properties and sources != ["CertificatePem"]:
        raise _bad(f"{where}: CACertificatePem goes with CertificatePem")
    status = properties.get("Status", "ACTIVE")
    if isinstance(status, str) and status not in ("ACTIVE", "INACTIVE"):
        raise _bad(f"{where}: Status")
    if properties.get("ThingPrincipalType", "EXCLUSIVE_THING") not in ("EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"):
        raise _bad(f"{where}: ThingPrincipalType")


def _parse_resource(name, table, parameters, use):
    where = f"resource {name}"
    if not isinstance(table, dict) or not set(table) <= {"Type", "Properties", "OverrideSettings"}:
        raise _bad(where)
    kind, properties = table.get("Type"), _table(table, "Properties")
    if not isinstance(kind, str) or kind not in _PROPERTIES:
        raise _bad(f"the type of {where}")
    unknown = set(properties) - _PROPERTIES[kind]
    if unknown:
        raise _bad(f"{where} has no property {sorted(unknown)[0]}")
    for key, value in properties.items():
        _check_value(key, value, parameters, f"{where}.{key}")
    overrides = _table(table, "OverrideSettings")
    for key, value in overrides.items():
        if value not in _OVERRIDES[kind].get(key, ()):
            raise _bad(f"OverrideSettings of {where}: {key}")
    if kind == "AWS::IoT::Thing" and "ThingName" not in properties:
        raise _bad(f"{where} has no ThingName")
    if kind == "AWS::IoT::Certificate":
        _check_certificate(properties, where, use)
    if kind == "AWS::IoT::Policy" and len(properties) != 1:
        raise _bad(f"{where} wants PolicyName or PolicyDocument")
    return Resource(name, kind, properties, overrides)


def parse_template(text, use):
    """`use` is BULK, JITP or FLEET_PROVISIONING. The functions Fn::… are not played: whether bulk
    registration knows them is not documented."""
    try:
        table = json.loads(text)
    except ValueError:
        raise _bad("not JSON") from None
    allowed = {"Parameters", "Resources"}
    if use == "FLEET_PROVISIONING":
        allowed |= {"Mappings", "DeviceConfiguration"}
    if not isinstance(table, dict) or not set(table) <= allowed:
        raise _bad("the top level")
    parameters = {}
    for name, each in _table(table, "Parameters").items():
        if not isinstance(each, dict) or each.get("Type") != "String":
            raise _bad(f"parameter {name} is not of type String")
        if use == "JITP" and name not in JITP_PARAMETERS:
            raise _bad(f"parameter {name} is none of just-in-time provisioning")
        if not isinstance(each.get("Default", ""), str):
            raise _bad(f"the default of parameter {name}")
        parameters[name] = each.get("Default")
    resources = _table(table, "Resources")
    if not resources:
        raise _bad("no Resources")
    parsed = [_parse_resource(name, each, parameters, use) for name, each in resources.items()]
    kinds = [each.kind for each in parsed]
    for kind in ("AWS::IoT::Thing", "AWS::IoT::Certificate"):
        if kinds.count(kind) > 1:
            raise _bad(f"more than one {kind}")
    if "AWS::IoT::Certificate" not in kinds and use == "JITP":
        raise _bad("no certificate")
    return Template(parameters, parsed)


def resolve(value, values):
    """A property with its references replaced."""
    if isinstance(value, dict):
        if set(value) == {"Ref"}:
            return values[value["Ref"]]
        return {key: resolve(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolve(inner, values) for inner in value]
    return value


def document_name(document):
    return hashlib.sha256(document.encode()).hexdigest()
