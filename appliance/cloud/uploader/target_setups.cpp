#include "appliance/cloud/uploader/target_setups.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "appliance/cloud/aws/endpoints.h"
#include "appliance/cloud/targets/thing_name_rule.h"
#include "appliance/cloud/uploader/x509_signers.h"
#include "hsm/x509/ca_certificate.h"
#include "protocol/base/bytes.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr size_t kMaxTemplateBytes = 10'240;  // AWS IoT: templateBody

WayKind way_of(TargetWay way) {
  switch (way) {
    case TargetWay::Bulk:
      return WayKind::Bulk;
    case TargetWay::Jit:
      return WayKind::Jit;
    case TargetWay::File:
      return WayKind::File;
    case TargetWay::Direct:
      break;
  }
  return WayKind::Direct;
}

Result<std::string> read_template(const TargetConfig& target) {
  if (target.template_file.empty()) return std::string();
  const auto bytes = read_file(target.template_file, kMaxTemplateBytes);
  if (!bytes.has_value())
    return fail(ErrorCode::AwsSettings,
                "target " + target.name + ", template_file: " + bytes.error().to_string());
  return std::string(as_text(*bytes));
}

Result<void> read_files(TargetSetup& setup, const TargetConfig& target) {
  LS_TRY(std::string template_body, read_template(target));
  if (target.way == TargetWay::Jit) setup.ca.config.template_body = template_body;
  setup.bulk.things.template_body = template_body;
  setup.bulk.template_body = std::move(template_body);
  return {};
}

// The CA is one for all targets of its account and region: its auto-registration is for those to
// say that use it. Where none does, somebody may have enabled it by hand.
void set_ca(TargetSetup& setup, const TargetConfig& target) {
  setup.ca.mode = target.mode == CaMode::Default ? aws::CertificateMode::Default
                                                 : aws::CertificateMode::SniOnly;
  if (target.way != TargetWay::Jit) return;
  setup.ca.auto_registration = true;
  setup.ca.config.template_name = target.template_name;
  setup.ca.config.role_arn = target.registration_role_arn;
}

void set_direct(TargetSetup& setup, const TargetConfig& target) {
  DirectPlan& direct = setup.direct;
  direct.account = target.account;
  direct.region = target.region;
  direct.without_ca = target.register_without_ca;
  direct.status =
      target.is_active ? aws::CertificateStatus::Active : aws::CertificateStatus::Inactive;
  direct.send_ca = target.send_ca_certificate;
  direct.issuers = {to_bytes(setup.ca.certificate->der())};
  direct.existing_things = target.existing_things;
  direct.thing_name = target.thing_name;
  direct.thing_name_prefix = target.thing_name_prefix;
  direct.thing_type = target.thing_type;
  direct.attributes = target.attributes;
  direct.policy = target.policy;
  direct.thing_group = target.thing_group;
}

void set_files(TargetSetup& setup,
               const TargetConfig& target,
               const std::filesystem::path& state_dir) {
  setup.bulk.account = target.account;
  setup.bulk.parameters = target.parameters;
  setup.bulk.thing_name = target.thing_name;
  setup.bulk.bucket = target.bucket;
  setup.bulk.prefix = target.prefix;
  setup.bulk.role_arn = target.role_arn_bulk;
  setup.bulk.chunk_lines = target.chunk_lines;
  setup.bulk.min_lines = target.min_lines;
  setup.bulk.max_wait = target.max_wait;
  setup.bulk.work_dir = state_dir;
  BulkThingsPlan& things = setup.bulk.things;
  things.parameters = target.parameters;
  things.certificate_arn = fmt::format(
      "arn:{}:iot:{}:{}:cert/", aws::partition_of(target.region), target.region, target.account);
  things.issuers = setup.direct.issuers;
  things.existing_things = target.existing_things;
  things.thing_name_prefix = target.thing_name_prefix;
  setup.file.export_dir = target.export_dir;
  setup.file.work_dir = state_dir;
  setup.file.parameters = target.parameters;
  setup.file.chunk_lines = target.chunk_lines;
}

Result<std::shared_ptr<aws::X509Signer>> open_signer(const SetupSources& sources,
                                                     const std::string& target,
                                                     const RolesAnywhereConfig& roles) {
  if (roles.key_uri.empty()) return open_key_file(roles.certificate, roles.key_file);
  std::vector<std::string> command = sources.sign_command;
  command.push_back(target);
  return open_signing_program(roles.certificate, std::move(command), sources.environment);
}

Result<aws::SessionOptions> session_options(const SetupSources& sources,
                                            const TargetConfig& target) {
  const CredentialsConfig& from = target.credentials;
  aws::SessionOptions options;
  options.overrides.profile = from.profile;
  options.overrides.region = target.region;
  options.overrides.endpoint_url = target.endpoint_url;
  if (!target.ca_bundle.empty()) options.overrides.ca_bundle = target.ca_bundle;
  options.account = target.account;
  options.credentials.account = target.account;
  options.quotas = target.quotas;
  options.share_of_quotas = target.rate_factor;
  if (from.roles_anywhere) {
    const RolesAnywhereConfig& roles = *from.roles_anywhere;
    LS_TRY(options.credentials.x509_signer, open_signer(sources, target.name, roles));
    aws::RolesAnywhere anywhere;
    anywhere.trust_anchor_arn = roles.trust_anchor_arn;
    anywhere.profile_arn = roles.profile_arn;
    anywhere.role_arn = roles.role_arn;
    anywhere.session_name = roles.session_name;
    anywhere.duration = from.session_duration;
    options.credentials.roles_anywhere = std::move(anywhere);
  }
  if (!from.assume_role_arn.empty()) {
    aws::AssumeRole role;
    role.role_arn = from.assume_role_arn;
    role.session_name = from.role_session_name;
    role.external_id = from.external_id;
    role.duration = from.session_duration;
    options.credentials.role = std::move(role);
  }
  return options;
}

TargetSetup make_setup(const SetupSources& sources,
                       const TargetConfig& target,
                       const CaCertificate& ca) {
  TargetSetup setup;
  setup.name = target.name;
  setup.account = target.account;
  setup.region = target.region;
  setup.way = way_of(target.way);
  setup.ca = wish_for(ca);
  setup.thing_name = thing_name_of(target);
  setup.profile = sources.profile;
  setup.quotas = target.quotas;
  setup.share_of_quotas = target.rate_factor;
  set_ca(setup, target);
  set_direct(setup, target);
  set_files(setup, target, sources.aws.state_dir);
  setup.read_files = [target](TargetSetup& made) { return read_files(made, target); };
  setup.session_options = [sources, target] { return session_options(sources, target); };
  return setup;
}

}  // namespace

Result<std::vector<TargetSetup>> make_setups(const SetupSources& sources,
                                             const std::vector<std::string>& names) {
  std::vector<const TargetConfig*> chosen;
  for (const std::string& name : names) {
    chosen.push_back(sources.aws.find(name));
    if (chosen.back() == nullptr) return fail(ErrorCode::CloudTargetUnknown, name);
  }
  if (names.empty())
    for (const TargetConfig& each : sources.aws.targets) chosen.push_back(&each);
  std::vector<TargetSetup> setups;
  if (chosen.empty()) return setups;
  LS_TRY(const CaCertificate ca, CaCertificate::load(sources.ca_certificate));
  for (const TargetConfig* each : chosen) setups.push_back(make_setup(sources, *each, ca));
  return setups;
}

}  // namespace linesign
