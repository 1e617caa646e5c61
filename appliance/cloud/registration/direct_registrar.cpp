#include "appliance/cloud/registration/direct_registrar.h"

#include <fmt/format.h>

#include "appliance/cloud/aws/endpoints.h"
#include "appliance/cloud/registration/ca_registrar.h"
#include "appliance/cloud/registration/verdict.h"
#include "appliance/cloud/targets/thing_name_rule.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

using aws::CertificateStatus;

std::optional<Sha256> to_sha256(std::string_view hex) {
  const auto bytes = from_hex(hex);
  Sha256 hash{};
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

}  // namespace

uint32_t wanted_steps(const DirectPlan& plan) {
  uint32_t steps = kStepCertificate | kStepThing | kStepPrincipal;
  if (!plan.policy.empty()) steps |= kStepPolicy;
  if (!plan.thing_group.empty()) steps |= kStepThingGroup;
  return steps;
}

DeviceOutcome DirectRegistrar::run(const CloudItem& item) {
  DeviceOutcome outcome;
  outcome.booking.issuance_id = item.issuance_id;
  outcome.booking.attempts = item.attempts;
  outcome.booking.steps = item.steps;
  auto device = prepare(item);
  if (!device.has_value()) {
    outcome.booking = parked(item, device.error());
    return outcome;
  }
  auto done = run_steps(*device);
  const bool had_steps = item.steps != 0;
  if (!done.has_value() && done.error().code() == ErrorCode::AwsNotFound && had_steps) {
    // What an earlier run made may be gone since: somebody deletes in the same account.
    device->steps = 0;
    done = run_steps(*device);
  }
  outcome.booking.steps = device->steps;
  if (done.has_value()) {
    outcome.booking.state = RegistrationState::Registered;
    outcome.booking.certificate_id = to_sha256(device->fields.certificate_id);
  } else if (judge(done.error()) == Verdict::Park) {
    outcome.booking = parked(item, done.error());
    outcome.booking.steps = device->steps;
  } else {
    outcome.hold = done.error();
  }
  return outcome;
}

Result<DirectRegistrar::Device> DirectRegistrar::prepare(const CloudItem& item) const {
  Device device;
  device.fields = fields_of(item);
  device.ca_id = issuer_id(item);
  device.steps = item.steps;
  device.committed_at = item.committed_at;
  LS_TRY(device.claim.thing, fill_in(plan_.thing_name, device.fields));
  // Before the certificate, which would be there alone, and active.
  LS_CHECK(check_thing_name(device.claim.thing, plan_.thing_name_prefix));
  device.claim.certificate_der = item.certificate_der;
  device.claim.issuers = plan_.issuers;
  device.claim.certificate_arn = fmt::format("arn:{}:iot:{}:{}:cert/{}",
                                             aws::partition_of(plan_.region),
                                             plan_.region,
                                             plan_.account,
                                             device.fields.certificate_id);
  return device;
}

Result<void> DirectRegistrar::run_steps(Device& device) {
  if ((device.steps & kStepCertificate) == 0) LS_CHECK(add_certificate(device));
  if ((device.steps & kStepThing) == 0) LS_CHECK(add_thing(device));
  if ((device.steps & kStepPrincipal) == 0) LS_CHECK(add_principal(device));
  const uint32_t left = wanted_steps(plan_) & ~device.steps;
  if ((left & kStepPolicy) != 0) LS_CHECK(add_policy(device));
  if ((left & kStepThingGroup) != 0) LS_CHECK(add_to_group(device));
  return {};
}

Result<void> DirectRegistrar::add_certificate(Device& device) {
  const std::string& pem = device.fields.certificate_pem;
  const std::string ca_pem = plan_.send_ca ? device.fields.ca_certificate_pem : std::string();
  const auto answer = plan_.without_ca ? client_.register_certificate_without_ca(pem, plan_.status)
                                       : client_.register_certificate(pem, ca_pem, plan_.status);
  if (!answer.has_value()) return fail(explain_refusal(device, answer.error()));
  if (answer->id != device.fields.certificate_id)
    return fail(ErrorCode::AwsAnswerInvalid,
                fmt::format("AWS names the certificate {}, its DER form hashes to {}",
                            answer->id,
                            device.fields.certificate_id));
  if (!answer->arn.empty() && answer->arn != device.claim.certificate_arn)
    return fail(ErrorCode::AwsSettings,
                fmt::format("the certificate became {}, expected {}: are these the credentials of "
                            "another account?",
                            answer->arn,
                            device.claim.certificate_arn));
  if (answer->existed) LS_CHECK(set_status(device));
  device.steps |= kStepCertificate;
  return {};
}

