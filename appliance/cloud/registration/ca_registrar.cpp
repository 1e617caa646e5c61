#include "appliance/cloud/registration/ca_registrar.h"

#include <fmt/format.h>

#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"

namespace linesign {

using aws::CertificateMode;
using aws::CertificateStatus;

namespace {

bool needs_proof(const CaWish& wish) { return wish.mode == CertificateMode::Default; }

Error no_proof() {
  return Error(ErrorCode::AwsSettings, "mode DEFAULT needs a verification certificate");
}

// What AWS means, where its words do not say it.
Error explain(const CaWish& wish, const Error& error) {
  if (error.code() == ErrorCode::AwsExists && needs_proof(wish))
    return error.with_context(
        "another account of this region has this CA in mode DEFAULT, and only one may: take "
        "SNI_ONLY, which any number may have");
  if (error.code() == ErrorCode::AwsQuota)
    return error.with_context("an account has at most ten CAs of one subject in a region");
  return error;
}

}  // namespace

CaWish wish_for(const CaCertificate& ca) {
  CaWish wish;
  wish.id = to_hex(sha256(ca.der()));
  wish.pem = ca.pem();
  return wish;
}

Result<std::optional<aws::CaDescription>> CaRegistrar::find(const std::string& id) {
  auto ca = client_.describe_ca(id);
  if (ca.has_value()) return std::optional(std::move(*ca));
  if (ca.error().code() == ErrorCode::AwsNotFound) return std::optional<aws::CaDescription>();
  return fail(ca.error());
}

Result<CaOutcome> CaRegistrar::ensure(const CaWish& wish, const std::string& proof) {
  CaOutcome outcome;
  LS_TRY(std::optional<aws::CaDescription> known, find(wish.id));
  if (known && known->mode != wish.mode && wish.may_change_mode) {
    if (needs_proof(wish) && proof.empty()) return fail(no_proof());
    LS_TRY(outcome, remove(wish.id));
    known.reset();
  }
  if (!known) {
    LS_CHECK(add(wish, proof));
    outcome.done.push_back("registered in mode " + aws::to_string(wish.mode));
    LS_TRY(outcome.now, client_.describe_ca(wish.id));
  } else {
    outcome.now = std::move(*known);
  }
  if (outcome.now.mode != wish.mode)
    return fail(ErrorCode::AwsConflict,
                fmt::format("the CA is registered in mode {}, wanted is {}: AWS changes no mode; "
                            "register-ca --change-mode deletes and registers it again",
                            aws::to_string(outcome.now.mode),
                            aws::to_string(wish.mode)));
  LS_CHECK(adjust(wish, outcome));
  return outcome;
}

Result<void> CaRegistrar::add(const CaWish& wish, const std::string& proof) {
  if (needs_proof(wish) && proof.empty()) return fail(no_proof());
  aws::CaRegistration ca;
  ca.ca_pem = wish.pem;
  ca.verification_pem = needs_proof(wish) ? proof : "";
  ca.mode = wish.mode;
  ca.allow_auto_registration = wish.auto_registration;
  ca.config = wish.config;
  auto answer = client_.register_ca(ca);
  if (!answer.has_value()) return fail(explain(wish, answer.error()));
  const aws::Registered& registered = *answer;
  if (registered.id != wish.id)
    return fail(
        ErrorCode::AwsAnswerInvalid,
        fmt::format("AWS names the CA {}, its DER form hashes to {}", registered.id, wish.id));
  return {};
}

Result<void> CaRegistrar::adjust(const CaWish& wish, CaOutcome& outcome) {
  const auto is_as_wanted = [&wish](const aws::CaDescription& ca) {
    return ca.status == CertificateStatus::Active &&
           ca.has_auto_registration == wish.auto_registration &&
           (wish.config.empty() || ca.config == wish.config);
  };
  if (is_as_wanted(outcome.now)) return {};
  aws::CaUpdate update;
  update.status = CertificateStatus::Active;
  update.auto_registration = wish.auto_registration;
  update.config = wish.config;
  LS_CHECK(client_.update_ca(wish.id, update));
  outcome.done.push_back(fmt::format("set ACTIVE, auto-registration {}",
                                     wish.auto_registration ? "ENABLE" : "DISABLE"));
  LS_TRY(outcome.now, client_.describe_ca(wish.id));
  if (is_as_wanted(outcome.now)) return {};
  return fail(ErrorCode::AwsAnswerInvalid, "AWS describes the CA otherwise than it was set");
}

Result<CaOutcome> CaRegistrar::deactivate(const std::string& id) {
  CaOutcome outcome;
  LS_TRY(outcome.now, client_.describe_ca(id));
  if (outcome.now.status == CertificateStatus::Inactive) return outcome;
  aws::CaUpdate update;
  update.status = CertificateStatus::Inactive;
  LS_CHECK(client_.update_ca(id, update));
  outcome.done.emplace_back(
      "set INACTIVE: nothing new is registered through it; devices that are "
      "registered go on");
  LS_TRY(outcome.now, client_.describe_ca(id));
  return outcome;
}

Result<CaOutcome> CaRegistrar::remove(const std::string& id) {
  LS_TRY(const std::optional<aws::CaDescription> known, find(id));
  if (!known) return CaOutcome{};
  LS_TRY(CaOutcome outcome, deactivate(id));
  LS_CHECK(client_.delete_ca(id));
  outcome.done.emplace_back("deleted");
  return outcome;
}

}  // namespace linesign
