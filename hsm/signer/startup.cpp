#include "hsm/signer/startup.h"

#include <array>
#include <chrono>
#include <thread>

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

Result<SigningToken> open_token(const SignerSettings& settings,
                                KeyType type,
                                const SecretBytes& pin) {
  const TokenSettings& token = settings.token;
  const KeySelector key{token.key_label, from_hex(token.key_id_hex).value_or(Bytes())};
  LS_TRY(const LoginLock lock, LoginLock::take(settings.login_lock));
  return SigningToken::open(token.module,
                            {token.token_label, token.token_serial},
                            key,
                            type,
                            pin,
                            settings.threads_per_signer);
}

}  // namespace

Result<SignerSettings> load_signer_settings(const std::filesystem::path& file) {
  LS_TRY(const SettingsFile settings, SettingsFile::load(file));
  LS_TRY(SignerSettings signer, read_signer_settings(settings.root()));
  LS_CHECK(settings.check_all_known(kTablesOfOthers));
  return signer;
}

Result<SigningToken> open_signing_token(const SignerSettings& settings, KeyType type) {
  LS_TRY(const SecretBytes pin, read_pin_file(settings.token.pin_file));
  auto token = open_token(settings, type, pin);
  for (const milliseconds wait : kStartPauses) {
    if (token || !is_transient_at_start(token.error().code())) return token;
    pause_for(wait);
    token = open_token(settings, type, pin);
  }
  return token;
}

Result<StartedSigner> start_signer(const SignerSettings& settings) {
  LS_TRY(const CaCertificate ca, CaCertificate::load(settings.ca_certificate));
  LS_TRY(CertificateBuilder builder, CertificateBuilder::create(settings.profile, ca));
  LS_TRY(SigningToken token, open_signing_token(settings, ca.key_type()));
  std::vector<SigningWorker> workers;
  for (int i = 0; i < settings.threads_per_signer; ++i) {
    LS_TRY(std::unique_ptr<SigningKey> key, token.make_signing_key());
    if (i == 0) LS_CHECK(prove_key(*key, ca));
    LS_TRY(SigningWorker worker, SigningWorker::create(builder, std::move(key), pause_for));
    workers.push_back(std::move(worker));
  }
  return StartedSigner{std::move(builder), std::move(token), std::move(workers)};
}

}  // namespace linesign
