#include "appliance/cloud/targets/target_reader.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "appliance/cloud/targets/thing_name_rule.h"

namespace linesign {
namespace {

constexpr size_t kMaxAttributesWithoutType = 3;
constexpr size_t kMaxAttributes = 50;
constexpr size_t kMaxParameters = 50;
constexpr size_t kMaxParameterBytes = 2048;
constexpr int64_t kMaxChunkLines = 1'000'000;
constexpr int64_t kMaxMinLines = 500;  // what one look at the outbox shows
constexpr std::array<std::string_view, 2> kStatuses = {"ACTIVE", "INACTIVE"};
constexpr size_t kActive = 0;
constexpr std::array<std::string_view, 2> kExistingThings = {"refuse", "adopt"};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Result<void> read_identity(const SettingsTable& table, TargetConfig& target) {
  LS_TRY(target.name, table.required_text("name"));
  if (!fits(kTargetNameRule, target.name))
    return fail(table.error_at(
        "name", ErrorCode::ConfigRange, fmt::format("expected {}", kTargetNameRule.words)));
  LS_TRY(target.account, table.required_text("account"));
  if (!is_account_number(target.account))
    return fail(table.error_at(
        "account", ErrorCode::ConfigRange, "expected the 12 digits of an AWS account in quotes"));
  LS_TRY(target.region, table.required_text("region"));
  if (!is_region(target.region))
    return fail(table.error_at(
        "region", ErrorCode::ConfigRange, R"(expected a region such as "eu-central-1")"));
  if (!table.has("way"))
    return fail(table.error_at(
        "way", ErrorCode::ConfigMissing, R"(required: "direct", "bulk", "jit" or "file")"));
  LS_TRY(const size_t way, table.choice("way", target_way_names(), 0));
  target.way = static_cast<TargetWay>(way);
  LS_TRY(const size_t mode, table.choice("mode", ca_mode_names(), 0));
  target.mode = static_cast<CaMode>(mode);
  LS_TRY(const size_t status, table.choice("status", kStatuses, kActive));
  target.is_active = status == kActive;
  return {};
}

Result<void> check_attributes(const SettingsTable& table, const TargetConfig& target) {
  const auto wrong = [&](ErrorCode code, const std::string& what) {
    return fail(table.error_at("attributes", code, what));
  };
  if (target.attributes.size() > kMaxAttributes)
    return wrong(ErrorCode::ConfigRange, fmt::format("at most {} attributes", kMaxAttributes));
  if (target.attributes.size() > kMaxAttributesWithoutType && target.thing_type.empty())
    return wrong(
        ErrorCode::ConfigConflict,
        fmt::format("more than {} attributes need a thing_type", kMaxAttributesWithoutType));
  for (const auto& [name, value] : target.attributes) {
    if (!fits(kAttributeNameRule, name))
      return wrong(ErrorCode::ConfigRange,
                   fmt::format("{}: expected {}", name, kAttributeNameRule.words));
    if (const auto fault = find_field_fault(value, Fields::OfDevice, &kAttributeValueRule))
      return wrong(ErrorCode::ConfigRange, fmt::format("{}: {}", name, *fault));
  }
  return {};
}

Result<void> read_thing(const SettingsTable& table, TargetConfig& target) {
  LS_TRY(target.register_without_ca, table.boolean("register_without_ca", false));
  LS_TRY(target.send_ca_certificate, table.boolean("send_ca_certificate", false));
  LS_TRY(target.thing_name, table.text("thing_name", target.thing_name));
  const auto fault = find_field_fault(target.thing_name, Fields::OfDevice, &kThingNameRule);
  if (fault.has_value()) return fail(table.error_at("thing_name", ErrorCode::ConfigRange, *fault));
  const bool names_the_device = contains(target.thing_name, "{device_id}") ||
                                contains(target.thing_name, "{serial}") ||
                                contains(target.thing_name, "{certificate_id}");
  if (!names_the_device)
    return fail(table.error_at("thing_name",
                               ErrorCode::ConfigRange,
                               "expected {device_id}, {serial} or {certificate_id} in it, so that "
                               "no two devices are one thing"));
  LS_TRY(target.thing_name_prefix, read_name(table, "thing_name_prefix", kThingNameRule));
  LS_TRY(const size_t existing, table.choice("existing_things", kExistingThings, 0));
  target.existing_things = static_cast<ExistingThings>(existing);
  LS_TRY(target.thing_type, read_name(table, "thing_type", kThingNameRule));
  LS_TRY(target.attributes, table.text_map("attributes"));
  LS_TRY(target.policy, read_name(table, "policy", kPolicyNameRule));
  LS_TRY(target.thing_group, read_name(table, "thing_group", kThingNameRule));
  return check_attributes(table, target);
}

Result<void> read_parameters(const SettingsTable& table, TargetConfig& target) {
  LS_TRY(target.parameters, table.text_map("parameters"));
  if (!table.has("parameters")) target.parameters = default_parameters();
  if (target.parameters.size() > kMaxParameters)
    return fail(table.error_at("parameters",
                               ErrorCode::ConfigRange,
                               fmt::format("at most {} parameters", kMaxParameters)));
  for (const auto& [name, value] : target.parameters) {
    auto fault = find_field_fault(value, Fields::WithPem, nullptr);
    if (name.empty() || name.size() > kMaxParameterBytes || value.size() > kMaxParameterBytes)
      fault = fmt::format("expected names of 1 to {0} and values of at most {0} bytes",
                          kMaxParameterBytes);
    if (fault.has_value())
      return fail(table.error_at(
          "parameters", ErrorCode::ConfigRange, fmt::format("{}: {}", name, *fault)));
  }
  LS_TRY(const int64_t lines,
         table.integer("chunk_lines", {1, kMaxChunkLines}, target.chunk_lines));
  target.chunk_lines = static_cast<uint32_t>(lines);
  LS_TRY(const int64_t least, table.integer("min_lines", {1, kMaxMinLines}, target.min_lines));
  target.min_lines = static_cast<uint32_t>(least);
  using std::chrono::milliseconds;
  LS_TRY(const milliseconds wait,
         table.duration("max_wait", {milliseconds(0), std::chrono::hours(24)}, target.max_wait));
  target.max_wait = std::chrono::duration_cast<std::chrono::seconds>(wait);
  return {};
}

Result<void> read_ways(const SettingsTable& table, TargetConfig& target) {
  LS_CHECK(read_parameters(table, target));
  LS_TRY(target.template_file, table.path("template_file", ""));
  LS_TRY(target.bucket, read_name(table, "bucket", kBucketRule));
  LS_TRY(target.prefix, read_name(table, "prefix", kObjectKeyRule, target.prefix));
  LS_TRY(target.role_arn_bulk,
         read_arn(table, "role_arn_bulk", kRoleArnRule, target.region, target.account));
  LS_TRY(target.template_name, read_name(table, "template_name", kTemplateNameRule));
  LS_TRY(target.registration_role_arn,
         read_arn(table, "registration_role_arn", kRoleArnRule, target.region, target.account));
  LS_TRY(target.export_dir, table.path("export_dir", ""));
  return {};
}

// TLS, or plain HTTP that does not leave this machine.
bool is_endpoint(std::string_view url) {
  constexpr std::string_view kTls = "https://";
  if (url.starts_with(kTls)) return url.size() > kTls.size();
  constexpr std::array<std::string_view, 3> kHere = {
      "http://127.0.0.1", "http://localhost", "http://[::1]"};
  return std::any_of(kHere.begin(), kHere.end(), [&](std::string_view host) {
    if (!url.starts_with(host)) return false;
    const std::string_view rest = url.substr(host.size());
    return rest.empty() || rest.front() == ':' || rest.front() == '/';
  });
}

Result<void> read_connection(const SettingsTable& table, TargetConfig& target) {
  LS_TRY(target.endpoint_url, table.text("endpoint_url", ""));
  if (!target.endpoint_url.empty() && !is_endpoint(target.endpoint_url))
    return fail(table.error_at("endpoint_url",
                               ErrorCode::ConfigRange,
                               "expected https://..., or http:// to this machine for tests"));
  LS_TRY(target.ca_bundle, table.path("ca_bundle", ""));
  LS_TRY(target.rate_factor, table.decimal("rate_factor", {0.01, 1}, target.rate_factor));
  LS_TRY(target.quotas, table.decimal_map("quotas", {0.1, 100'000}));
  return {};
}

tl::unexpected<Error> missing(const SettingsTable& table, std::string_view key, TargetWay way) {
  return fail(table.error_at(
      key, ErrorCode::ConfigMissing, fmt::format("required with way = \"{}\"", to_string(way))));
}

Result<void> check_bulk(const SettingsTable& table, const TargetConfig& target) {
  if (target.bucket.empty()) return missing(table, "bucket", target.way);
  if (target.role_arn_bulk.empty()) return missing(table, "role_arn_bulk", target.way);
  if (target.template_file.empty()) return missing(table, "template_file", target.way);
  const bool has_certificate =
      std::any_of(target.parameters.begin(), target.parameters.end(), [](const auto& parameter) {
        return contains(parameter.second, "{certificate_pem}");
      });
  if (has_certificate) return {};
  return fail(table.error_at("parameters",
                             ErrorCode::ConfigMissing,
                             "required with way = \"bulk\": a parameter with {certificate_pem}"));
}

Result<void> check_jit(const SettingsTable& table, const TargetConfig& target) {
  const bool has_file = !target.template_file.empty();
  if (has_file && target.registration_role_arn.empty())
    return missing(table, "registration_role_arn", target.way);
  return {};
}

Result<void> check_prefix(const SettingsTable& table, const TargetConfig& target) {
  if (target.thing_name_prefix.empty()) return {};
  const auto name = thing_name_of(target);
  const auto fault =
      name ? find_prefix_fault(*name, target.thing_name_prefix)
           : std::optional<std::string>("no parameter ThingName says how things are called");
  if (!fault.has_value()) return {};
  return fail(table.error_at("thing_name_prefix", ErrorCode::ConfigConflict, *fault));
}

// What goes together with what; each key alone is right.
Result<void> check_together(const SettingsTable& table, const TargetConfig& target) {
  LS_CHECK(check_prefix(table, target));
  if (target.register_without_ca && target.way != TargetWay::Direct)
    return fail(table.error_at("register_without_ca",
                               ErrorCode::ConfigConflict,
                               "only way = \"direct\" can register without the CA"));
  if (target.register_without_ca && target.mode == CaMode::Default)
    return fail(table.error_at("register_without_ca",
                               ErrorCode::ConfigConflict,
                               "without the CA the mode is SNI_ONLY, not DEFAULT"));
  switch (target.way) {
    case TargetWay::Direct:
      return {};
    case TargetWay::Bulk:
      return check_bulk(table, target);
    case TargetWay::Jit:
      return check_jit(table, target);
    case TargetWay::File:
      break;
  }
  if (target.export_dir.empty()) return missing(table, "export_dir", target.way);
  return {};
}

}  // namespace

const FieldTexts& default_parameters() {
  static const FieldTexts kParameters = {{"ThingName", "{device_id}"},
                                         {"SerialNumber", "{serial}"},
                                         {"Batch", "{order}"},
                                         {"CertificatePem", "{certificate_pem}"}};
  return kParameters;
}

Result<std::string> read_name(const SettingsTable& table,
                              std::string_view key,
                              const TextRule& rule,
                              std::string_view fallback) {
  LS_TRY(std::string text, table.text(key, fallback));
  if (text.empty() || fits(rule, text)) return text;
  return fail(table.error_at(key, ErrorCode::ConfigRange, fmt::format("expected {}", rule.words)));
}

Result<std::string> read_arn(const SettingsTable& table,
                             std::string_view key,
                             const ArnRule& rule,
                             std::string_view region,
                             std::string_view account) {
  LS_TRY(std::string arn, table.text(key, ""));
  if (arn.empty()) return arn;
  const std::string start = arn_start(rule, region);
  if (!is_arn(arn, rule))
    return fail(table.error_at(
        key,
        ErrorCode::ConfigRange,
        fmt::format("expected an ARN {}{}:{}...",
                    start,
                    rule.service == "iam" ? ":ACCOUNT" : fmt::format("{}:ACCOUNT", region),
                    rule.resource)));
  if (!arn.starts_with(start))
    return fail(table.error_at(
        key,
        ErrorCode::ConfigConflict,
        fmt::format(
            "region {} lies in another partition: expected {}..., found {}", region, start, arn)));
  if (!account.empty() && account_of_arn(arn) != account)
    return fail(table.error_at(
        key, ErrorCode::ConfigConflict, fmt::format("does not lie in account {}", account)));
  return arn;
}

Result<TargetConfig> read_target(const SettingsTable& table) {
  TargetConfig target;
  LS_CHECK(read_identity(table, target));
  LS_CHECK(read_thing(table, target));
  LS_CHECK(read_ways(table, target));
  LS_CHECK(read_connection(table, target));
  LS_TRY(target.credentials, read_credentials(table, target));
  LS_CHECK(check_together(table, target));
  return target;
}

}  // namespace linesign
