#include "appliance/cloud/registration/preflight_template.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "appliance/cloud/aws/json.h"
#include "appliance/cloud/registration/preflight_things.h"

namespace linesign {
namespace {

constexpr size_t kMostTemplateBytes = 10'240;
constexpr size_t kThingAttributesWithoutType = 3;
constexpr std::string_view kJitPrefix = "AWS::IoT::Certificate::";
constexpr std::string_view kJitCommonName = "AWS::IoT::Certificate::CommonName";
constexpr std::string_view kJitId = "AWS::IoT::Certificate::Id";

// Parameters of just-in-time provisioning, and the field of the subject that each is taken from.
struct JitParameter {
  std::string_view name;
  std::string_view field;  // as [profile] calls it; empty: always there
};
constexpr std::array<JitParameter, 8> kJitParameters = {
    {{"Country", "C"},
     {"Organization", "O"},
     {"OrganizationalUnit", "OU"},
     {"DistinguishedNameQualifier", "dnQualifier"},
     {"StateName", "ST"},
     {"CommonName", "CN"},
     {"SerialNumber", "serialNumber"},
     {"Id", ""}}};

std::optional<aws::JsonObject> parse_template(const std::string& body,
                                              PreflightFindings& findings) {
  if (body.size() > kMostTemplateBytes)
    findings.problem("The template is longer than 10,240 bytes: AWS IoT takes no more.");
  auto parsed = aws::JsonObject::parse(body);
  if (!parsed.has_value() || !parsed->object("Parameters")) {
    findings.problem("The template is no JSON object with Parameters.");
    return std::nullopt;
  }
  for (const std::string& name : parsed->object("Parameters")->names()) {
    const auto each = parsed->object("Parameters")->object(name);
    if (!each || each->text("Type") != "String")
      findings.problem("The template's parameter " + name + " is not of type String.");
  }
  return std::move(*parsed);
}

bool has_default(const aws::JsonObject& parameters, const std::string& name) {
  const auto each = parameters.object(name);
  return each && each->text("Default").has_value();
}

void check_line_parameters(const aws::JsonObject& parameters,
                           const TextMap& given,
                           PreflightFindings& findings) {
  for (const auto& [name, text] : given)
    if (!parameters.object(name))
      findings.problem(
          fmt::format("The template declares no parameter {}: take it out of `parameters`, or "
                      "every line fails.",
                      name));
  for (const std::string& name : parameters.names())
    if (!given.contains(name) && !has_default(parameters, name))
      findings.problem(
          fmt::format("No line gives the template's parameter {}: put it into `parameters`, or "
                      "give it a Default.",
                      name));
}

void check_jit_parameter(const std::string& name,
                         const std::optional<Profile>& profile,
                         PreflightFindings& findings) {
  const auto* const known =
      std::find_if(kJitParameters.begin(), kJitParameters.end(), [&](const JitParameter& each) {
        return name == std::string(kJitPrefix) + std::string(each.name);
      });
  if (known == kJitParameters.end()) {
    findings.problem(fmt::format(
        "The template's parameter {} is none that just-in-time provisioning knows.", name));
    return;
  }
  if (known->field.empty() || !profile) return;
  if (profile->subject_source == SubjectSource::Csr) {
    findings.warning(fmt::format(
        "The template wants {} of the subject, and [profile] takes the subject from the "
        "CSR: every station must set it.",
        known->field));
    return;
  }
  const auto& fields = profile->subject_fields;
  const bool is_there =
      known->field == "CN" || std::any_of(fields.begin(), fields.end(), [&](const auto& each) {
        return each.first == known->field;
      });
  if (!is_there)
    findings.problem(
        fmt::format("The template wants {0}, which no device has: put {1}=... into [profile] "
                    "subject_fields, or take {0} out of the template.",
                    name,
                    known->field));
}

// What a template says of a thing, a certificate and a policy.
class ResourceCheck final {
 public:
  ResourceCheck(const TargetSetup& setup, aws::IotClient& iot, PreflightFindings& findings)
      : setup_(setup), is_jit_(setup.way == WayKind::Jit), iot_(iot), findings_(findings) {}

  void run(const aws::JsonObject& body) {
    const aws::JsonObject resources = body.object("Resources").value_or(aws::JsonObject());
    for (const std::string& name : resources.names()) {
      const auto resource = resources.object(name);
      const std::string type = resource ? resource->text("Type").value_or("") : "";
      const auto properties =
          resource ? resource->object("Properties") : std::optional<aws::JsonObject>();
      if (!properties) {
        findings_.problem("The template's resource " + name + " has no Properties.");
        continue;
      }
      check(name, type, *resource, *properties);
    }
    if (certificates_ != 1)
      findings_.problem("The template needs one resource of type AWS::IoT::Certificate.");
  }

 private:
  void check(const std::string& name,
             const std::string& type,
             const aws::JsonObject& resource,
             const aws::JsonObject& properties) {
    if (type == "AWS::IoT::Thing") {
      check_thing(properties);
    } else if (type == "AWS::IoT::Certificate") {
      check_certificate(properties);
    } else if (type == "AWS::IoT::Policy") {
      check_template_policy(properties);
      return;
    } else {
      findings_.problem("The template's resource " + name + " is of no type that AWS IoT knows.");
      return;
    }
    if (!resource.object("OverrideSettings"))
      findings_.warning("The template's resource " + name +
                        " has no OverrideSettings: what AWS does when it exists already is not "
                        "documented; write them.");
  }

