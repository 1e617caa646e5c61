#include "appliance/cloud/registration/provisioning_template.h"

#include "appliance/cloud/aws/json.h"

namespace linesign {
namespace {

// Of this type, the first one.
std::optional<aws::JsonObject> properties_of(const aws::JsonObject& body, std::string_view type) {
  const auto resources = body.object("Resources");
  if (!resources) return std::nullopt;
  for (const std::string& name : resources->names()) {
    const auto resource = resources->object(name);
    if (resource && resource->text("Type") == type) return resource->object("Properties");
  }
  return std::nullopt;
}

// A text, or what {"Ref": name} stands for.
class Values final {
 public:
  Values(const aws::JsonObject& body, const std::map<std::string, std::string>& given)
      : declared_(body.object("Parameters").value_or(aws::JsonObject())), given_(given) {}

  std::optional<std::string> of(const aws::JsonObject& object, const std::string& name) const {
    const auto reference = object.object(name);
    if (!reference) return object.text(name);
    const std::string parameter = reference->text("Ref").value_or("");
    const auto value = given_.find(parameter);
    if (value != given_.end()) return value->second;
    const auto declared = declared_.object(parameter);
    return declared ? declared->text("Default") : std::nullopt;
  }

 private:
  const aws::JsonObject declared_;
  const std::map<std::string, std::string>& given_;
};

}  // namespace

std::optional<aws::Thing> thing_of(const std::string& template_body,
                                   const std::map<std::string, std::string>& parameters) {
  const auto body = aws::JsonObject::parse(template_body);
  const auto properties = body.has_value() ? properties_of(*body, "AWS::IoT::Thing") : std::nullopt;
  if (!properties) return std::nullopt;
  const Values values(*body, parameters);
  const auto name = values.of(*properties, "ThingName");
  if (!name) return std::nullopt;
  aws::Thing thing;
  thing.name = *name;
  thing.type = values.of(*properties, "ThingTypeName").value_or("");
  const auto attributes = properties->object("AttributePayload").value_or(aws::JsonObject());
  for (const std::string& each : attributes.names())
    thing.attributes[each] = values.of(attributes, each).value_or("");
  return thing;
}

bool may_leave_inactive(const std::string& template_body) {
  const auto parsed = aws::JsonObject::parse(template_body);
  const auto properties =
      parsed.has_value() ? properties_of(*parsed, "AWS::IoT::Certificate") : std::nullopt;
  if (!properties) return true;
  return properties->object("Status") || properties->text("Status").value_or("ACTIVE") != "ACTIVE";
}

}  // namespace linesign
