#include "appliance/cloud/registration/reconcile.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "appliance/cloud/aws/endpoints.h"
#include "appliance/cloud/manifest/device_fields.h"
#include "hsm/x509/certificate_facts.h"
#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

constexpr uint32_t kPage = 500;
// Certificates that are asked for one by one beside a listing: at 10 a second, under two minutes.
constexpr uint64_t kMostDescribed = 1000;
constexpr std::chrono::milliseconds kFirstWait{500};
constexpr std::chrono::milliseconds kLongestWait{30'000};
constexpr int kMostWaits = 20;

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
    LS_TRY(const auto page, outbox.registrations(target, std::nullopt, after, kPage));
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

// As long as AWS throttles or does not answer.
class Patience final {
 public:
  explicit Patience(const ReconcilePlan& plan) : plan_(plan) {}

  template <typename Ask>
  std::invoke_result_t<Ask> operator()(Ask&& ask) const {
    std::chrono::milliseconds pause = kFirstWait;
    for (int waits = 0;; ++waits) {
      auto answer = ask();
      if (answer.has_value() || answer.error().kind() != ErrorKind::Retry) return answer;
      if (waits == kMostWaits || !plan_.wait(pause)) return answer;
      pause = std::min(2 * pause, kLongestWait);
    }
  }

 private:
  const ReconcilePlan& plan_;
};

// The calls for one device.
class CloseLooker final {
 public:
  CloseLooker(aws::IotClient& client, const CloserLook& look, const Patience& patience)
      : client_(client), look_(look), patience_(patience) {}

  // Absent: all is there. Else what is wrong, to stand behind the device's name.
  using Finding = std::optional<std::pair<Difference, std::string>>;
  Result<Finding> look_at(const CloudItem& item) {
    const DeviceFields fields = fields_of(item);
    LS_TRY(const std::string thing, fill_in(look_.thing_name, fields));
    LS_TRY(Finding finding, look_at_thing(thing, "cert/" + fields.certificate_id));
    if (finding) return finding;
    return look_at_policy(fields.certificate_id);
  }

 private:
  Result<Finding> look_at_thing(const std::string& thing, const std::string& own) {
    std::string next;
    std::string other;
    bool has_own = false;
    do {
      const auto page = patience_([&] { return client_.list_thing_principals(thing, next); });
      if (!page.has_value() && page.error().code() == ErrorCode::AwsNotFound)
        return Finding({Difference::NoThing, fmt::format("has no thing {} in the account", thing)});
      if (!page.has_value()) return fail(page.error());
      for (const std::string& each : page->items) {
        has_own = has_own || each.ends_with(own);
        if (!each.ends_with(own)) other = each.substr(each.rfind('/') + 1);
      }
      next = page->next;
    } while (!next.empty());
    if (!has_own)
      return Finding({Difference::NoThing, fmt::format("is not attached to its thing {}", thing)});
    if (other.empty()) return Finding();
    return Finding({Difference::OtherCertificate,
                    fmt::format("shares its thing {} with the certificate {}", thing, other)});
  }

  Result<Finding> look_at_policy(const std::string& certificate_id) {
    if (look_.policy.empty()) return Finding();
    const std::string arn = fmt::format("arn:{}:iot:{}:{}:cert/{}",
                                        aws::partition_of(look_.region),
                                        look_.region,
                                        look_.account,
                                        certificate_id);
    std::string next;
    do {
      LS_TRY(const auto page, patience_([&] { return client_.list_attached_policies(arn, next); }));
      for (const aws::PolicySummary& each : page.items)
        if (each.name == look_.policy) return Finding();
      next = page.next;
    } while (!next.empty());
    return Finding(
        {Difference::NoPolicy, fmt::format("does not have the policy {}", look_.policy)});
  }

  aws::IotClient& client_;
  const CloserLook& look_;
  const Patience& patience_;
};

std::string name_of(const CloudItem& item, const Sha256& hash) {
  return fmt::format(
      "{} (number {}, certificate {})", item.device_id, item.issuance_id, to_hex(hash));
}

// What is issued or registered meanwhile is no difference: what the ledger calls registered is read
// first, then the account, then the certificates.
class Comparison final {
 public:
  Comparison(Outbox& outbox,
             aws::IotClient& client,
             const ReconcilePlan& plan,
             const TakeDifference& take)
      : outbox_(outbox), client_(client), plan_(plan), take_(take), patience_(plan) {}

  Result<ReconcileCounts> run() {
    LS_TRY(ledger_, load_ledger(outbox_, plan_.target));
    if (plan_.by_listing) LS_CHECK(list_account());
    for (const std::string& order : plan_.orders) LS_CHECK(compare_order(order));
    LS_CHECK(report_unbooked());
    for (const auto& [hash, status] : account_) {
      ++counts_.not_in_ledger;
      take_(Difference::NotInLedger,
            fmt::format("certificate {}{} is in the account and not in the ledger",
                        to_hex(hash),
                        subject_of(hash)));
    }
    return counts_;
  }

 private:
  // Those of every CA that the ledger has signed with, also where the CA itself is no longer there.
  Result<void> list_account() {
    LS_TRY(const std::vector<LedgerCa> cas, outbox_.cas());
    for (const LedgerCa& ca : cas) LS_CHECK(list_ca(to_hex(sha256(ca.certificate_der))));
    return {};
  }

  Result<void> list_ca(const std::string& ca_id) {
    std::string next;
    do {
      const auto page = patience_([&] { return client_.list_certificates_by_ca(ca_id, next); });
      if (!page.has_value() && page.error().code() == ErrorCode::AwsNotFound) return {};
      if (!page.has_value()) return fail(page.error());
      for (const aws::CertificateSummary& each : page->items)
        if (const auto hash = to_hash(each.id)) account_.emplace(*hash, each.status);
      next = page->next;
      got_on(page->items.size());
    } while (!next.empty());
    return {};
  }

  void got_on(uint64_t count) { plan_.on_progress(done_ += count); }

  Result<void> compare_order(const std::string& order) {
    uint64_t after = 0;
    for (bool is_end = false; !is_end;) {
      LS_TRY(const CertificatePage page, outbox_.certificates(order, after, kPage));
      for (const LedgerCertificate& each : page.certificates)
        LS_CHECK(compare(item_of(each, order)));
      if (plan_.by_listing) got_on(page.certificates.size());
      after = page.next_after;
      is_end = page.is_end;
    }
    return {};
  }

  // Absent: it is not in the account.
  Result<std::optional<CertificateStatus>> find_in_account(const Sha256& hash, bool must_be_there) {
    std::optional<CertificateStatus> status;
    if (plan_.by_listing) {
      if (const auto node = account_.extract(hash)) status = node.mapped();
      if (status || !must_be_there || described_ == kMostDescribed) return status;
    }
    const auto there = describe(hash);
    if (!plan_.by_listing) got_on(1);
    if (!there.has_value() && there.error().code() != ErrorCode::AwsNotFound)
      return fail(there.error());
    if (there.has_value()) status = there->summary.status;
    return status;
  }

  Result<aws::CertificateDescription> describe(const Sha256& hash) {
    ++described_;
    return patience_([&] { return client_.describe_certificate(to_hex(hash)); });
  }

  // For a person, who looks for the device; empty: not known.
  std::string subject_of(const Sha256& hash) {
    if (described_ >= kMostDescribed) return {};
    const auto there = describe(hash);
    if (!there.has_value()) return {};
    const std::vector<Bytes> der = parse_certificates(there->pem);
    if (der.empty()) return {};
    const auto facts = read_certificate_facts(der.front());
    return facts.has_value() ? " (" + facts->subject_text + ")" : std::string();
  }

  bool is_chosen(const CloudItem& item) const {
    return plan_.devices.empty() || plan_.devices.contains(item.device_id);
  }

  // Ledger and account both have it.
  Result<void> count_both(const CloudItem& item, const Sha256& hash, CertificateStatus status) {
    if (!is_of_use(status, plan_.may_be_inactive)) {
      ++counts_.not_active;
      take_(Difference::NotActive,
            fmt::format("{} is {} in the account", name_of(item, hash), aws::to_string(status)));
      return {};
    }
    if (!plan_.closer_look || !is_chosen(item)) {
      ++counts_.same;
      return {};
    }
    ++counts_.looked_closer;
    LS_TRY(const CloseLooker::Finding finding,
           CloseLooker(client_, *plan_.closer_look, patience_).look_at(item));
    got_on(1);
    if (!finding) {
      ++counts_.same;
    } else if (finding->first == Difference::OtherCertificate) {
      report(finding->first, name_of(item, hash) + " " + finding->second);
    } else {
      report_or_repair(finding->first, item, name_of(item, hash) + " " + finding->second);
    }
    return {};
  }

  void report(Difference difference, const std::string& line) {
    switch (difference) {
      case Difference::NotInAccount:
        ++counts_.not_in_account;
        break;
      case Difference::NoThing:
        ++counts_.without_thing;
        break;
      case Difference::NoPolicy:
        ++counts_.without_policy;
        break;
      default:
        ++counts_.with_other_certificate;
        break;
    }
    take_(difference, line);
  }

  void report_or_repair(Difference difference, const CloudItem& item, const std::string& line) {
    if (!plan_.repair || !is_chosen(item)) return report(difference, line);
    const auto repaired = patience_([&] { return plan_.repair(item); });
    if (!repaired.has_value())
      return report(difference, line + "; not registered again: " + repaired.error().to_string());
    ++counts_.repaired;
    take_(difference, line + "; registered again");
  }

  Result<void> compare(const CloudItem& item) {
    const Sha256 hash = sha256(item.certificate_der);
    const bool is_registered = ledger_.registered.contains(item.issuance_id);
    const bool is_handed_over = ledger_.handed_over.contains(item.issuance_id);
    LS_TRY(const std::optional<CertificateStatus> there, find_in_account(hash, is_registered));
    if (there && (is_registered || is_handed_over)) return count_both(item, hash, *there);
    if (there) {
      unbooked_.emplace(item.issuance_id, Unbooked{item, hash, *there});
    } else if (is_registered) {
      report_or_repair(Difference::NotInAccount,
                       item,
                       name_of(item, hash) + " is registered by the ledger and not in the account");
    } else {
      ++counts_.still_to_come;
    }
    return {};
  }

  struct Unbooked {
    CloudItem item;
    Sha256 hash{};
    CertificateStatus status = CertificateStatus::Other;
  };

  Result<void> report_unbooked() {
    if (unbooked_.empty()) return {};
    LS_TRY(ledger_, load_ledger(outbox_, plan_.target));
    for (const auto& [id, found] : unbooked_) LS_CHECK(report(id, found));
    return {};
  }

  // It may have been booked meanwhile.
  Result<void> report(uint64_t id, const Unbooked& found) {
    if (ledger_.registered.contains(id) || ledger_.handed_over.contains(id))
      return count_both(found.item, found.hash, found.status);
    ++counts_.not_booked;
    take_(Difference::NotBooked,
          name_of(found.item, found.hash) +
              " is in the account, and the ledger does not say registered");
    return {};
  }

  Outbox& outbox_;
  aws::IotClient& client_;
  const ReconcilePlan& plan_;
  const TakeDifference& take_;
  const Patience patience_;
  LedgerSide ledger_;
  Account account_;
  std::map<uint64_t, Unbooked> unbooked_;
  ReconcileCounts counts_;
  uint64_t done_ = 0;
  uint64_t described_ = 0;
};

}  // namespace

Result<ReconcileCounts> reconcile(Outbox& outbox,
                                  aws::IotClient& client,
                                  const ReconcilePlan& plan,
                                  const TakeDifference& take) {
  return Comparison(outbox, client, plan, take).run();
}

}  // namespace linesign
