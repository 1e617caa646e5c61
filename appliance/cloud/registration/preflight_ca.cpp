#include "appliance/cloud/registration/preflight_ca.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "hsm/x509/certificate_facts.h"

namespace linesign {
namespace {

constexpr size_t kMostOfOneSubject = 10;
constexpr std::chrono::minutes kLeastBackdate{1};
constexpr std::chrono::days kSoon{365};

// As OpenSSL calls them. No SHA-1, no EdDSA.
constexpr std::array<std::string_view, 8> kSignatures = {"RSA-SHA256",
                                                         "RSA-SHA384",
                                                         "RSA-SHA512",
                                                         "RSASSA-PSS",
                                                         "ecdsa-with-SHA256",
                                                         "ecdsa-with-SHA384",
                                                         "ecdsa-with-SHA512",
                                                         "dsa_with_SHA256"};

// RSA from 2048 bits on, and three curves of NIST.
bool aws_takes_key(std::string_view key) {
  if (key == "P-256" || key == "P-384" || key == "P-521") return true;
  if (!key.starts_with("RSA-")) return false;
  return key.size() > 8 || (key.size() == 8 && key.substr(4) >= "2048");
}

void check_profile(const Profile& profile, PreflightFindings& findings) {
  const size_t before = findings.problems();
  for (const KeyType type : profile.allowed_keys)
    if (!aws_takes_key(to_string(type)))
      findings.problem(
          fmt::format("AWS IoT refuses {} keys of devices: take it out of [profile] allowed_keys.",
                      to_string(type)));
  if (profile.backdate < kLeastBackdate)
    findings.warning(
        "[profile] backdate is below 1m: AWS IoT refuses what is not valid yet by its own clock; "
        "set it to 5m.");
  if (findings.problems() == before) findings.good("AWS IoT takes every kind of key of [profile].");
}

// Another CA of the same subject: AWS must be told which one it is.
struct SameSubject {
  size_t others = 0;
  bool has_same_key = false;
  bool is_ours_there = false;
  bool is_all = true;  // false: there are more CAs than are compared
};

class SubjectCount final {
 public:
  SubjectCount(const CertificateFacts& ours, const std::string& our_id, aws::IotClient& iot)
      : ours_(ours), our_id_(our_id), iot_(iot) {}

  Result<SameSubject> run() {
    std::string next;
    do {
      LS_TRY(const aws::Page<aws::CertificateSummary> page, iot_.list_cas(next));
      for (const aws::CertificateSummary& each : page.items) LS_CHECK(look_at(each.id));
      next = same_.is_all ? page.next : std::string();
    } while (!next.empty());
    return same_;
  }

 private:
  Result<void> look_at(const std::string& id) {
    if (id == our_id_) same_.is_ours_there = true;
    if (id == our_id_ || !same_.is_all) return {};
    same_.is_all = ++compared_ <= kMaxComparedCas;
    if (!same_.is_all) return {};
    LS_TRY(const aws::CaDescription ca, iot_.describe_ca(id));
    const std::vector<Bytes> der = parse_certificates(ca.pem);
    if (der.empty()) return {};
    const auto facts = read_certificate_facts(der.front());
    if (!facts.has_value() || facts->subject != ours_.subject) return {};
    ++same_.others;
    same_.has_same_key = same_.has_same_key || facts->spki == ours_.spki;
    return {};
  }

