"""AWS IoT: things and the certificates attached to them."""

from . import shapes
from .errors import ServiceError, already_exists, invalid, not_found
from .iot_space import Thing
from .operations import iot, need
from .paging import BY_TOKEN, token_page
from .shapes import NAME, body, header, label, query

UNTYPED_ATTRIBUTES, TYPED_ATTRIBUTES = 3, 50
ATTRIBUTE_BYTES = 47 * 1024
PRINCIPAL_TYPES = ("EXCLUSIVE_THING", "NON_EXCLUSIVE_THING")
_PRINCIPAL = header(shapes.ANY, "x-amzn-principal")


def check_attributes(space, type_name, attributes):
    if type_name is not None:
        thing_type = space.thing_types.get(type_name)
        if thing_type is None:
            raise not_found(f"Thing type {type_name} not found")
        need(not thing_type.deprecated, f"Thing type {type_name} is deprecated")
    limit = UNTYPED_ATTRIBUTES if type_name is None else TYPED_ATTRIBUTES
    need(len(attributes) <= limit, f"A thing has at most {limit} attributes here")
    size = sum(len(key) + len(value) for key, value in attributes.items())
    need(size <= ATTRIBUTE_BYTES, "The attributes are too long")


def create(space, name, type_name, attributes, billing=None):
    """A thing; one that is there already must be the same."""
    attributes = {key: value for key, value in attributes.items() if value != ""}
    check_attributes(space, type_name, attributes)
    need(billing is None, "Billing groups are not played")
    known = space.things.get(name)
    if known is None:
        known = space.things[name] = Thing(name, type_name, attributes, billing)
    elif (known.type, known.attributes) != (type_name, attributes):
        raise already_exists(f"Thing {name} already exists with different attributes or type",
                             known.id, space.arn("thing", name))
    return known


def update(space, thing, type_name, attributes):
    """Gives the thing this type and these attributes."""
    check_attributes(space, type_name, attributes)
    if (thing.type, thing.attributes) != (type_name, attributes):
        thing.type, thing.attributes = type_name, attributes
        thing.version += 1


@iot("CreateThing", "POST", "/things/{thingName}", thingName=label(NAME), thingTypeName=body(NAME),
     attributePayload=body(shapes.ATTRIBUTES), billingGroupName=body(NAME))
def create_thing(call):
    attributes = call.get("attributePayload", {}).get("attributes", {})
    thing = create(call.space, call["thingName"], call.get("thingTypeName"), attributes,
                   call.get("billingGroupName"))
    return {"thingName": thing.name, "thingArn": call.space.arn("thing", thing.name),
            "thingId": thing.id}


@iot("DescribeThing", "GET", "/things/{thingName}", thingName=label(NAME))
def describe_thing(call):
    thing = call.space.thing(call["thingName"])
    answer = {"defaultClientId": thing.name, "thingName": thing.name, "thingId": thing.id,
              "thingArn": call.space.arn("thing", thing.name), "attributes": thing.attributes,
              "version": thing.version}
    if thing.type:
        answer["thingTypeName"] = thing.type
    return answer


def _check_version(call, thing):
    expected = call.get("expectedVersion")
    if expected is not None and expected != thing.version:
        raise ServiceError("VersionConflictException", f"Thing {thing.name} has another version")


@iot("UpdateThing", "PATCH", "/things/{thingName}", thingName=label(NAME), thingTypeName=body(NAME),
     attributePayload=body(shapes.ATTRIBUTES), expectedVersion=body(shapes.Integer()),
     removeThingType=body(shapes.BOOLEAN))
def update_thing(call):
    thing = call.space.thing(call["thingName"])
    _check_version(call, thing)
    need(not (call.get("removeThingType") and call.get("thingTypeName")),
         "removeThingType goes without thingTypeName")
    type_name = None if call.get("removeThingType") else call.get("thingTypeName", thing.type)
    payload = call.get("attributePayload")
    attributes = thing.attributes
    if payload is not None:
        given = payload.get("attributes", {})
        merged = {**thing.attributes, **given} if payload.get("merge") else given
        attributes = {key: value for key, value in merged.items() if value != ""}
    update(call.space, thing, type_name, attributes)
    return {}


@iot("DeleteThing", "DELETE", "/things/{thingName}", thingName=label(NAME),
     expectedVersion=query(shapes.Integer()))
