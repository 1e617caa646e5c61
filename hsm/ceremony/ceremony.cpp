#include "hsm/ceremony/ceremony.h"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include "hsm/ceremony/ca_chain.h"
#include "hsm/ceremony/ca_documents.h"
#include "hsm/ceremony/certificate_input.h"
#include "hsm/ceremony/config_lines.h"
#include "hsm/ceremony/transcript.h"
#include "hsm/pkcs11/key_generation.h"
#include "hsm/pkcs11/key_proof.h"
#include "hsm/pkcs11/pin_file.h"
#include "hsm/pkcs11/signing_token.h"
#include "hsm/x509/certificate_builder.h"
#include "protocol/base/expiry.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr int kSessions = 2;          // ours and one of libp11
constexpr mode_t kPublicFile = 0644;  // nothing that a ceremony writes is secret

// One ceremony on its way: what is open, and what is known so far.
struct Ceremony {
  const CeremonyPlan* plan;  // borrowed
  UnixTime started_at;
  OpenToken token;
  LibraryInfo library;
  CaKey key;
  EvpKey public_key;
  Bytes spki;
  CeremonyReport report;
  bool certificate_in_token = false;
  std::string csr_sha256_hex;
};

UnixTime now() { return SystemClock().now(); }

Result<OpenToken> open_token(const CeremonyPlan& plan, Access access) {
  LS_TRY(const SecretBytes pin, read_pin_file(plan.token.pin_file));
  return OpenToken::open(
      plan.token.module, {plan.token.token_label, plan.token.token_serial}, pin, access, kSessions);
}

void describe_key(Ceremony& ceremony) {
  CeremonyReport& report = ceremony.report;
  report.token_label = ceremony.token.slot().token().label;
  report.token_serial = ceremony.token.slot().token().serial;
  report.key_label = ceremony.key.label;
  report.key_id_hex = to_hex(ceremony.key.id);
  report.key_type = ceremony.plan->key_type;  // take_key() saw that they are the same
  report.public_key_sha256_hex = to_hex(sha256(ceremony.spki));
  const CeremonyPlan& plan = *ceremony.plan;
  report.config_lines = config_lines({plan.token.module,
                                      report.token_label,
                                      report.token_serial,
                                      report.key_label,
                                      plan.token.pin_file,
                                      plan.certificate});
}

// The key, its attributes insisted on, and its public half.
Result<void> take_key(Ceremony& ceremony, CaKey key) {
  ceremony.key = std::move(key);
  LS_CHECK(check_key_attributes(ceremony.key));
  if (ceremony.key.type != ceremony.plan->key_type)
    return fail(ErrorCode::HsmKeyMismatch,
                fmt::format("the key '{}' is of type {}, the ceremony file says {}",
                            ceremony.key.label,
                            key_type_text(ceremony.key),
                            to_string(ceremony.plan->key_type)));
  LS_TRY(ceremony.public_key, read_public_key(ceremony.token.session(), ceremony.key));
  LS_TRY(ceremony.spki, encode_public_key(ceremony.public_key.get()));
  describe_key(ceremony);
  return {};
}

Result<Ceremony> begin(const CeremonyPlan& plan, Access access) {
  const UnixTime started_at = now();
  LS_TRY(OpenToken token, open_token(plan, access));
  LS_TRY(LibraryInfo library, token.module().info());
  return Ceremony{&plan, started_at, std::move(token), std::move(library), {}, {}, {}, {}, {}, {}};
}

// For the ceremonies after init: the key is there already.
Result<Ceremony> begin_with_key(const CeremonyPlan& plan, Access access) {
  LS_TRY(Ceremony ceremony, begin(plan, access));
  LS_TRY(CaKey key, find_ca_key(ceremony.token.session(), {plan.token.key_label, {}}));
  LS_CHECK(take_key(ceremony, std::move(key)));
  return ceremony;
}

Result<void> check_free(const std::vector<std::filesystem::path>& files,
                        const CeremonyOptions& options) {
  for (const auto& file : files) {
    std::error_code error;
    if (!options.force && std::filesystem::exists(file, error))
      return fail(ErrorCode::FileExists, file.string());
  }
  return {};
}

