#include "appliance/cloud/registration/reconcile.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

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

using Account = std::unordered_set<Sha256, HashOfHash>;

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
    for (const Sha256& hash : account_) {
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
        if (const auto hash = to_hash(each.id)) account_.insert(*hash);
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

  Result<bool> is_in_account(const Sha256& hash) {
    if (plan_.by_listing) return account_.erase(hash) != 0;
    const auto there = client_.describe_certificate(to_hex(hash));
    got_on(1);
    if (there.has_value()) return true;
    if (there.error().code() == ErrorCode::AwsNotFound) return false;
    return fail(there.error());
  }

  Result<void> compare(const LedgerCertificate& certificate) {
    const Sha256 hash = sha256(certificate.certificate_der);
    const bool is_registered = ledger_.registered.contains(certificate.issuance_id);
    const bool is_handed_over = ledger_.handed_over.contains(certificate.issuance_id);
    LS_TRY(const bool is_there, is_in_account(hash));
    if (is_there && (is_registered || is_handed_over)) {
      ++counts_.same;
    } else if (is_there) {
      unbooked_[certificate.issuance_id] = hash;
    } else if (is_registered) {
      ++counts_.not_in_account;
      take_(Difference::NotInAccount,
            fmt::format("{} is registered by the ledger and not in the account (number {})",
                        to_hex(hash),
                        certificate.issuance_id));
    } else {
      ++counts_.waiting;
    }
    return {};
  }

  Result<void> report_unbooked() {
    if (unbooked_.empty()) return {};
    LS_TRY(ledger_, load_ledger(outbox_, plan_.target));
    for (const auto& [id, hash] : unbooked_) {
      if (ledger_.registered.contains(id) || ledger_.handed_over.contains(id)) {
        ++counts_.same;
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
  std::map<uint64_t, Sha256> unbooked_;
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