  const CertificateFacts& ours_;
  const std::string& our_id_;
  aws::IotClient& iot_;
  size_t compared_ = 0;
  SameSubject same_;
};

void advise_same_subject(const TargetSetup& setup,
                         const SameSubject& same,
                         PreflightFindings& findings) {
  const std::string what = fmt::format("{} other CA{} of this subject {} registered",
                                       same.others,
                                       same.others == 1 ? "" : "s",
                                       same.others == 1 ? "is" : "are");
  if (!same.is_ours_there && same.others >= kMostOfOneSubject)
    findings.problem(what + ", AWS allows 10 and raises no limit: delete-ca one that is not used.");
  if (same.has_same_key)
    findings.problem(
        what +
        ", one of them with the same key: AWS cannot tell them apart and refuses devices; "
        "delete-ca the other one.");
  const bool is_sent = setup.way == WayKind::Direct
                           ? setup.direct.without_ca || setup.direct.send_ca
                           : setup.bulk.template_body.find("CACertificatePem") != std::string::npos;
  if (setup.way == WayKind::Direct && !is_sent)
    findings.problem(what + ": set send_ca_certificate = true, or devices are refused.");
  if (setup.way == WayKind::Bulk && !is_sent)
    findings.problem(what +
                     ": the template needs CACertificatePem beside CertificatePem, with "
                     "{ca_certificate_pem} in `parameters`.");
  if (setup.way == WayKind::Jit || is_sent) findings.warning(what + ".");
}

}  // namespace

void check_certificate_forms(const TargetSetup& setup, UnixTime now, PreflightFindings& findings) {
  const std::vector<Bytes> der = parse_certificates(setup.ca.pem);
  const auto ca = der.empty() ? Result<CertificateFacts>(fail(ErrorCode::InputInvalid, "no PEM"))
                              : read_certificate_facts(der.front());
  if (!ca.has_value()) {
    findings.problem("The CA certificate cannot be read: check [ca] certificate.");
    return;
  }
  const size_t before = findings.problems();
  if (!aws_takes_key(ca->key))
    findings.problem(
        fmt::format("AWS IoT refuses CAs with a key of {}: it takes RSA of 2048 bits "
                    "and more, P-256, P-384 and P-521. Only another CA helps.",
                    ca->key));
  if (std::find(kSignatures.begin(), kSignatures.end(), ca->signed_with) == kSignatures.end())
    findings.problem(
        fmt::format("AWS IoT refuses the signature of the CA certificate, {}: have it "
                    "signed again with SHA-256 or better.",
                    ca->signed_with));
  if (setup.ca.certificate && now < setup.ca.certificate->not_before())
    findings.problem("The CA certificate is not valid yet: check the clock here.");
  if (setup.ca.certificate && now > setup.ca.certificate->not_after())
    findings.problem("The CA certificate has ended: a new CA is needed.");
  else if (setup.ca.certificate && now + kSoon > setup.ca.certificate->not_after())
    findings.warning("The CA certificate ends on " + to_iso8601(setup.ca.certificate->not_after()) +
                     ": plan the next one.");
  if (findings.problems() == before)
    findings.good(
        fmt::format("AWS IoT takes the CA certificate: {}, {}.", ca->key, ca->signed_with));
  if (setup.profile) check_profile(*setup.profile, findings);
}

void check_ca_registration(const TargetSetup& setup,
                           const aws::Session& session,
                           aws::IotClient& iot,
                           PreflightFindings& findings) {
  if (setup.way == WayKind::Direct && setup.direct.without_ca) {
    findings.good("The CA need not be registered: register_without_ca.");
    return;
  }
  const std::string advice = "linesign aws register-ca --target " + setup.name;
  const size_t before = findings.problems();
  const auto ca = iot.describe_ca(setup.ca.id);
  if (!findings.found(ca, "The CA's registration", advice)) return;
  if (ca->status != aws::CertificateStatus::Active)
    findings.problem("The CA is registered and not ACTIVE: " + advice);
  if (ca->mode != setup.ca.mode)
    findings.problem(
        fmt::format("The CA is registered in mode {}, the configuration says {}: {} "
                    "--change-mode deletes it and registers it again.",
                    aws::to_string(ca->mode),
                    aws::to_string(setup.ca.mode),
                    advice));
  if (setup.way == WayKind::Jit) {
    const auto ready = check_jit_ca(session, setup.ca);
    if (!ready.has_value()) findings.problem(ready.error().to_string());
  }
  if (findings.problems() == before)
    findings.good(
        fmt::format("The CA is registered, ACTIVE, in mode {}.", aws::to_string(ca->mode)));
}

void check_former_cas(const TargetSetup& setup,
                      const aws::Session& session,
                      aws::IotClient& iot,
                      PreflightFindings& findings) {
  if (setup.way == WayKind::Direct && setup.direct.without_ca) return;
  for (const FormerCa& former : setup.former_cas) {
    const std::string what =
        fmt::format("The former CA {}, which signed {} device{} still to come,",
                    former.wish.id,
                    former.devices,
                    former.devices == 1 ? "" : "s");
    const auto usable = setup.way == WayKind::Jit ? check_jit_ca(session, former.wish)
                                                  : check_ca_usable(iot, former.wish.id);
    if (usable.has_value())
      findings.good(what + " is registered and ACTIVE: keep it until they are registered.");
    else
      findings.problem(
          fmt::format("{} cannot be used: {}: linesign aws register-ca --target {} --ca {}",
                      what,
                      usable.error().to_string(),
                      setup.name,
                      former.wish.id));
  }
}

void check_same_subject(const TargetSetup& setup,
                        aws::IotClient& iot,
                        PreflightFindings& findings) {
  if (setup.way == WayKind::Direct && setup.direct.without_ca) return;
  const std::vector<Bytes> der = parse_certificates(setup.ca.pem);
  if (der.empty()) return;
  const auto ours = read_certificate_facts(der.front());
  if (!ours.has_value()) return;
  const auto same = SubjectCount(*ours, setup.ca.id, iot).run();
  if (!same.has_value()) {
    findings.warning("Whether other CAs have the same subject cannot be looked at: " +
                     same.error().to_string());
    return;
  }
  if (!same->is_all)
    findings.warning(
        fmt::format("The account has more than {} CAs: the others were not compared with ours.",
                    kMaxComparedCas));
  if (same->others == 0) {
    findings.good("No other CA of the account has this subject.");
    return;
  }
  advise_same_subject(setup, *same, findings);
}

}  // namespace linesign
