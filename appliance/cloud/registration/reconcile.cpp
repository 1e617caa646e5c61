#include "appliance/cloud/registration/reconcile.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

constexpr uint32_t kPage = 500;

struct HashOfHash {
  size_t operator()(const Sha256& hash) const {
    size_t value = 0;
    for (size_t i = 0; i < sizeof value; ++i) value = value << 8 | hash.at(i);
    return value;
  }
};

using aws::CertificateStatus;
using Account = std::unordered_map<Sha256, CertificateStatus, HashOfHash>;

bool is_of_use(CertificateStatus status, bool may_be_inactive) {
  switch (status) {
    case CertificateStatus::Revoked:
    case CertificateStatus::PendingTransfer:
      return false;
    case CertificateStatus::Inactive:
    case CertificateStatus::PendingActivation:
    case CertificateStatus::RegisterInactive:
      return may_be_inactive;
    case CertificateStatus::Active:
    case CertificateStatus::Other:
      break;
  }
  return true;
}

std::optional<Sha256> to_hash(const std::string& hex) {
  const auto bytes = from_hex(hex);
  Sha256 hash{};
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

// By number in the ledger.
struct LedgerSide {
  std::set<uint64_t> registered;
  std::set<uint64_t> handed_over;  // whether they are in the account is not the ledger's to say
};

Result<LedgerSide> load_ledger(Outbox& outbox, const std::string& target) {
  LedgerSide ledger;
  uint64_t after = 0;
  for (;;) {
    LS_TRY(const auto page, outbox.registrations(target, after, kPage));
    if (page.empty()) return ledger;
    after = page.back().issuance_id;
    for (const CloudRegistration& each : page) {
      if (each.state == RegistrationState::Registered)
        ledger.registered.insert(ledger.registered.end(), each.issuance_id);
      if (each.state == RegistrationState::HandedOver)
        ledger.handed_over.insert(ledger.handed_over.end(), each.issuance_id);
    }
  }
}

// What is issued or registered meanwhile is no difference: what the ledger calls registered is read
// first, then the account, then the certificates.
class Comparison final {
 public:
  Comparison(Outbox& outbox,
             aws::IotClient& client,
             const ReconcilePlan& plan,
             const TakeDifference& take)
      : outbox_(outbox), client_(client), plan_(plan), take_(take) {}

  Result<ReconcileCounts> run() {
    LS_TRY(ledger_, load_ledger(outbox_, plan_.target));
    if (plan_.by_listing) LS_CHECK(list_account());
    for (const std::string& order : plan_.orders) LS_CHECK(compare_order(order));
    LS_CHECK(report_unbooked());
    for (const auto& [hash, status] : account_) {
      ++counts_.not_in_ledger;
      take_(Difference::NotInLedger,
            fmt::format("{} is in the account and not in the ledger", to_hex(hash)));
    }
    return counts_;
  }

 private:
  Result<void> list_account() {
    std::string next;
    do {
      LS_TRY(const auto page, client_.list_certificates_by_ca(plan_.ca_id, next));
      for (const aws::CertificateSummary& each : page.items)
        if (const auto hash = to_hash(each.id)) account_.emplace(*hash, each.status);
      next = page.next;
      got_on(page.items.size());
    } while (!next.empty());
    return {};
  }

  void got_on(uint64_t count) { plan_.on_progress(done_ += count); }

  Result<void> compare_order(const std::string& order) {
    uint64_t after = 0;
    for (bool is_end = false; !is_end;) {
      LS_TRY(const CertificatePage page, outbox_.certificates(order, after, kPage));
      for (const LedgerCertificate& each : page.certificates) LS_CHECK(compare(each));
      if (plan_.by_listing) got_on(page.certificates.size());
      after = page.next_after;
      is_end = page.is_end;
    }
    return {};
  }

  // Absent: it is not in the account.
  Result<std::optional<CertificateStatus>> find_in_account(const Sha256& hash) {
    std::optional<CertificateStatus> status;
    if (plan_.by_listing) {
      if (const auto node = account_.extract(hash)) status = node.mapped();
      return status;
    }
    const auto there = client_.describe_certificate(to_hex(hash));
    got_on(1);
    if (!there.has_value() && there.error().code() != ErrorCode::AwsNotFound)
      return fail(there.error());
    if (there.has_value()) status = there->summary.status;
    return status;
  }

  // Ledger and account both have it.
  void count_both(uint64_t id, const Sha256& hash, CertificateStatus status) {
    if (is_of_use(status, plan_.may_be_inactive)) {
      ++counts_.same;
      return;
    }
    ++counts_.not_active;
    take_(Difference::NotActive,
          fmt::format(
              "{} is {} in the account (number {})", to_hex(hash), aws::to_string(status), id));
  }

  Result<void> compare(const LedgerCertificate& certificate) {
    const Sha256 hash = sha256(certificate.certificate_der);
    const bool is_registered = ledger_.registered.contains(certificate.issuance_id);
    const bool is_handed_over = ledger_.handed_over.contains(certificate.issuance_id);
    LS_TRY(const std::optional<CertificateStatus> there, find_in_account(hash));
    if (there && (is_registered || is_handed_over)) {
      count_both(certificate.issuance_id, hash, *there);
    } else if (there) {
      unbooked_[certificate.issuance_id] = {hash, *there};
    } else if (is_registered) {
      ++counts_.not_in_account;
      take_(Difference::NotInAccount,
            fmt::format("{} is registered by the ledger and not in the account (number {})",
                        to_hex(hash),
                        certificate.issuance_id));
    } else {
      ++counts_.still_to_come;
    }
    return {};
  }

  Result<void> report_unbooked() {
    if (unbooked_.empty()) return {};
    LS_TRY(ledger_, load_ledger(outbox_, plan_.target));
    for (const auto& [id, found] : unbooked_) {
      const auto& [hash, status] = found;
      if (ledger_.registered.contains(id) || ledger_.handed_over.contains(id)) {
        count_both(id, hash, status);
        continue;
      }
      ++counts_.not_booked;
      take_(Difference::NotBooked,
            fmt::format("{} is in the account, and the ledger does not say registered (number {})",
                        to_hex(hash),
                        id));
    }
    return {};
  }

  Outbox& outbox_;
  aws::IotClient& client_;
  const ReconcilePlan& plan_;
  const TakeDifference& take_;
  LedgerSide ledger_;
  Account account_;
  std::map<uint64_t, std::pair<Sha256, CertificateStatus>> unbooked_;
  ReconcileCounts counts_;
  uint64_t done_ = 0;
};

}  // namespace

Result<ReconcileCounts> reconcile(Outbox& outbox,
                                  aws::IotClient& client,
                                  const ReconcilePlan& plan,
                                  const TakeDifference& take) {
  return Comparison(outbox, client, plan, take).run();
}

}  // namespace linesign
