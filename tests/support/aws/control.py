"""The double's own HTTP API, on a port of its own: faults, settings, state. README.md lists it."""

import json

from . import iot_groups, iot_policies, state
from .errors import ServiceError
from .iot_tasks import Task, running_task
from .jitp import connect
from .messages import Reply
from .world import World

PREFIX = "/_double/"


class Control:
    def __init__(self, world, apply):
        """`apply` is called after settings have changed: the listeners follow them."""
        self.world = world
        self.apply = apply

    def handle(self, request):
        name = request.path[len(PREFIX):] if request.path.startswith(PREFIX) else ""
        action = getattr(self, f"{request.method.lower()}_{name.replace('-', '_')}", None)
        if action is None:
            return Reply(404, b'{"error": "no such control call"}')
        try:
            given = json.loads(request.body) if request.body else {}
            answer = action(given, dict(request.pairs))
        except (ValueError, KeyError, TypeError, ServiceError) as error:
            message = f"{type(error).__name__}: {error}"
            return Reply(400, json.dumps({"error": message}).encode())
        return Reply(200, json.dumps({} if answer is None else answer).encode(),
                     {"content-type": "application/json"})

    # --- reading ------------------------------------------------------------------------------

    def get_state(self, _, query):
        parts = query["parts"].split(",") if "parts" in query else None
        return state.table(self.world, query.get("account"), query.get("region"), parts)

    def get_log(self, _, query):
        return {"summary": self.world.log.summary()}

    def get_calls(self, _, query):
        last = int(query["last"]) if "last" in query else None
        return {"calls": self.world.log.table(query.get("operation"), last)}

    def get_faults(self, _, query):
        return {"faults": [rule.status() for rule in self.world.faults.rules]}

    def get_object(self, _, query):
        found = self.world.buckets[query["bucket"]].objects[query["key"]]
        return {"content": found.content.decode("utf-8", "replace")}

    # --- changing -----------------------------------------------------------------------------

    def post_settings(self, given, _):
        self.world.settings.change(given)
        self.world.clock.skew = self.world.settings.clock_skew
        self.apply()
        return self.world.settings.table()

    def post_accounts(self, given, _):
        """What a start-up file holds, added to what is there."""
        self.world.load(given)

    def post_forget_key(self, given, _):
        """Deletes an access key, as at the end of a rotation."""
        self.world.accounts.forget_key(given["access_key_id"])

    def post_faults(self, given, _):
        return {"id": self.world.faults.add(given)}

    def delete_faults(self, _, query):
        self.world.faults.remove(int(query["id"]) if "id" in query else None)

    def post_throttle(self, given, _):
        self.world.throttle.change(given)

    def post_expire_tokens(self, given, _):
        return {"expired": self.world.accounts.expire_sessions(given.get("account"))}

    def post_reset_log(self, given, _):
        self.world.log.reset()

    def post_reset(self, given, _):
        """Forgets everything but the accounts, keys, roles and buckets."""
        world, fresh = self.world, World({"settings": {"regions": self.world.settings.regions}})
        for bucket in world.buckets.values():
            bucket.objects.clear()
        for name in ("settings", "throttle", "faults", "spaces", "default_mode_holders"):
            setattr(world, name, getattr(fresh, name))
        world.clock.skew = 0.0
        world.log.reset()
        self.apply()

    def post_expire_codes(self, given, _):
        """A new registration code, as if somebody had deleted the old one."""
        self._space(given).delete_registration_code()

    def _space(self, given):
        return self.world.space(given["account"], given["region"])

    def post_foreign_task(self, given, _):
        """A bulk task of somebody else runs until /_double/end-foreign-task."""
        task = Task("{}", "somebodys-bucket", "somebodys-file", "arn:aws:iam::role/somebody",
                    self.world.clock.now())
        self._space(given).tasks[task.id] = task
        return {"taskId": task.id}

    def post_end_foreign_task(self, given, _):
        task = running_task(self._space(given))
        if task is not None and task.bucket == "somebodys-bucket":
            task.status, task.percent = "Completed", 100

    def post_make(self, given, _):
        """What registration only refers to: policies, thing types, thing groups, by name. A thing
        type that is made again is no longer deprecated."""
        space, now = self._space(given), self.world.clock.now()
        for name, document in given.get("policies", {}).items():
            iot_policies.create(self.world, space, name, document)
        for name in given.get("thing_types", ()):
            space.thing_types[name] = iot_groups.ThingType(name, {}, now)
        for name in given.get("deprecated_thing_types", ()):
            space.thing_types[name].deprecated = True
        for name in given.get("thing_groups", ()):
            space.thing_groups[name] = iot_groups.ThingGroup(name, None, {}, now)

    def post_forget(self, given, _):
        """What somebody took away by hand: certificates and things as a whole, by id and name, or
        what hangs on them."""
        space = self._space(given)
        for name in given.get("things", []) + given.get("principals_of", []):
            for certificate_id in list(space.things[name].principals):
                self._detach(space, name, certificate_id)
        for name in given.get("things", ()):
            del space.things[name]
        for certificate_id in given.get("policies_of", ()):
            space.devices[certificate_id].policies = ()
        for certificate_id in given.get("certificates", ()):
            for name in list(space.devices[certificate_id].things):
                self._detach(space, name, certificate_id)
            space.remove_device(space.devices[certificate_id])

    @staticmethod
    def _detach(space, name, certificate_id):
        del space.things[name].principals[certificate_id]
        device = space.devices[certificate_id]
        device.things = tuple(each for each in device.things if each != name)

    def post_connect(self, given, _):
        return connect(self.world, given["account"], given["region"], given["certificatePem"],
                       given.get("sni", True))

    def post_cut_connections(self, given, _):
        self.apply(cut=True)
