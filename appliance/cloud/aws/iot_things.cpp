#include "appliance/cloud/aws/iot_client.h"

namespace linesign::aws {

Result<ThingDescription> IotClient::create_thing(const Thing& thing) {
  Call call = new_call("CreateThing", "POST", {"things", thing.name});
  JsonObject body;
  body.set("thingTypeName", thing.type);
  if (!thing.attributes.empty()) {
    JsonObject payload;
    payload.set("attributes", thing.attributes);
    body.set("attributePayload", payload);
  }
  set_json(call, body);
  LS_TRY(const JsonObject answer, ask(call, "thingName"));
  ThingDescription created;
  created.thing = thing;
  LS_TRY(created.thing.name, answer.required_text("thingName"));
  created.arn = answer.text("thingArn").value_or("");
  created.id = answer.text("thingId").value_or("");
  created.version = 1;
  return created;
}

Result<ThingDescription> IotClient::describe_thing(const std::string& name) {
  LS_TRY(const JsonObject answer, ask(new_call("DescribeThing", "GET", {"things", name})));
  ThingDescription found;
  LS_TRY(found.thing.name, answer.required_text("thingName"));
  found.thing.type = answer.text("thingTypeName").value_or("");
  found.thing.attributes = answer.text_map("attributes");
  found.arn = answer.text("thingArn").value_or("");
  found.id = answer.text("thingId").value_or("");
  found.version = answer.integer("version").value_or(0);
  return found;
}

Result<void> IotClient::attach_thing_principal(const std::string& thing,
                                               const std::string& certificate_arn,
                                               bool exclusive) {
  Call call = new_call("AttachThingPrincipal", "PUT", {"things", thing, "principals"});
  call.query = {{"thingPrincipalType", exclusive ? "EXCLUSIVE_THING" : "NON_EXCLUSIVE_THING"}};
  call.headers = {{"x-amzn-principal", certificate_arn}};
  return order(call);
}

Result<void> IotClient::update_thing(const Thing& thing) {
  Call call = new_call("UpdateThing", "PATCH", {"things", thing.name});
  JsonObject body;
  body.set("thingTypeName", thing.type);
  if (!thing.attributes.empty()) {
    JsonObject payload;
    payload.set("attributes", thing.attributes).set("merge", true);
    body.set("attributePayload", payload);
  }
  set_json(call, body);
  return order(call);
}

Result<void> IotClient::detach_thing_principal(const std::string& thing,
                                               const std::string& certificate_arn) {
  Call call = new_call("DetachThingPrincipal", "DELETE", {"things", thing, "principals"});
  call.headers = {{"x-amzn-principal", certificate_arn}};
  return order(call);
}

Result<Page<std::string>> IotClient::list_thing_principals(const std::string& thing,
                                                           const std::string& next) {
  Call call = new_call("ListThingPrincipals", "GET", {"things", thing, "principals"});
  call.query = {{"maxResults", std::to_string(kLargestPage)}};
  if (!next.empty()) call.query.push_back({"nextToken", next});
  LS_TRY(const JsonObject answer, ask(call));
  return Page<std::string>{answer.texts("principals"), answer.text("nextToken").value_or("")};
}

Result<void> IotClient::attach_policy(const std::string& policy, const std::string& target_arn) {
  Call call = new_call("AttachPolicy", "PUT", {"target-policies", policy});
  JsonObject body;
  body.set("target", target_arn);
  set_json(call, body);
  return order(call);
}

Result<Page<PolicySummary>> IotClient::list_attached_policies(const std::string& target_arn,
                                                              const std::string& marker) {
  Call call = new_call("ListAttachedPolicies", "POST", {"attached-policies", target_arn});
  call.query = {{"pageSize", std::to_string(kLargestPage)}};
  if (!marker.empty()) call.query.push_back({"marker", marker});
  LS_TRY(const JsonObject answer, ask(call));
  Page<PolicySummary> page;
  page.next = answer.text("nextMarker").value_or("");
  for (const JsonObject& each : answer.objects("policies")) {
    LS_TRY(std::string name, each.required_text("policyName"));
    page.items.push_back({std::move(name), each.text("policyArn").value_or("")});
  }
  return page;
}

Result<void> IotClient::add_thing_to_group(const std::string& thing, const std::string& group) {
  Call call = new_call("AddThingToThingGroup", "PUT", {"thing-groups", "addThingToThingGroup"});
  JsonObject body;
  body.set("thingGroupName", group);
  body.set("thingName", thing);
  set_json(call, body);
  return order(call);
}

Result<PolicyDescription> IotClient::get_policy(const std::string& name) {
  LS_TRY(const JsonObject answer, ask(new_call("GetPolicy", "GET", {"policies", name})));
  PolicyDescription policy;
  LS_TRY(policy.summary.name, answer.required_text("policyName"));
  policy.summary.arn = answer.text("policyArn").value_or("");
  policy.document = answer.text("policyDocument").value_or("");
  policy.version_id = answer.text("defaultVersionId").value_or("");
  return policy;
}

Result<ThingTypeDescription> IotClient::describe_thing_type(const std::string& name) {
  LS_TRY(const JsonObject answer, ask(new_call("DescribeThingType", "GET", {"thing-types", name})));
  ThingTypeDescription type;
  LS_TRY(type.name, answer.required_text("thingTypeName"));
  type.arn = answer.text("thingTypeArn").value_or("");
  const auto metadata = answer.object("thingTypeMetadata");
  type.is_deprecated = metadata && metadata->flag("deprecated").value_or(false);
  return type;
}

Result<ThingGroupDescription> IotClient::describe_thing_group(const std::string& name) {
  LS_TRY(const JsonObject answer,
         ask(new_call("DescribeThingGroup", "GET", {"thing-groups", name})));
  ThingGroupDescription group;
  LS_TRY(group.name, answer.required_text("thingGroupName"));
  group.arn = answer.text("thingGroupArn").value_or("");
  group.is_dynamic = answer.text("queryString").has_value();
  return group;
}

}  // namespace linesign::aws
