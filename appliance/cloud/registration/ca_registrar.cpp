#include "appliance/cloud/registration/ca_registrar.h"

#include <fmt/format.h>

#include "appliance/cloud/aws/json.h"
#include "hsm/x509/certificate_facts.h"
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

aws::CaRegistration registration_of(const CaWish& wish, const std::string& proof) {
  aws::CaRegistration ca;
  ca.ca_pem = wish.pem;
  ca.verification_pem = needs_proof(wish) ? proof : "";
  ca.mode = wish.mode;
  ca.allow_auto_registration = wish.auto_registration.value_or(false);
  ca.config = told_config(wish);
  return ca;
}

// A registration code ends when somebody asks for a new one.
Result<void> check_code(aws::IotClient& client, const std::string& proof) {
  if (proof.empty()) return fail(no_proof());
  LS_TRY(const std::string code, client.registration_code());
  const std::vector<Bytes> der = parse_certificates(proof);
  const auto facts = der.empty() ? Result<CertificateFacts>(fail(no_proof()))
                                 : read_certificate_facts(der.front());
  if (facts.has_value() && facts->subject_text == "CN=" + code) return {};
  return fail(ErrorCode::AwsSettings,
              "the verification certificate does not name the account's present registration code");
}

// Of one that AWS has just taken, or said to have.
Result<aws::CaDescription> describe_added(aws::IotClient& client, const std::string& id) {
  auto ca = client.describe_ca(id);
  if (ca.has_value() || ca.error().code() != ErrorCode::AwsNotFound) return ca;
  return fail(
      ErrorCode::AwsConflict,
      "AWS says that the CA is there, and does not show it: run the same again in a minute");
}

// White space and the order of members do not count.
bool is_same_json(const std::string& a, const std::string& b) {
  const auto first = aws::JsonObject::parse(a);
  const auto second = aws::JsonObject::parse(b);
  return first.has_value() && second.has_value() && first->equals(*second);
}

}  // namespace

CaWish wish_for(const CaCertificate& ca) {
  CaWish wish;
  wish.id = to_hex(sha256(ca.der()));
  wish.pem = ca.pem();
  wish.certificate = ca;
  return wish;
}

aws::RegistrationConfig told_config(const CaWish& wish) {
  if (wish.config.template_name.empty()) return wish.config;
  aws::RegistrationConfig config;
  config.template_name = wish.config.template_name;
  return config;
}

Result<void> compare_template(aws::IotClient& client, const CaWish& wish) {
  const aws::RegistrationConfig& config = wish.config;
  LS_TRY(const aws::ProvisioningTemplate there, client.describe_template(config.template_name));
  const auto differs = [&](std::string_view what) {
    return fail(ErrorCode::AwsConflict,
                fmt::format("the provisioning template {} {}", config.template_name, what));
  };
  if (there.type != aws::TemplateType::Jitp)
    return differs("is not of type JITP, and AWS changes no type: choose another template_name");
  if (!there.is_enabled) return differs("is not enabled: enable it");
  if (config.template_body.empty()) return {};
  if (!is_same_json(there.body, config.template_body))
    return differs(
        "is another one than in template_file: choose another template_name, or delete "
        "the old one");
  if (!config.role_arn.empty() && there.role_arn != config.role_arn)
    return differs("has the role " + there.role_arn + ", not the registration_role_arn");
  return {};
}

Result<void> check_ca_usable(aws::IotClient& client, const std::string& id) {
  const auto ca = client.describe_ca(id);
  if (!ca.has_value() && ca.error().code() == ErrorCode::AwsNotFound)
    return fail(ErrorCode::AwsNotFound,
                fmt::format("the CA {} is not registered in this account and region: linesign aws "
                            "register-ca (of a former CA with --ca {})",
                            id,
                            id));
  if (!ca.has_value()) return fail(ca.error());
  if (ca->status != CertificateStatus::Active)
    return fail(ErrorCode::AwsNotFound,
                fmt::format("the CA {} is registered but not ACTIVE: linesign aws register-ca sets "
                            "it active (a former CA with --ca {})",
                            id,
                            id));
  return {};
}

Result<std::optional<aws::CaDescription>> CaRegistrar::find(const std::string& id) {
  auto ca = client_.describe_ca(id);
  if (ca.has_value()) return std::optional(std::move(*ca));
  if (ca.error().code() == ErrorCode::AwsNotFound) return std::optional<aws::CaDescription>();
  return fail(ca.error());
}

