#include "hsm/signer/startup.h"

#include <array>
#include <chrono>
#include <thread>
#include <utility>

#include "hsm/pkcs11/key_proof.h"
#include "hsm/pkcs11/pin_file.h"
#include "hsm/pkcs11/recovery.h"
#include "hsm/signer/login_lock.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;

// Another login takes a few milliseconds; what lasts longer than all of these is no such thing.
constexpr std::array<milliseconds, 4> kStartPauses = {
    milliseconds(20), milliseconds(40), milliseconds(80), milliseconds(160)};

constexpr std::array<std::string_view, 7> kTablesOfOthers = {
    "stations", "issuance", "ledger", "admin", "daemon", "aws", "manifest"};

void pause_for(milliseconds time) { std::this_thread::sleep_for(time); }

// A wrong PIN costs one try at a time, and SoftHSM2 rewrites a file of the token.
Result<void> log_in(const SignerSettings& settings, SigningToken& token, StartSteps& steps) {
  // Now, not at the start: somebody may have mended the file while this process waited.
  LS_TRY(SecretBytes pin, read_pin_file(settings.token.pin_file));
  LS_TRY(const LoginLock lock, LoginLock::take(settings.login_lock));
  auto done = token.login(pin, {.memory = settings.pin_memory});
  if (done) return done;
  const bool is_pause = done.error().code() == ErrorCode::SignerTimeout;
  if (is_pause || done.error().code() == ErrorCode::HsmPinRefused)
    steps.refused_pin = RefusedPin{std::move(pin), token.token().serial, is_pause};
  return done;
}

Result<SigningToken> open_token(const SignerSettings& settings, KeyType type, StartSteps& steps) {
  const TokenSettings& token = settings.token;
  const KeySelector key{token.key_label, from_hex(token.key_id_hex).value_or(Bytes())};
  LS_TRY(SigningToken open,
         SigningToken::prepare(
             token.module, {token.token_label, token.token_serial}, settings.threads_per_signer));
  LS_CHECK(check_pin_tries(open.token().flags));
  // Once: who may try the PIN may also try the login again after a passing error.
  if (const auto ask = std::exchange(steps.before_login, nullptr)) LS_CHECK(ask());
  LS_CHECK(log_in(settings, open, steps));
  if (const auto tell = std::exchange(steps.after_login, nullptr)) LS_CHECK(tell());
  LS_CHECK(open.choose_key(key, type));
  return open;
}

Result<void> time_proof(SigningKey& key, const CaCertificate& ca, std::chrono::microseconds& took) {
  const auto before = std::chrono::steady_clock::now();
  LS_CHECK(prove_key(key, ca));
  took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               before);
  return {};
}

}  // namespace

Result<SignerSettings> load_signer_settings(const std::filesystem::path& file) {
  LS_TRY(const SettingsFile settings, SettingsFile::load(file));
  LS_TRY(SignerSettings signer, read_signer_settings(settings.root()));
  LS_CHECK(settings.check_all_known(kTablesOfOthers));
  return signer;
}

Result<SigningToken> open_signing_token(const SignerSettings& settings,
                                        KeyType type,
                                        StartSteps& steps) {
  // Before the HSM is asked for anything.
  LS_CHECK(read_pin_file(settings.token.pin_file));
  auto token = open_token(settings, type, steps);
  for (const milliseconds wait : kStartPauses) {
    if (token || !is_transient_at_start(token.error().code())) return token;
    pause_for(wait);
    token = open_token(settings, type, steps);
  }
  return token;
}

Result<StartedSigner> start_signer(const SignerSettings& settings, StartSteps& steps) {
  LS_TRY(const CaCertificate ca, CaCertificate::load(settings.ca_certificate));
  LS_TRY(CertificateBuilder builder, CertificateBuilder::create(settings.profile, ca));
  LS_TRY(SigningToken token, open_signing_token(settings, ca.key_type(), steps));
  LS_CHECK(token.check_public_key(ca));
  StartedSigner signer{.builder = std::move(builder), .token = std::move(token), .workers = {}};
  signer.pin_warning = pin_tries_text(signer.token.token().flags);
  const auto memory = std::make_shared<SignerMemory>();
  for (int i = 0; i < settings.threads_per_signer; ++i) {
    LS_TRY(std::unique_ptr<SigningKey> key, signer.token.make_signing_key());
    if (i == 0) LS_CHECK(time_proof(*key, ca, signer.proof_time));
    LS_TRY(SigningWorker worker,
           SigningWorker::create(signer.builder, std::move(key), memory, pause_for));
    signer.workers.push_back(std::move(worker));
  }
  return signer;
}

}  // namespace linesign
