#include "appliance/cloud/registration/target_setup.h"

#include <fmt/format.h>

#include "appliance/cloud/registration/direct_way.h"
#include "appliance/cloud/targets/plan_check.h"

namespace linesign {

Result<void> check_target(Outbox& outbox, const TargetSetup& setup) {
  LS_TRY(const std::vector<CloudTargetStatus> targets, outbox.status());
  for (const CloudTargetStatus& each : targets) {
    const CloudTarget& known = each.target;
    if (known.name != setup.name) continue;
    if (known.account == setup.account && known.region == setup.region) {
      if (each.is_configured) return {};
      break;
    }
    return fail(ErrorCode::CloudTargetMoved,
                fmt::format("{} is account {} in {} for the ledger, and {} in {} in the "
                            "configuration: a name stays with its account, so the other one needs "
                            "another name",
                            setup.name,
                            known.account,
                            known.region,
                            setup.account,
                            setup.region));
  }
  return fail(ErrorCode::CloudTargetUnknown, fmt::format("{}: {}", setup.name, kNotKnownYet));
}

std::unique_ptr<Way> make_way(const TargetSetup& setup,
                              Outbox& outbox,
                              const TargetConnection* connection,
                              const Clock& clock) {
  switch (setup.way) {
    case WayKind::File:
      return std::make_unique<FileWay>(outbox, setup.name, setup.file);
    case WayKind::Jit:
      return std::make_unique<JitWay>(
          outbox, setup.name, [connection, wish = setup.ca](const std::string& ca_id) {
            CaWish of_device = wish;
            of_device.id = ca_id;
            return check_jit_ca(connection->session(), of_device);
          });
    case WayKind::Bulk:
      return std::make_unique<BulkWay>(
          outbox, connection->session(), clock, setup.name, setup.bulk);
    case WayKind::Direct:
      break;
  }
  return std::make_unique<DirectWay>(
      outbox, connection->session(), clock, setup.name, setup.direct);
}

Result<void> check_jit_ca(const aws::Session& session, const CaWish& wish) {
  LS_TRY(aws::IotClient iot, session.iot());
  LS_TRY(const std::optional<aws::CaDescription> ca, CaRegistrar(iot).find(wish.id));
  if (!ca)
    return fail(ErrorCode::AwsNotFound, "the CA is not registered: linesign aws register-ca");
  if (ca->status != aws::CertificateStatus::Active || !ca->has_auto_registration)
    return fail(ErrorCode::AwsConflict,
                "the CA is not ACTIVE with auto-registration: linesign aws register-ca sets both");
  const aws::RegistrationConfig config = told_config(wish);
  if (ca->config != config)
    return fail(ErrorCode::AwsConflict,
                "the CA has another provisioning template: linesign aws register-ca sets it");
  return config.template_name.empty() ? Result<void>() : compare_template(iot, wish);
}

}  // namespace linesign