void CaRegistrar::did(CaOutcome& outcome, std::string step) const {
  tell_(step);
  outcome.done.push_back(std::move(step));
}

Result<CaOutcome> CaRegistrar::ensure(const CaWish& wish, const std::string& proof) {
  CaOutcome outcome;
  if (wish.auto_registration == true) LS_CHECK(ensure_template(wish, outcome));
  LS_TRY(std::optional<aws::CaDescription> known, find(wish.id));
  const bool is_other_mode = known && known->mode != wish.mode && wish.may_change_mode;
  if (is_other_mode) LS_CHECK(change_mode(wish, proof, *known, outcome));
  if (!known) LS_CHECK(add(wish, proof, outcome));
  if (!known || is_other_mode) {
    LS_TRY(outcome.now, describe_added(client_, wish.id));
  } else {
    outcome.now = std::move(*known);
  }
  if (outcome.now.mode != wish.mode)
    return fail(ErrorCode::AwsConflict,
                fmt::format("the CA is registered in mode {}, wanted is {}: {}",
                            aws::to_string(outcome.now.mode),
                            aws::to_string(wish.mode),
                            is_other_mode ? "AWS still shows the deleted one; run the same again "
                                            "in a minute"
                                          : "AWS changes no mode; register-ca --change-mode "
                                            "deletes and registers it again"));
  LS_CHECK(adjust(wish, outcome));
  return outcome;
}

Result<void> CaRegistrar::change_mode(const CaWish& wish,
                                      const std::string& proof,
                                      const Known& known,
                                      CaOutcome& outcome) {
  CaWish again = wish;
  if (!wish.auto_registration) {
    again.auto_registration = known.has_auto_registration;
    again.config = known.config;
  }
  const auto may = check_change(again, proof, known);
  if (!may.has_value()) return fail(may.error().with_context("nothing was changed"));
  LS_CHECK(take_away(known, outcome));
  auto added = add(again, proof, outcome);
  if (!added.has_value()) put_back(wish, known, outcome);
  return added;
}

// Both calls are made while the CA is there and ACTIVE: AWS refuses them for that alone, if it
// would not for the rights of the caller, the proof or the template.
Result<void> CaRegistrar::check_change(const CaWish& wish,
                                       const std::string& proof,
                                       const Known& known) {
  if (needs_proof(wish)) LS_CHECK(check_code(client_, proof));
  const auto again = client_.register_ca(registration_of(wish, proof));
  if (!again.has_value()) return fail(explain(wish, again.error()));
  if (known.status != CertificateStatus::Active) return {};
  const auto deleted = client_.delete_ca(wish.id);
  const bool is_denied = !deleted.has_value() && deleted.error().code() != ErrorCode::AwsConflict;
  return is_denied ? deleted : Result<void>();
}

// Deactivates and deletes. Where that fails half-way, it is ACTIVE again.
Result<void> CaRegistrar::take_away(const Known& known, CaOutcome& outcome) {
  const bool was_active = known.status == CertificateStatus::Active;
  aws::CaUpdate update;
  update.status = CertificateStatus::Inactive;
  if (was_active) {
    LS_CHECK(client_.update_ca(known.id, update));
    did(outcome, "set INACTIVE");
  }
  auto deleted = client_.delete_ca(known.id);
  const bool is_gone = deleted.has_value() || deleted.error().code() == ErrorCode::AwsNotFound;
  if (is_gone) {
    did(outcome, "deleted");
    return {};
  }
  update.status = CertificateStatus::Active;
  if (was_active && client_.update_ca(known.id, update).has_value())
    did(outcome, "not deleted: set ACTIVE again");
  return deleted;
}

void CaRegistrar::put_back(const CaWish& wish, const Known& known, CaOutcome& outcome) {
  if (known.mode != CertificateMode::SniOnly) {
    did(outcome,
        "not put back: mode DEFAULT needs a new proof, which register-ca makes where the target "
        "says mode = \"DEFAULT\"");
    return;
  }
  CaWish old = wish;
  old.mode = known.mode;
  old.auto_registration = known.has_auto_registration;
  old.config = known.config;
  aws::CaRegistration before = registration_of(old, "");
  before.set_active = known.status == CertificateStatus::Active;
  const auto added = client_.register_ca(before);
  if (!added.has_value())
    did(outcome, "not put back: " + added.error().to_string());
  else if (added->existed)
    did(outcome, "AWS says it is there already: " + added->arn);
  else
    did(outcome, "put back: registered in mode SNI_ONLY, as before");
}