Result<void> write_output(Ceremony& ceremony,
                          const std::filesystem::path& file,
                          std::string_view text,
                          const CeremonyOptions& options) {
  const Overwrite overwrite = options.force ? Overwrite::Replace : Overwrite::Refuse;
  LS_CHECK(write_file_atomic(file, as_bytes(text), kPublicFile, overwrite, Durability::Synced));
  ceremony.report.written.push_back(file);
  return {};
}

void describe_certificate(CeremonyReport& report, const CaCertificate& certificate) {
  report.certificate_sha256_hex = to_hex(sha256(certificate.der()));
  report.subject = certificate.subject_text();
  report.not_before = to_iso8601(certificate.not_before());
  report.not_after = to_iso8601(certificate.not_after());
  if (expiry_warning(certificate.not_after(), now()).has_value())
    report.notes.push_back("The CA certificate " + expiry_text(certificate.not_after(), now()) +
                           ".");
}

std::string plan_subject(const CeremonyPlan& plan) {
  std::string text;
  for (const auto& [field, value] : plan.subject)
    text = fmt::format("{}={}{}{}", field, value, text.empty() ? "" : ",", text);
  return text;
}

// A copy in the token is a convenience for other software: its absence is told, not fatal.
void store_in_token(Ceremony& ceremony, ByteView der) {
  const auto stored = store_ca_certificate(ceremony.token.session(), ceremony.key, der);
  ceremony.certificate_in_token = stored.has_value();
  if (!stored)
    ceremony.report.notes.push_back("The certificate is not stored in the token: " +
                                    stored.error().to_string());
}

Result<void> make_documents(Ceremony& ceremony,
                            const CeremonyOptions& options,
                            bool with_certificate) {
  const CeremonyPlan& plan = *ceremony.plan;
  LS_TRY(const TokenKey token_key, TokenKey::open(ceremony.token.libp11(), ceremony.key));
  const CaKeyPair keys{token_key.key(), ceremony.public_key.get()};
  ceremony.report.subject = plan_subject(plan);
  if (!with_certificate) {
    LS_TRY(const Bytes csr, make_csr_for_ca(plan, keys));
    ceremony.csr_sha256_hex = to_hex(sha256(csr));
    return write_output(ceremony, plan.csr, csr_pem(csr), options);
  }
  LS_TRY(const Bytes der, make_root_certificate(plan, keys, ceremony.started_at));
  // Read back by the code that the signers use: what they would refuse is refused here.
  LS_TRY(const CaCertificate certificate, CaCertificate::from_der(der));
  LS_CHECK(check_certificate_key(certificate, ceremony.spki));
  LS_CHECK(write_output(ceremony, plan.certificate, certificate.pem(), options));
  describe_certificate(ceremony.report, certificate);
  store_in_token(ceremony, der);
  return {};
}

Result<void> finish(Ceremony& ceremony,
                    std::string_view action,
                    const std::filesystem::path& file,
                    const CeremonyOptions& options) {
  TranscriptFacts facts;
  facts.action = action;
  facts.started_at = ceremony.started_at;
  facts.finished_at = now();
  facts.library = ceremony.library;
  facts.token = ceremony.token.slot().token();
  facts.key = &ceremony.key;
  facts.certificate_in_token = ceremony.certificate_in_token;
  facts.csr_sha256_hex = ceremony.csr_sha256_hex;
  LS_TRY(ceremony.report.transcript, write_transcript(*ceremony.plan, ceremony.report, facts));
  return write_output(ceremony, file, ceremony.report.transcript, options);
}

// Ceremonies after init keep the transcript of init: "ca-transcript-import-20260131T235959Z.txt".
std::filesystem::path later_transcript(const CeremonyPlan& plan,
                                       std::string_view action,
                                       UnixTime time) {
  std::string stamp = to_iso8601(time);
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  std::filesystem::path name = plan.transcript.stem();
  name += fmt::format("-{}-{}", action, stamp);
  name += plan.transcript.extension();
  return plan.transcript.parent_path() / name;
}

// A key that nobody has seen the end of is not left behind, nor are the files about it.
void undo(Ceremony& ceremony, const CeremonyOptions& options) {
  static_cast<void>(destroy_ca_key(ceremony.token.session(), ceremony.key).has_value());
  if (options.force) return;
  std::error_code error;
  for (const auto& file : ceremony.report.written) std::filesystem::remove(file, error);
}

