"""The double's memory as JSON, so that a test can compare it with what it expects."""


def _device(space, device):
    return {"status": device.status, "mode": device.mode, "ca": device.ca_id,
            "things": list(device.things), "policies": list(device.policies),
            "created": device.created, "refused": device.refused}


def _thing(thing):
    return {"id": thing.id, "type": thing.type, "attributes": thing.attributes,
            "version": thing.version, "principals": thing.principals,
            "groups": list(thing.groups)}


def _ca(ca):
    return {"status": ca.status, "mode": ca.mode, "auto_registration": ca.auto_registration,
            "config": ca.config}


def _group(group):
    return {"things": len(group.things), "policies": list(group.policies), "parent": group.parent}


def _task(task):
    return {"status": task.status, "message": task.message, "succeeded": task.succeeded,
            "failed": task.failed, "percent": task.percent, "bucket": task.bucket, "key": task.key,
            "created": task.created}


def space_table(space, parts=None):
    """`parts` names what is wanted; nothing stands for all but the PEMs."""
    made = {
        "cas": lambda: {each.id: _ca(each) for each in space.cas.values()},
        "certificates": lambda: {each.id: _device(space, each)
                                 for each in space.devices.values()},
        "things": lambda: {each.name: _thing(each) for each in space.things.values()},
        "thing_types": lambda: list(space.thing_types),
        "thing_groups": lambda: {each.name: _group(each) for each in space.thing_groups.values()},
        "policies": lambda: {each.name: len(each.targets) for each in space.policies.values()},
        "templates": lambda: {each.name: each.kind for each in space.templates.values()},
        "tasks": lambda: {each.id: _task(each) for each in space.tasks.values()},
        "counts": lambda: {"certificates": len(space.devices), "things": len(space.things),
                           "cas": len(space.cas), "tasks": len(space.tasks),
                           "attached": sum(1 for each in space.devices.values() if each.things),
                           "active": sum(1 for each in space.devices.values()
                                         if each.status == "ACTIVE")},
    }
    return {name: make() for name, make in made.items() if parts is None or name in parts}


def table(world, account=None, region=None, parts=None):
    spaces = {f"{space.account}/{space.region}": space_table(space, parts)
              for space in world.spaces.values()
              if account in (None, space.account) and region in (None, space.region)}
    buckets = {bucket.name: {"region": bucket.region, "account": bucket.account,
                             "objects": {key: len(each.content)
                                         for key, each in bucket.objects.items()}}
               for bucket in world.buckets.values()}
    return {"now": world.clock.now(), "settings": world.settings.table(), "spaces": spaces,
            "buckets": buckets, "faults": [rule.status() for rule in world.faults.rules],
            "log": world.log.summary()}