Result<void> CaRegistrar::ensure_template(const CaWish& wish, CaOutcome& outcome) {
  const aws::RegistrationConfig& config = wish.config;
  if (config.template_name.empty()) return {};
  auto there = compare_template(client_, wish);
  const bool is_absent = !there.has_value() && there.error().code() == ErrorCode::AwsNotFound;
  if (!is_absent || config.template_body.empty()) return there;
  aws::ProvisioningTemplate wanted;
  wanted.name = config.template_name;
  wanted.body = config.template_body;
  wanted.role_arn = config.role_arn;
  const auto made = client_.create_template(wanted);
  // An answer that was lost: it is there, and is compared.
  if (!made.has_value() && made.error().code() != ErrorCode::AwsExists) return fail(made.error());
  did(outcome, "made the provisioning template " + wanted.name);
  return compare_template(client_, wish);
}

Result<void> CaRegistrar::add(const CaWish& wish, const std::string& proof, CaOutcome& outcome) {
  if (needs_proof(wish) && proof.empty()) return fail(no_proof());
  const auto answer = client_.register_ca(registration_of(wish, proof));
  if (!answer.has_value()) return fail(explain(wish, answer.error()));
  const aws::Registered& registered = *answer;
  if (registered.id != wish.id)
    return fail(
        ErrorCode::AwsAnswerInvalid,
        fmt::format("AWS names the CA {}, its DER form hashes to {}", registered.id, wish.id));
  did(outcome,
      registered.existed ? fmt::format("AWS says it is there already: {}", registered.arn)
                         : "registered in mode " + aws::to_string(wish.mode));
  return {};
}

Result<void> CaRegistrar::adjust(const CaWish& wish, CaOutcome& outcome) {
  const aws::RegistrationConfig config = told_config(wish);
  const auto is_as_wanted = [&wish, &config](const aws::CaDescription& ca) {
    if (ca.status != CertificateStatus::Active) return false;
    if (!wish.auto_registration) return true;
    if (ca.has_auto_registration != *wish.auto_registration) return false;
    return !*wish.auto_registration || ca.config == config;
  };
  if (is_as_wanted(outcome.now)) return {};
  const bool has_other = wish.auto_registration == true && config.empty();
  if (has_other && !outcome.now.config.empty()) LS_CHECK(remove_config(wish, outcome));
  aws::CaUpdate update;
  update.status = CertificateStatus::Active;
  update.auto_registration = wish.auto_registration;
  update.config = config;
  LS_CHECK(client_.update_ca(wish.id, update));
  std::string step = "set ACTIVE";
  if (wish.auto_registration)
    step += *wish.auto_registration ? ", auto-registration ENABLE" : ", auto-registration DISABLE";
  did(outcome, std::move(step));
  LS_TRY(outcome.now, client_.describe_ca(wish.id));
  if (is_as_wanted(outcome.now)) return {};
  return fail(ErrorCode::AwsAnswerInvalid, "AWS describes the CA otherwise than it was set");
}

// Of an earlier wish: AWS has no other way to take a template off a CA.
Result<void> CaRegistrar::remove_config(const CaWish& wish, CaOutcome& outcome) {
  aws::CaUpdate update;
  update.remove_auto_registration = true;
  LS_CHECK(client_.update_ca(wish.id, update));
  did(outcome, "took the CA's provisioning template off");
  return {};
}

Result<CaOutcome> CaRegistrar::deactivate(const std::string& id) {
  CaOutcome outcome;
  LS_TRY(outcome.now, client_.describe_ca(id));
  if (outcome.now.status == CertificateStatus::Inactive) return outcome;
  aws::CaUpdate update;
  update.status = CertificateStatus::Inactive;
  LS_CHECK(client_.update_ca(id, update));
  did(outcome,
      "set INACTIVE: nothing new is registered through it; devices that are registered go on");
  LS_TRY(outcome.now, client_.describe_ca(id));
  return outcome;
}

Result<CaOutcome> CaRegistrar::remove(const std::string& id) {
  LS_TRY(const std::optional<aws::CaDescription> known, find(id));
  if (!known) return CaOutcome{};
  CaOutcome outcome;
  LS_CHECK(take_away(*known, outcome));
  return outcome;
}

}  // namespace linesign