Result<void> make_ca(Ceremony& ceremony, const CeremonyOptions& options) {
  const CeremonyPlan& plan = *ceremony.plan;
  LS_TRY(CaKey key, generate_ca_key(ceremony.token.session(), plan.key_type, plan.token.key_label));
  auto made = take_key(ceremony, std::move(key));
  if (made) made = make_documents(ceremony, options, plan.kind == CaKind::Root);
  if (made) made = finish(ceremony, "init", plan.transcript, options);
  if (!made) undo(ceremony, options);
  return made;
}

}  // namespace

Result<CeremonyReport> init_ca(const CeremonyPlan& plan, const CeremonyOptions& options) {
  const auto& document = plan.kind == CaKind::Root ? plan.certificate : plan.csr;
  LS_CHECK(check_free({document, plan.transcript}, options));
  LS_TRY(Ceremony ceremony, begin(plan, Access::ReadWrite));
  LS_CHECK(check_mechanisms(ceremony.token.slot(), plan.key_type, KeyUse::GenerateAndSign));
  LS_CHECK(make_ca(ceremony, options));
  if (plan.kind == CaKind::Intermediate)
    ceremony.report.notes.push_back(
        fmt::format("Have {} signed by the parent CA, then import the certificate.",
                    plan.csr.filename().string()));
  return std::move(ceremony.report);
}

Result<CeremonyReport> make_ca_csr(const CeremonyPlan& plan, const CeremonyOptions& options) {
  LS_CHECK(check_free({plan.csr}, options));
  LS_TRY(Ceremony ceremony, begin_with_key(plan, Access::ReadOnly));
  LS_CHECK(make_documents(ceremony, options, false));
  LS_CHECK(finish(ceremony, "csr", later_transcript(plan, "csr", ceremony.started_at), options));
  return std::move(ceremony.report);
}

Result<CeremonyReport> import_ca(const CeremonyPlan& plan,
                                 const CaImport& input,
                                 const CeremonyOptions& options) {
  LS_CHECK(check_free({plan.certificate}, options));
  LS_TRY(const auto given, read_certificate_input(input.certificate));
  LS_TRY(Ceremony ceremony, begin_with_key(plan, Access::ReadWrite));
  const auto chosen = choose_certificate(given, ceremony.spki);
  if (!chosen) return fail(chosen.error().with_context(input.certificate.string()));
  const CaCertificate& certificate = *chosen;
  LS_TRY(const std::vector<Bytes> chain, build_chain(certificate, given, input.root, now()));
  LS_TRY(const TokenKey token_key, TokenKey::open(ceremony.token.libp11(), ceremony.key));
  LS_TRY(const auto key, token_key.make_signing_key());
  LS_CHECK(prove_key(*key, certificate));
  std::string pem;
  for (const Bytes& der : chain) pem += certificate_pem(der);
  LS_CHECK(write_output(ceremony, plan.certificate, pem, options));
  describe_certificate(ceremony.report, certificate);
  store_in_token(ceremony, certificate.der());
  LS_CHECK(
      finish(ceremony, "import", later_transcript(plan, "import", ceremony.started_at), options));
  return std::move(ceremony.report);
}

Result<CeremonyReport> show_ca(const CeremonyPlan& plan) {
  LS_TRY(Ceremony ceremony, begin_with_key(plan, Access::ReadOnly));
  std::error_code error;
  if (!std::filesystem::exists(plan.certificate, error)) {
    ceremony.report.subject = plan_subject(plan);
    ceremony.report.notes.push_back(
        fmt::format("There is no certificate yet ({}).", plan.certificate.string()));
    return std::move(ceremony.report);
  }
  LS_TRY(const CaCertificate certificate, CaCertificate::load(plan.certificate));
  LS_CHECK(check_certificate_key(certificate, ceremony.spki));
  LS_TRY(const TokenKey token_key, TokenKey::open(ceremony.token.libp11(), ceremony.key));
  LS_TRY(const auto key, token_key.make_signing_key());
  LS_CHECK(prove_key(*key, certificate));
  describe_certificate(ceremony.report, certificate);
  return std::move(ceremony.report);
}

}  // namespace linesign