// It was there before: by us, with an answer that was lost, or by somebody else in another state.
Result<void> DirectRegistrar::set_status(const Device& device) {
  const std::string& id = device.fields.certificate_id;
  const auto known = client_.describe_certificate(id);
  // A contradiction about this one certificate: nothing of the set-up is missing.
  if (!known.has_value() && known.error().code() == ErrorCode::AwsNotFound)
    return fail(ErrorCode::AwsUnavailable, "the certificate is said to be there and is not found");
  if (!known.has_value()) return fail(known.error());
  const CertificateStatus status = known->summary.status;
  // ACTIVE where INACTIVE is wanted: it was activated meanwhile, and its device may be connected.
  if (status == plan_.status || status == CertificateStatus::Active) return {};
  // INACTIVE: somebody switched this device off, and it is not for us to switch it on again.
  const bool is_taken_away = status == CertificateStatus::Revoked ||
                             status == CertificateStatus::Inactive ||
                             status == CertificateStatus::PendingTransfer;
  if (is_taken_away)
    return fail(ErrorCode::AwsConflict,
                fmt::format("the certificate is registered as {}", aws::to_string(status)));
  return client_.update_certificate(id, plan_.status);
}

Result<void> DirectRegistrar::add_thing(Device& device) {
  aws::Thing thing;
  thing.name = device.claim.thing;
  thing.type = plan_.thing_type;
  LS_TRY(thing.attributes, fill_in(plan_.attributes, device.fields));
  const auto created = client_.create_thing(thing);
  if (!created.has_value() && created.error().code() != ErrorCode::AwsExists)
    return fail(created.error());
  if (!created.has_value()) LS_CHECK(change_thing(device, thing));
  device.steps |= kStepThing;
  return {};
}

Result<void> DirectRegistrar::change_thing(const Device& device, const aws::Thing& thing) {
  if (plan_.existing_things == ExistingThings::Refuse) {
    LS_TRY(const ThingPrincipals principals, find_principals(client_, device.claim));
    LS_CHECK(check_ours(principals, device.claim));
  }
  return client_.update_thing(thing);
}

// Also a thing that was made a moment ago: AWS says the same of one that was there in this form.
Result<void> DirectRegistrar::add_principal(Device& device) {
  LS_TRY(const ThingPrincipals principals, find_principals(client_, device.claim));
  if (plan_.existing_things == ExistingThings::Refuse)
    LS_CHECK(check_not_foreign(principals, device.claim));
  LS_CHECK(client_.attach_thing_principal(device.claim.thing, device.claim.certificate_arn, true));
  for (const aws::CertificateSummary& former : principals.former)
    LS_CHECK(retire(client_, device.claim.thing, former));
  device.steps |= kStepPrincipal;
  return {};
}

Result<void> DirectRegistrar::add_policy(Device& device) {
  LS_CHECK(client_.attach_policy(plan_.policy, device.claim.certificate_arn));
  device.steps |= kStepPolicy;
  return {};
}

Result<void> DirectRegistrar::add_to_group(Device& device) {
  LS_CHECK(client_.add_thing_to_group(device.claim.thing, plan_.thing_group));
  device.steps |= kStepThingGroup;
  return {};
}

Error DirectRegistrar::explain_refusal(const Device& device, Error error) {
  if (judge(error) == Verdict::Hold) return error;
  const auto passed = check_made(device.committed_at, client_.server_time());
  if (!passed.has_value()) return passed.error();
  if (plan_.without_ca) return error;
  const auto usable = check_ca_usable(client_, device.ca_id);
  return usable.has_value() ? error : usable.error();
}

}  // namespace linesign
