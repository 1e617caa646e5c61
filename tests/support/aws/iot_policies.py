"""AWS IoT: policies and what they are attached to."""

import json
import re

from . import shapes
from .errors import ServiceError, already_exists, invalid, not_found
from .iot_space import Policy
from .operations import iot, need
from .paging import BY_MARKER, marker_page
from .shapes import BOOLEAN, POLICY_NAME, body, label, query

POLICIES_PER_TARGET = 10
DOCUMENT_SIZE = 2048  # without white space
_ARN = re.compile(r"arn:aws[a-z-]*:iot:([a-z0-9-]+):([0-9]{12}):(cert|thinggroup)/(.+)")
_PAGE = {"pageSize": BY_MARKER["pageSize"], "marker": BY_MARKER["marker"]}


def check_document(text):
    def malformed(why):
        return ServiceError("MalformedPolicyException", f"Policy document is malformed: {why}")
    try:
        document = json.loads(text)
    except ValueError:
        raise malformed("not JSON") from None
    if not isinstance(document, dict) or document.get("Version") != "2012-10-17":
        raise malformed("Version")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise malformed("Statement")
    for each in statements:
        if not isinstance(each, dict) or each.get("Effect") not in ("Allow", "Deny") or \
                "Action" not in each or "Resource" not in each:
            raise malformed("a statement wants Effect, Action and Resource")
    if len(re.sub(r"\s", "", text)) > DOCUMENT_SIZE:
        raise malformed(f"longer than {DOCUMENT_SIZE} characters")


def create(world, space, name, document):
    check_document(document)
    known = space.policies.get(name)
    if known is not None:
        raise already_exists(f"Policy {name} already exists", name, space.arn("policy", name))
    space.policies[name] = Policy(name, document, world.clock.now())
    return space.policies[name]


@iot("CreatePolicy", "POST", "/policies/{policyName}", policyName=label(POLICY_NAME),
     policyDocument=body(shapes.String(0, 404600), required=True), tags=body(shapes.TAGS))
def create_policy(call):
    policy = create(call.world, call.space, call["policyName"], call["policyDocument"])
    return {"policyName": policy.name, "policyArn": call.space.arn("policy", policy.name),
            "policyDocument": policy.document, "policyVersionId": "1"}


@iot("GetPolicy", "GET", "/policies/{policyName}", policyName=label(POLICY_NAME))
def get_policy(call):
    policy = call.space.policy(call["policyName"])
    return {"policyName": policy.name, "policyArn": call.space.arn("policy", policy.name),
            "policyDocument": policy.document, "defaultVersionId": "1",
            "creationDate": policy.created, "lastModifiedDate": policy.created,
            "generationId": policy.generation}


@iot("DeletePolicy", "DELETE", "/policies/{policyName}", policyName=label(POLICY_NAME))
def delete_policy(call):
    policy = call.space.policy(call["policyName"])
    if policy.targets:
        raise ServiceError("DeleteConflictException", "The policy is attached")
    del call.space.policies[policy.name]


def _target(space, arn):
    """The certificate or thing group of an ARN."""
    match = _ARN.fullmatch(arn)
    if not match:
        raise invalid(f"The target {arn} is not valid")
    region, account, kind, name = match.groups()
    found = None
    if (region, account) == (space.region, space.account):
        found = space.devices.get(name.lower()) if kind == "cert" else space.thing_groups.get(name)
    if found is None:
        raise not_found(f"The target {arn} does not exist")
    return found


def attach(space, policy, arn):
    """Attaches the policy; again is no change."""
    target = _target(space, arn)
    if policy.name in target.policies:
        return
    if len(target.policies) >= POLICIES_PER_TARGET:
        raise ServiceError("LimitExceededException",
                           f"At most {POLICIES_PER_TARGET} policies per target")
    target.policies += (policy.name,)
    policy.targets[arn] = None


@iot("AttachPolicy", "PUT", "/target-policies/{policyName}", policyName=label(POLICY_NAME),
     target=body(shapes.ANY, required=True))
def attach_policy(call):
    attach(call.space, call.space.policy(call["policyName"]), call["target"])


@iot("DetachPolicy", "POST", "/target-policies/{policyName}", policyName=label(POLICY_NAME),
     target=body(shapes.ANY, required=True))
def detach_policy(call):
    policy, target = call.space.policy(call["policyName"]), _target(call.space, call["target"])
    target.policies = tuple(name for name in target.policies if name != policy.name)
    policy.targets.pop(call["target"], None)


@iot("ListAttachedPolicies", "POST", "/attached-policies/{target}", target=label(shapes.ANY),
     recursive=query(BOOLEAN), **_PAGE)
def list_attached_policies(call):
    space = call.space
    need(":cert/" in call["target"] or ":thinggroup/" in call["target"],
         f"The target {call['target']} is not valid")
    names = list(_target(space, call["target"]).policies)
    call.arguments["ascendingOrder"] = True
    return marker_page(call, "attached", names, "policies",
                       lambda name: {"policyName": name, "policyArn": space.arn("policy", name)})


@iot("ListTargetsForPolicy", "POST", "/policy-targets/{policyName}", policyName=label(POLICY_NAME),
     **_PAGE)
def list_targets_for_policy(call):
    policy = call.space.policy(call["policyName"])
    call.arguments["ascendingOrder"] = True
    return marker_page(call, "targets", list(policy.targets), "targets", lambda arn: arn)
