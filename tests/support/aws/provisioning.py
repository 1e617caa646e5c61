"""Runs a provisioning template for one device, through the same rules as the single calls."""

from . import iot_certificates, iot_groups, iot_policies, iot_things
from .errors import ServiceError
from .shapes import ATTRIBUTES, NAME
from .template import document_name, resolve, resource_failure


def _conflict(what):
    return ServiceError("ResourceConflictsException", f"{what} is there already and differs")


class Provisioner:
    """One run. Answers are the certificate's PEM and the ARNs by the resources' names."""

    def __init__(self, world, space, template, given):
        self.world = world
        self.space = space
        self.template = template
        self.values = template.bind(given)
        self.arns = {}

    def run(self):
        try:
            self._check_policies()
            device = self._certificate()
            thing = self._thing()
            self._policies(device)
        except ServiceError as error:
            if error.code in ("ResourceConflictsException", "ThrottlingException",
                              "ResourceRegistrationFailureException"):
                raise
            raise resource_failure(f"{error.code}: {error.message}") from None
        if thing is not None and device is not None:
            resource = self.template.first("AWS::IoT::Certificate")
            kind = resource.properties.get("ThingPrincipalType", "NON_EXCLUSIVE_THING")
            try:
                iot_things.attach(self.space, thing, device, kind)
            except ServiceError as error:
                raise resource_failure(error.message) from None
        return (device.pem if device else None), self.arns

    def _property(self, resource, name, default=None):
        if name not in resource.properties:
            return default
        return resolve(resource.properties[name], self.values)

    def _check_policies(self):
        """A policy that is not there must not leave half a device behind."""
        for resource in self.template.resources:
            if resource.kind == "AWS::IoT::Policy" and "PolicyName" in resource.properties:
                self.space.policy(self._property(resource, "PolicyName"))

    def _certificate(self):
        resource = self.template.first("AWS::IoT::Certificate")
        if resource is None:
            return None
        status = self._property(resource, "Status", "ACTIVE")
        if "CertificateSigningRequest" in resource.properties:
            raise resource_failure("Certificates made by AWS are not played")
        if "CertificateId" in resource.properties:
            device = self.space.device(self._property(resource, "CertificateId"))
            iot_certificates.set_status(self.world, device, status)
        else:
            device = self._register(resource, status)
        self.arns[resource.name] = self.space.cert_arn(device.id)
        return device

    def _register(self, resource, status):
        ca_pem = self._property(resource, "CACertificatePem")
        try:
            return iot_certificates.register(
                self.world, self.space, self._property(resource, "CertificatePem"), ca_pem, status)
        except ServiceError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise
            device = self.space.devices[error.members["resourceId"]]
        rule = resource.overrides.get("Status")
        if rule == "FAIL" or (rule is None and device.status != status):
            raise _conflict("The certificate")
        if rule == "REPLACE":
            iot_certificates.set_status(self.world, device, status)
        return device

    def _thing(self):
        resource = self.template.first("AWS::IoT::Thing")
        if resource is None:
            return None
        name = NAME.check(self._property(resource, "ThingName"), "ThingName")
        attributes = self._property(resource, "AttributePayload", {})
        ATTRIBUTES.check({"attributes": attributes}, "AttributePayload")
        kind = self._property(resource, "ThingTypeName")
        groups = [self.space.group(each)
                  for each in self._property(resource, "ThingGroups", [])]
        thing = self.space.things.get(name)
        if thing is None:
            thing = iot_things.create(self.space, name, kind, attributes)
            for group in groups:
                iot_groups.join(self.space, thing, group)
        else:
            self._override(resource, thing, kind, attributes, groups)
        self.arns[resource.name] = self.space.arn("thing", name)
        return thing

    def _override(self, resource, thing, kind, attributes, groups):
        names = {group.name for group in groups}
        merged = {"DO_NOTHING": thing.attributes, "REPLACE": attributes,
                  "MERGE": {**thing.attributes, **attributes}}
        rule = resource.overrides.get("AttributePayload")
        if rule == "FAIL" or (rule is None and thing.attributes != attributes):
            raise _conflict("The thing's attributes")
        new_attributes = merged.get(rule, attributes)
        rule = resource.overrides.get("ThingTypeName")
        if rule == "FAIL" or (rule is None and thing.type != kind):
            raise _conflict("The thing's type")
        new_kind = kind if rule == "REPLACE" else thing.type
        rule = resource.overrides.get("ThingGroups")
        if rule == "FAIL" or (rule is None and set(thing.groups) != names):
            raise _conflict("The thing's groups")
        iot_things.update(self.space, thing, new_kind, new_attributes)
        if rule == "REPLACE":
            for name in set(thing.groups) - names:
                self.space.thing_groups[name].things.pop(thing.name, None)
            thing.groups = tuple(name for name in thing.groups if name in names)
        if rule in ("REPLACE", "MERGE"):
            for group in groups:
                iot_groups.join(self.space, thing, group)

    def _policies(self, device):
        for resource in self.template.resources:
            if resource.kind != "AWS::IoT::Policy":
                continue
            name = self._property(resource, "PolicyName")
            if name is None:
                document = self._property(resource, "PolicyDocument")
                name = document_name(document)
                if name not in self.space.policies:
                    iot_policies.create(self.world, self.space, name, document)
            policy = self.space.policy(name)
            self.arns[resource.name] = self.space.arn("policy", name)
            if device is not None:
                iot_policies.attach(self.space, policy, self.space.cert_arn(device.id))
