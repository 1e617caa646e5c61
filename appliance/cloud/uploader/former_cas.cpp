#include "appliance/cloud/uploader/former_cas.h"

#include <filesystem>
#include <limits>
#include <system_error>

#include <fmt/format.h>

#include "appliance/cloud/aws/uri.h"
#include "appliance/cloud/registration/pending_devices.h"
#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

constexpr uint64_t kMostLookedAt = 10'000;

std::string id_of(const LedgerCa& ca) { return to_hex(sha256(ca.certificate_der)); }

// Everything else is as the target says.
void name_ca(CaWish& wish, const CaCertificate& ca) {
  const CaWish named = wish_for(ca);
  wish.id = named.id;
  wish.pem = named.pem;
  wish.certificate = named.certificate;
}

bool is_certificate_id(const std::string& text) {
  const auto bytes = from_hex(text);
  return bytes.has_value() && bytes->size() == Sha256{}.size();
}

bool uses_ca(const TargetConfig& target, const TargetSetup& setup) {
  return target.account == setup.account && target.region == setup.region &&
         target.way != TargetWay::File && !target.register_without_ca;
}

}  // namespace

Result<void> choose_ca(Outbox& outbox,
                       const std::string& ca,
                       bool needs_certificate,
                       CaWish& wish) {
  std::error_code ignored;
  if (std::filesystem::exists(ca, ignored)) {
    LS_TRY(const CaCertificate loaded, CaCertificate::load(ca));
    name_ca(wish, loaded);
    return {};
  }
  if (!is_certificate_id(ca))
    return fail(
        ErrorCode::Usage,
        fmt::format("--ca {}: neither a file nor a CA's certificate id, 64 hex digits", ca));
  wish.id = aws::to_lower(ca);
  if (!needs_certificate) return {};
  LS_TRY(const std::vector<LedgerCa> known, outbox.cas());
  for (const LedgerCa& each : known) {
    if (id_of(each) != wish.id) continue;
    LS_TRY(const CaCertificate found, CaCertificate::from_der(each.certificate_der));
    name_ca(wish, found);
    return {};
  }
  return fail(ErrorCode::InputInvalid,
              fmt::format("--ca {}: the ledger has no such CA; name its PEM file", ca));
}

Result<void> check_not_needed(Outbox& outbox, const AwsConfig& aws, const TargetSetup& setup) {
  for (const TargetConfig& each : aws.targets) {
    if (!uses_ca(each, setup)) continue;
    const auto pending = count_pending(outbox, each.name, std::numeric_limits<uint64_t>::max());
    if (!pending.has_value() && pending.error().code() == ErrorCode::CloudTargetUnknown) continue;
    if (!pending.has_value())
      return fail(pending.error().with_context(
          "whether devices still to come need the CA is not known (--force deletes it anyhow)"));
    const auto found = pending->by_ca.find(setup.ca.id);
    if (found == pending->by_ca.end()) continue;
    return fail(ErrorCode::AwsConflict,
                fmt::format("the CA {} signed devices that are still to be registered at {} ({} of "
                            "them): register them first, or delete it with --force",
                            setup.ca.id,
                            each.name,
                            found->second));
  }
  return {};
}

Result<std::vector<FormerCa>> find_former_cas(Outbox& outbox, const TargetSetup& setup) {
  std::vector<FormerCa> former;
  const auto pending = count_pending(outbox, setup.name, kMostLookedAt);
  if (!pending.has_value() && pending.error().code() == ErrorCode::AdminUnavailable) return former;
  if (!pending.has_value()) return fail(pending.error());
  LS_TRY(const std::vector<LedgerCa> known, outbox.cas());
  for (const LedgerCa& each : known) {
    const auto found = pending->by_ca.find(id_of(each));
    if (found == pending->by_ca.end() || found->first == setup.ca.id) continue;
    LS_TRY(const CaCertificate ca, CaCertificate::from_der(each.certificate_der));
    former.push_back({setup.ca, found->second});
    name_ca(former.back().wish, ca);
  }
  return former;
}

}  // namespace linesign
