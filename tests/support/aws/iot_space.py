"""What one account has in one region of AWS IoT."""

import hashlib
import uuid

from .errors import not_found
from .messages import new_request_id


class Ca:
    def __init__(self, certificate, pem, mode, now):
        self.id = certificate.id
        self.certificate = certificate
        self.pem = pem
        self.mode = mode
        self.status = "INACTIVE"
        self.auto_registration = False
        self.config = None
        self.created = self.modified = now
        self.generation = str(uuid.uuid4())
        self.version = 1


class Device:
    """A registered device certificate."""

    __slots__ = ("id", "pem", "ca_id", "mode", "status", "registered_as", "created", "modified",
                 "policies", "things", "leaving", "not_before", "not_after", "refused", "version",
                 "places")

    def __init__(self, certificate, pem, ca_id, mode, status, now):
        self.id = certificate.id
        self.pem = pem
        self.ca_id = ca_id
        self.mode = mode
        self.status = self.registered_as = status
        self.created = self.modified = now
        self.policies = ()
        self.things = ()
        self.leaving = 0.0  # until then a thing that was detached still counts
        self.not_before = certificate.not_before
        self.not_after = certificate.not_after
        self.refused = 0  # later attempts to register it
        self.version = 1


class Thing:
    __slots__ = ("name", "id", "type", "attributes", "version", "principals", "groups", "billing",
                 "leaving")

    def __init__(self, name, thing_type=None, attributes=None, billing=None):
        self.name = name
        self.id = new_request_id()
        self.type = thing_type
        self.attributes = attributes or {}
        self.version = 1
        self.principals = {}  # certificate id -> thingPrincipalType
        self.groups = ()
        self.billing = billing
        self.leaving = {}  # certificate id -> until then a detached one is still listed


class ThingType:
    def __init__(self, name, properties, now):
        self.name = name
        self.id = str(uuid.uuid4())
        self.properties = properties
        self.created = now
        self.deprecated = False


class ThingGroup:
    def __init__(self, name, parent, properties, now):
        self.name = name
        self.id = str(uuid.uuid4())
        self.parent = parent
        self.properties = properties
        self.created = now
        self.things = {}  # name -> None, in order
        self.policies = ()


class Policy:
    def __init__(self, name, document, now):
        self.name = name
        self.document = document
        self.created = now
        self.generation = str(uuid.uuid4())
        self.targets = {}  # ARN -> None


class Space:
    def __init__(self, account, region):
        self.account = account
        self.region = region
        self._codes = 0
        self.has_code = False
        self.cas = {}
        self.cas_by_subject = {}
        self.devices = {}
        # Ids as they were registered, all and by CA; a deleted one leaves a gap.
        self.device_order = []
        self.devices_by_ca = {}
        self.things = {}
        self.thing_types = {}
        self.thing_groups = {}
        self.policies = {}
        self.templates = {}
        self.tasks = {}
        self._cert_prefix = self.arn("cert", "")

    def arn(self, kind, name):
        return f"arn:aws:iot:{self.region}:{self.account}:{kind}/{name}"

    def cert_arn(self, certificate_id):
        return self._cert_prefix + certificate_id

    def registration_code(self):
        """Stable until it is deleted."""
        self.has_code = True
        text = f"{self.account}/{self.region}/{self._codes}"
        return hashlib.sha256(text.encode()).hexdigest()

    def delete_registration_code(self):
        self._codes += 1
        self.has_code = False

    def ca(self, certificate_id):
        found = self.cas.get(certificate_id.lower())
        if found is None:
            raise not_found("The CA certificate does not exist")
        return found

    def device(self, certificate_id):
        found = self.devices.get(certificate_id.lower())
        if found is None:
            raise not_found("The certificate does not exist")
        return found

    def device_of_arn(self, arn):
        """The device certificate of an ARN, or None if the ARN is of another kind or place."""
        if not arn.startswith(self._cert_prefix):
            return None
        return self.devices.get(arn[len(self._cert_prefix):].lower())

    def add_device(self, device):
        self.devices[device.id] = device
        lists = [self.device_order]
        if device.ca_id:
            lists.append(self.devices_by_ca.setdefault(device.ca_id, []))
        device.places = tuple(len(each) for each in lists)
        for each in lists:
            each.append(device.id)

    def remove_device(self, device):
        del self.devices[device.id]
        lists = (self.device_order, self.devices_by_ca.get(device.ca_id, ()))
        for each, place in zip(lists, device.places):
            each[place] = None

    def thing(self, name):
        found = self.things.get(name)
        if found is None:
            raise not_found(f"Thing {name} not found")
        return found

    def group(self, name):
        found = self.thing_groups.get(name)
        if found is None:
            raise not_found(f"Thing group {name} not found")
        return found

    def policy(self, name):
        found = self.policies.get(name)
        if found is None:
            raise not_found("Policy not found")
        return found