  void check_thing(const aws::JsonObject& properties) {
    if (!properties.text("ThingName") && !properties.object("ThingName"))
      findings_.problem("The template's thing has no ThingName.");
    const auto name = properties.object("ThingName");
    if (is_jit_ && name && name->text("Ref") == kJitCommonName &&
        setup_.direct.thing_name_prefix.empty())
      findings_.warning(
          "The template names things by the common name, which is the device id: one with '.' "
          "cannot be a thing and fails at its first connection. Set thing_name_prefix: such ids "
          "are then refused before they are signed.");
    const bool has_type = properties.text("ThingTypeName") || properties.object("ThingTypeName");
    check_thing_type(properties.text("ThingTypeName").value_or(""), iot_, findings_);
    for (const std::string& group : properties.texts("ThingGroups"))
      check_thing_group(group, iot_, findings_);
    const auto attributes = properties.object("AttributePayload");
    if (!has_type && attributes && attributes->names().size() > kThingAttributesWithoutType)
      findings_.problem(
          "A thing without a type has at most 3 attributes: give the template a ThingTypeName.");
  }

  void check_certificate(const aws::JsonObject& properties) {
    ++certificates_;
    const std::string wanted = is_jit_ ? "CertificateId" : "CertificatePem";
    size_t sources = 0;
    for (const char* each : {"CertificateId", "CertificatePem", "CertificateSigningRequest"})
      if (properties.text(each) || properties.object(each)) ++sources;
    const auto source = properties.object(wanted);
    const bool is_right = source && (!is_jit_ || source->text("Ref") == kJitId);
    if (sources == 1 && is_right) return;
    findings_.problem(is_jit_
                          ? fmt::format("The template's certificate must be {{\"CertificateId\": "
                                        "{{\"Ref\": \"{}\"}}}} and nothing else.",
                                        kJitId)
                          : "The template's certificate must be CertificatePem, from a "
                            "parameter, and nothing else: linesign has signed it already.");
  }

  void check_template_policy(const aws::JsonObject& properties) {
    const auto name = properties.text("PolicyName");
    const bool has_name = name || properties.object("PolicyName");
    const bool has_document =
        properties.text("PolicyDocument") || properties.object("PolicyDocument");
    if (has_name == has_document)
      findings_.problem("The template's policy wants either PolicyName or PolicyDocument.");
    check_policy(setup_, name.value_or(""), iot_, findings_);
    if (const auto document = properties.text("PolicyDocument"))
      check_policy_document(setup_, "The template's policy", *document, findings_);
  }

  const TargetSetup& setup_;
  const bool is_jit_;
  aws::IotClient& iot_;
  PreflightFindings& findings_;
  size_t certificates_ = 0;
};

}  // namespace

void check_thing_type(const std::string& name, aws::IotClient& iot, PreflightFindings& findings) {
  if (name.empty()) return;
  const auto type = iot.describe_thing_type(name);
  if (!findings.found(type, "Thing type " + name, "create it", "iot:DescribeThingType")) return;
  if (type->is_deprecated)
    findings.problem("Thing type " + name + " is deprecated: no thing can be made of it.");
  else
    findings.good("Thing type " + name + " is there.");
}

void check_thing_group(const std::string& name, aws::IotClient& iot, PreflightFindings& findings) {
  if (name.empty()) return;
  const auto group = iot.describe_thing_group(name);
  if (!findings.found(group, "Thing group " + name, "create it", "iot:DescribeThingGroup")) return;
  if (group->is_dynamic)
    findings.problem("Thing group " + name + " is dynamic: things cannot be added to it.");
  else
    findings.good("Thing group " + name + " is there.");
}

void check_bulk_template(const TargetSetup& setup,
                         aws::IotClient& iot,
                         PreflightFindings& findings) {
  const size_t before = findings.problems();
  const auto body = parse_template(setup.bulk.template_body, findings);
  if (!body) return;
  check_line_parameters(*body->object("Parameters"), setup.bulk.parameters, findings);
  ResourceCheck(setup, iot, findings).run(*body);
  if (findings.problems() == before)
    findings.good("The template and the lines of a manifest go together.");
}

void check_jit_template(const TargetSetup& setup,
                        aws::IotClient& iot,
                        PreflightFindings& findings) {
  const aws::RegistrationConfig& config = setup.ca.config;
  if (config.empty()) {
    findings.good("No template: each first connection is an event for your own rule.");
    return;
  }
  std::string text = config.template_body;
  if (text.empty()) {
    const auto there = iot.describe_template(config.template_name);
    if (!findings.found(there, "Provisioning template " + config.template_name, "create it"))
      return;
    text = there->body;
  }
  const size_t before = findings.problems();
  const auto body = parse_template(text, findings);
  if (!body) return;
  const auto parameters = body->object("Parameters");
  for (const std::string& name : parameters->names())
    if (!has_default(*parameters, name)) check_jit_parameter(name, setup.profile, findings);
  ResourceCheck(setup, iot, findings).run(*body);
  if (findings.problems() == before)
    findings.good("The template and the subjects of devices go together.");
}

}  // namespace linesign
