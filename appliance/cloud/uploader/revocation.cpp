#include "appliance/cloud/uploader/revocation.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

using aws::CertificateStatus;

bool is_wanted(const LedgerCertificate& certificate, const RevocationWish& wish) {
  return wish.serial ? certificate.serial == *wish.serial : certificate.device_id == wish.device_id;
}

Result<void> add_order(Outbox& outbox,
                       const std::string& order,
                       const RevocationWish& wish,
                       std::vector<RevocationStep>& found) {
  uint64_t after = 0;
  for (bool is_end = false; !is_end;) {
    LS_TRY(const CertificatePage page, outbox.certificates(order, after, kMaxCertificatePage));
    for (const LedgerCertificate& each : page.certificates) {
      if (!is_wanted(each, wish)) continue;
      RevocationStep step;
      step.number = each.issuance_id;
      step.device_id = each.device_id;
      step.order = order;
      step.serial = to_hex(each.serial);
      step.certificate_id = to_hex(sha256(each.certificate_der));
      found.push_back(std::move(step));
    }
    after = page.next_after;
    is_end = page.is_end;
  }
  return {};
}

// The order goes to the target now.
bool is_fed(const std::vector<CloudTargetStatus>& status,
            const std::string& target,
            const std::string& order) {
  return std::any_of(status.begin(), status.end(), [&](const CloudTargetStatus& each) {
    return each.target.name == target &&
           std::any_of(each.feeds.begin(), each.feeds.end(), [&](const CloudFeedStatus& feed) {
             return feed.order_id == order && feed.is_active;
           });
  });
}

// Absent: there is no row of it.
Result<std::optional<bool>> is_registered(Outbox& outbox,
                                          const std::string& target,
                                          uint64_t number) {
  const auto answer = outbox.registrations(target, std::nullopt, number - 1, 1);
  const bool is_unknown =
      !answer.has_value() && answer.error().code() == ErrorCode::CloudTargetUnknown;
  if (is_unknown) return std::optional<bool>();
  LS_TRY(const auto rows, answer);
  if (rows.empty() || rows.front().issuance_id != number) return std::optional<bool>();
  const CloudRegistration& row = rows.front();
  const bool may_be_there =
      row.state == RegistrationState::Registered || row.state == RegistrationState::HandedOver ||
      row.state == RegistrationState::InTask || (row.steps & kStepCertificate) != 0;
  return std::optional(may_be_there);
}

}  // namespace

Result<std::vector<RevocationStep>> plan_revocation(Outbox& outbox,
                                                    const RevocationWish& wish,
                                                    const std::vector<std::string>& targets) {
  LS_TRY(const std::vector<CloudTargetStatus> status, outbox.status());
  std::set<std::string> orders;
  for (const CloudTargetStatus& each : status)
    for (const CloudFeedStatus& feed : each.feeds) orders.insert(feed.order_id);
  std::vector<RevocationStep> found;
  for (const std::string& order : orders) LS_CHECK(add_order(outbox, order, wish, found));
  if (found.empty())
    return fail(ErrorCode::DeviceUnknown,
                fmt::format("no order that goes to a target has a certificate {} {}",
                            wish.serial ? "with serial" : "for",
                            wish.serial ? to_hex(*wish.serial) : wish.device_id));
  std::vector<RevocationStep> steps;
  for (const std::string& target : targets) {
    for (RevocationStep step : found) {
      LS_TRY(const std::optional<bool> is_there, is_registered(outbox, target, step.number));
      if (!is_there && !is_fed(status, target, step.order)) continue;
      step.target = target;
      step.is_there = is_there.value_or(false);
      steps.push_back(std::move(step));
    }
  }
  return steps;
}

std::string to_line(const RevocationStep& step, CertificateStatus status) {
  return fmt::format("{}: {} (order {}, number {}, serial {}), certificate {}: {}",
                     step.target,
                     step.device_id,
                     step.order,
                     step.number,
                     step.serial,
                     step.certificate_id,
                     step.is_there ? "becomes " + aws::to_string(status)
                                   : "not registered here yet, so there is nothing to revoke");
}

Result<std::string> revoke(aws::IotClient& iot,
                           const RevocationStep& step,
                           CertificateStatus status) {
  LS_TRY(const aws::CertificateDescription known, iot.describe_certificate(step.certificate_id));
  const CertificateStatus before = known.summary.status;
  const bool is_enough = before == status || before == CertificateStatus::Revoked;
  if (!is_enough) LS_CHECK(iot.update_certificate(step.certificate_id, status));
  return fmt::format("{}: {} {} {}",
                     step.target,
                     step.certificate_id,
                     is_enough ? "is already" : "was " + aws::to_string(before) + ", is now",
                     aws::to_string(is_enough ? before : status));
}

}  // namespace linesign
