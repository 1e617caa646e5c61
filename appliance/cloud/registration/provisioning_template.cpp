#include "appliance/cloud/registration/provisioning_template.h"

#include "appliance/cloud/aws/json.h"

namespace linesign {

bool may_leave_inactive(const std::string& template_body) {
  const auto parsed = aws::JsonObject::parse(template_body);
  const auto resources = parsed.has_value() ? parsed->object("Resources") : std::nullopt;
  if (!resources) return true;
  for (const std::string& name : resources->names()) {
    const auto resource = resources->object(name);
    if (!resource || resource->text("Type") != "AWS::IoT::Certificate") continue;
    const auto properties = resource->object("Properties");
    if (!properties) return true;
    return properties->object("Status") ||
           properties->text("Status").value_or("ACTIVE") != "ACTIVE";
  }
  return true;
}

}  // namespace linesign
