"""AWS IoT: provisioning templates, RegisterThing and the account's endpoints."""

import hashlib

from . import shapes
from .errors import ServiceError, already_exists, invalid, not_found
from .iot_cas import check_role
from .operations import iot, need
from .provisioning import Provisioner
from .shapes import BOOLEAN, ROLE_ARN, TEMPLATE_BODY, TEMPLATE_NAME, body, label, query
from .template import parse_template

TEMPLATES = 256
_ENDPOINTS = {"iot:Data-ATS": "{}-ats.iot", "iot:Data": "{}.iot", "iot:Jobs": "{}.jobs.iot",
              "iot:CredentialProvider": "{}.credentials.iot",
              "iot:DeviceAdvisor": "{}.deviceadvisor.iot"}
_HOOK = shapes.Structure(("targetArn",), targetArn=shapes.String(0, 2048),
                         payloadVersion=shapes.String(choices=("2020-04-01",)))


class ProvisioningTemplate:
    def __init__(self, call, now):
        self.name = call["templateName"]
        self.text = call["templateBody"]
        self.role = call["provisioningRoleArn"]
        self.kind = call.get("type", "FLEET_PROVISIONING")
        self.enabled = call.get("enabled", False)
        self.description = call.get("description", "")
        self.created = now


@iot("CreateProvisioningTemplate", "POST", "/provisioning-templates",
     templateName=body(TEMPLATE_NAME, required=True), description=body(shapes.String(0, 500)),
     templateBody=body(TEMPLATE_BODY, required=True), enabled=body(BOOLEAN),
     provisioningRoleArn=body(ROLE_ARN, required=True), preProvisioningHook=body(_HOOK),
     tags=body(shapes.TAGS), type=body(shapes.String(choices=("FLEET_PROVISIONING", "JITP"))))
def create_provisioning_template(call):
    space = call.space
    template = ProvisioningTemplate(call, call.world.clock.now())
    need(template.kind != "JITP" or "preProvisioningHook" not in call.arguments,
         "A template of type JITP has no hook")
    parse_template(template.text, template.kind)
    check_role(call, template.role)
    arn = space.arn("provisioningtemplate", template.name)
    if template.name in space.templates:
        raise already_exists("The provisioning template already exists", template.name, arn)
    if len(space.templates) >= TEMPLATES:
        raise ServiceError("LimitExceededException", f"At most {TEMPLATES} templates")
    space.templates[template.name] = template
    return {"templateArn": arn, "templateName": template.name, "defaultVersionId": 1}


@iot("DescribeProvisioningTemplate", "GET", "/provisioning-templates/{templateName}",
     templateName=label(TEMPLATE_NAME))
def describe_provisioning_template(call):
    template = _find(call)
    return {"templateArn": call.space.arn("provisioningtemplate", template.name),
            "templateName": template.name, "description": template.description,
            "creationDate": template.created, "lastModifiedDate": template.created,
            "defaultVersionId": 1, "templateBody": template.text, "enabled": template.enabled,
            "provisioningRoleArn": template.role, "type": template.kind}


@iot("DeleteProvisioningTemplate", "DELETE", "/provisioning-templates/{templateName}",
     templateName=label(TEMPLATE_NAME))
def delete_provisioning_template(call):
    del call.space.templates[_find(call).name]
    return {}


def _find(call):
    template = call.space.templates.get(call["templateName"])
    if template is None:
        raise not_found("The provisioning template does not exist")
    return template


@iot("RegisterThing", "POST", "/things", templateBody=body(TEMPLATE_BODY, required=True),
     parameters=body(shapes.Map(shapes.String(0, 2048), shapes.String(0, 4096))))
def register_thing(call):
    template = parse_template(call["templateBody"], "BULK")
    pem, arns = Provisioner(call.world, call.space, template, call.get("parameters", {})).run()
    return {**({"certificatePem": pem} if pem else {}), "resourceArns": arns}


@iot("DescribeEndpoint", "GET", "/endpoint", endpointType=query(shapes.String(0, 128)))
def describe_endpoint(call):
    form = _ENDPOINTS.get(call.get("endpointType", "iot:Data"))
    if form is None:
        raise invalid("The endpoint type is not valid")
    space = call.space
    prefix = hashlib.sha256(f"{space.account}/{space.region}".encode()).hexdigest()[:14]
    return {"endpointAddress": f"{form.format('a' + prefix[1:])}.{space.region}.amazonaws.com"}
