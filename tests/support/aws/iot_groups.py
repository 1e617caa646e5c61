"""AWS IoT: thing types and thing groups."""

from . import shapes
from .errors import already_exists, invalid, not_found
from .iot_space import ThingGroup, ThingType
from .operations import iot, need
from .paging import BY_TOKEN, token_page
from .shapes import BOOLEAN, NAME, body, label, query

GROUPS_PER_THING = 10
_TYPE_PROPERTIES = shapes.Structure(
    thingTypeDescription=shapes.DESCRIPTION,
    searchableAttributes=shapes.List(shapes.String(0, 128, r"[a-zA-Z0-9_.,@/:#-]+"), 3))
_GROUP_PROPERTIES = shapes.Structure(thingGroupDescription=shapes.DESCRIPTION,
                                     attributePayload=shapes.ATTRIBUTES)


@iot("CreateThingType", "POST", "/thing-types/{thingTypeName}", thingTypeName=label(NAME),
     thingTypeProperties=body(_TYPE_PROPERTIES), tags=body(shapes.TAGS))
def create_thing_type(call):
    space, name = call.space, call["thingTypeName"]
    properties = call.get("thingTypeProperties", {})
    known = space.thing_types.get(name)
    if known is None:
        known = space.thing_types[name] = ThingType(name, properties, call.world.clock.now())
    elif known.properties != properties:
        raise already_exists(f"Thing type {name} already exists with different properties",
                             known.id, space.arn("thingtype", name))
    return {"thingTypeName": name, "thingTypeArn": space.arn("thingtype", name),
            "thingTypeId": known.id}


@iot("DescribeThingType", "GET", "/thing-types/{thingTypeName}", thingTypeName=label(NAME))
def describe_thing_type(call):
    found = call.space.thing_types.get(call["thingTypeName"])
    if found is None:
        raise not_found(f"Thing type {call['thingTypeName']} not found")
    return {"thingTypeName": found.name, "thingTypeId": found.id,
            "thingTypeArn": call.space.arn("thingtype", found.name),
            "thingTypeProperties": found.properties,
            "thingTypeMetadata": {"deprecated": found.deprecated, "creationDate": found.created}}


@iot("DeprecateThingType", "POST", "/thing-types/{thingTypeName}/deprecate",
     thingTypeName=label(NAME), undoDeprecate=body(BOOLEAN))
def deprecate_thing_type(call):
    found = call.space.thing_types.get(call["thingTypeName"])
    if found is None:
        raise not_found(f"Thing type {call['thingTypeName']} not found")
    found.deprecated = not call.get("undoDeprecate", False)
    return {}


@iot("CreateThingGroup", "POST", "/thing-groups/{thingGroupName}", thingGroupName=label(NAME),
     parentGroupName=body(NAME), thingGroupProperties=body(_GROUP_PROPERTIES),
     tags=body(shapes.TAGS))
def create_thing_group(call):
    space, name, parent = call.space, call["thingGroupName"], call.get("parentGroupName")
    properties = call.get("thingGroupProperties", {})
    if parent is not None:
        space.group(parent)
    known = space.thing_groups.get(name)
    if known is None:
        known = space.thing_groups[name] = ThingGroup(name, parent, properties,
                                                      call.world.clock.now())
    elif (known.parent, known.properties) != (parent, properties):
        raise already_exists(f"Thing group {name} already exists with different properties",
                             known.id, space.arn("thinggroup", name))
    return {"thingGroupName": name, "thingGroupArn": space.arn("thinggroup", name),
            "thingGroupId": known.id}


@iot("DescribeThingGroup", "GET", "/thing-groups/{thingGroupName}", thingGroupName=label(NAME))
def describe_thing_group(call):
    group = call.space.group(call["thingGroupName"])
    metadata = {"creationDate": group.created}
    if group.parent:
        metadata["parentGroupName"] = group.parent
    return {"thingGroupName": group.name, "thingGroupId": group.id, "version": 1,
            "thingGroupArn": call.space.arn("thinggroup", group.name),
            "thingGroupProperties": group.properties, "thingGroupMetadata": metadata}


@iot("ListThingsInThingGroup", "GET", "/thing-groups/{thingGroupName}/things",
     thingGroupName=label(NAME), recursive=query(BOOLEAN), **BY_TOKEN)
def list_things_in_thing_group(call):
    group = call.space.group(call["thingGroupName"])
    return token_page(call, f"group/{group.name}", list(group.things), "things")


@iot("ListThingGroupsForThing", "GET", "/things/{thingName}/thing-groups", thingName=label(NAME),
     **BY_TOKEN)
def list_thing_groups_for_thing(call):
    thing = call.space.thing(call["thingName"])
    return token_page(call, f"groups/{thing.name}", list(thing.groups), "thingGroups",
                      lambda name: {"groupName": name,
                                    "groupArn": call.space.arn("thinggroup", name)})


def _named(call, kind, arn_kind):
    """The name of a thing or a group, given as a name or as an ARN."""
    name, arn = call.get(f"{kind}Name"), call.get(f"{kind}Arn")
    need(name or arn, f"{kind}Name or {kind}Arn is required")
    if arn:
        prefix = call.space.arn(arn_kind, "")
        if not arn.startswith(prefix):
            raise invalid(f"The ARN {arn} is not valid")
        need(name in (None, arn[len(prefix):]), f"{kind}Name and {kind}Arn differ")
        name = arn[len(prefix):]
    return name


def join(space, thing, group):
    """Adds the thing to the group; again is no change."""
    if group.name in thing.groups:
        return
    if len(thing.groups) >= GROUPS_PER_THING:
        raise invalid(f"A thing is in at most {GROUPS_PER_THING} groups")
    thing.groups += (group.name,)
    group.things[thing.name] = None


_MEMBERSHIP = {"thingGroupName": body(NAME), "thingGroupArn": body(shapes.ANY),
               "thingName": body(NAME), "thingArn": body(shapes.ANY)}


@iot("AddThingToThingGroup", "PUT", "/thing-groups/addThingToThingGroup",
     overrideDynamicGroups=body(BOOLEAN), **_MEMBERSHIP)
def add_thing_to_thing_group(call):
    group = call.space.group(_named(call, "thingGroup", "thinggroup"))
    join(call.space, call.space.thing(_named(call, "thing", "thing")), group)
    return {}


@iot("RemoveThingFromThingGroup", "PUT", "/thing-groups/removeThingFromThingGroup", **_MEMBERSHIP)
def remove_thing_from_thing_group(call):
    group = call.space.group(_named(call, "thingGroup", "thinggroup"))
    thing = call.space.thing(_named(call, "thing", "thing"))
    group.things.pop(thing.name, None)
    thing.groups = tuple(name for name in thing.groups if name != group.name)
    return {}