def delete_thing(call):
    space, thing = call.space, call.space.things.get(call["thingName"])
    if thing is None:
        return {}  # deleting is idempotent
    _check_version(call, thing)
    need(not thing.principals, f"Thing {thing.name} has principals")
    for name in thing.groups:
        space.thing_groups[name].things.pop(thing.name, None)
    del space.things[thing.name]
    return {}


def _device(call):
    device = call.space.device_of_arn(call["principal"])
    if device is None:
        if not call["principal"].startswith("arn:aws:iot:"):
            raise invalid("The principal is not valid")
        raise not_found("The principal does not exist")
    return device


def attach(space, thing, device, principal_type):
    """Attaches the certificate to the thing; again is no change."""
    others = [name for name in device.things if name != thing.name]
    exclusive = principal_type == "EXCLUSIVE_THING" or any(
        space.things[name].principals[device.id] == "EXCLUSIVE_THING" for name in others)
    if others and exclusive:
        raise invalid("The principal belongs to another thing exclusively")
    thing.principals[device.id] = principal_type
    if thing.name not in device.things:
        device.things += (thing.name,)


@iot("AttachThingPrincipal", "PUT", "/things/{thingName}/principals", thingName=label(NAME),
     principal=_PRINCIPAL, thingPrincipalType=query(shapes.String(choices=PRINCIPAL_TYPES)))
def attach_thing_principal(call):
    thing = call.space.thing(call["thingName"])
    attach(call.space, thing, _device(call), call.get("thingPrincipalType", "NON_EXCLUSIVE_THING"))
    return {}


@iot("DetachThingPrincipal", "DELETE", "/things/{thingName}/principals", thingName=label(NAME),
     principal=_PRINCIPAL)
def detach_thing_principal(call):
    thing, device = call.space.thing(call["thingName"]), _device(call)
    if device.id not in thing.principals:
        raise not_found("The principal is not attached to the thing")
    del thing.principals[device.id]
    device.things = tuple(name for name in device.things if name != thing.name)
    device.leaving = call.world.monotonic() + call.world.settings.detach_seconds
    thing.leaving[device.id] = device.leaving
    return {}


def _listed(call, thing):
    """Those attached, and those that a moment ago were."""
    now = call.world.monotonic()
    return list(thing.principals) + [each for each, until in thing.leaving.items()
                                     if until > now and each not in thing.principals]


@iot("ListThingPrincipals", "GET", "/things/{thingName}/principals", thingName=label(NAME),
     **BY_TOKEN)
def list_thing_principals(call):
    thing = call.space.thing(call["thingName"])
    return token_page(call, f"principals/{thing.name}", _listed(call, thing), "principals",
                      call.space.cert_arn)


@iot("ListThingPrincipalsV2", "GET", "/things/{thingName}/principals-v2", thingName=label(NAME),
     thingPrincipalType=query(shapes.String(choices=PRINCIPAL_TYPES)), **BY_TOKEN)
def list_thing_principals_v2(call):
    thing = call.space.thing(call["thingName"])
    wanted = call.get("thingPrincipalType")
    items = [(each, kind) for each, kind in thing.principals.items() if wanted in (None, kind)]
    return token_page(call, f"principals/{thing.name}", items, "thingPrincipalObjects",
                      lambda item: {"principal": call.space.cert_arn(item[0]),
                                    "thingPrincipalType": item[1]})


@iot("ListPrincipalThings", "GET", "/principals/things", principal=_PRINCIPAL, **BY_TOKEN)
def list_principal_things(call):
    device = _device(call)
    return token_page(call, f"things/{device.id}", list(device.things), "things")


@iot("ListPrincipalThingsV2", "GET", "/principals/things-v2", principal=_PRINCIPAL,
     thingPrincipalType=query(shapes.String(choices=PRINCIPAL_TYPES)), **BY_TOKEN)
def list_principal_things_v2(call):
    device, things = _device(call), call.space.things
    wanted = call.get("thingPrincipalType")
    items = [(name, things[name].principals[device.id]) for name in device.things]
    return token_page(call, f"things/{device.id}",
                      [item for item in items if wanted in (None, item[1])],
                      "principalThingObjects",
                      lambda item: {"thingName": item[0], "thingPrincipalType": item[1]})
