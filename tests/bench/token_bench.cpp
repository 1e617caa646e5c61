// What a signature in SoftHSM2 costs, and a whole certificate with it: every step of the ceiling.
#include <benchmark/benchmark.h>

#include "hsm/pkcs11/pin_file.h"
#include "hsm/pkcs11/signing_token.h"
#include "hsm/sizing/signing_loop.h"
#include "hsm/sizing/throwaway_token.h"
#include "hsm/x509/digest.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

KeyType ca_key_type(const benchmark::State& state) { return static_cast<KeyType>(state.range(0)); }

// A token of its own, logged in.
class Token final {
 public:
  static Result<std::unique_ptr<Token>> make(KeyType type) {
    auto token = std::make_unique<Token>();
    LS_TRY(token->made_,
           make_throwaway_token({.folder = token->folder_.path() / "token", .ca_key = type}));
    LS_TRY(const SecretBytes pin, read_pin_file(token->made_.token.pin_file));
    LS_TRY(SigningToken open,
           SigningToken::open(token->made_.token.module,
                              {token->made_.token.token_label, token->made_.token.token_serial},
                              {token->made_.token.key_label, {}},
                              type,
                              pin,
                              1));
    token->open_ = std::make_unique<SigningToken>(std::move(open));
    return token;
  }
  Token() = default;
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;
  ~Token() {
    open_.reset();
    static_cast<void>(remove_throwaway_token(made_).has_value());
  }

  Result<std::unique_ptr<SigningKey>> key() const { return open_->make_signing_key(); }
  Result<CaCertificate> ca() const { return CaCertificate::load(made_.ca_certificate); }

 private:
  TempDir folder_;
  ThrowawayToken made_;
  std::unique_ptr<SigningToken> open_;
};

Result<void> run_sign(benchmark::State& state) {
  LS_TRY(const std::unique_ptr<Token> token, Token::make(ca_key_type(state)));
  LS_TRY(const std::unique_ptr<SigningKey> key, token->key());
  const Bytes digest(static_cast<size_t>(EVP_MD_get_size(signature_digest(ca_key_type(state)))), 7);
  for (auto _ : state) {
    LS_TRY(const Bytes signature, key->sign(digest));
    benchmark::DoNotOptimize(signature.data());
  }
  return {};
}

Result<void> run_certificate(benchmark::State& state) {
  LS_TRY(const std::unique_ptr<Token> token, Token::make(ca_key_type(state)));
  LS_TRY(const CaCertificate ca, token->ca());
  LS_TRY(std::unique_ptr<SigningKey> key, token->key());
  const std::vector<CorpusCsr> corpus = {
      {"unit-1", test::make_csr(test::shared_key(KeyType::EcP256), "unit-1")}};
  LS_TRY(SigningLoop loop, SigningLoop::create(ca, std::move(key), corpus));
  for (auto _ : state) {
    LS_TRY(const Bytes certificate, loop.make_certificate(corpus.front()));
    benchmark::DoNotOptimize(certificate.data());
  }
  state.SetItemsProcessed(state.iterations());
  return {};
}

void finish(benchmark::State& state, const Result<void>& done) {
  if (!done) state.SkipWithError(done.error().to_string().c_str());
  state.SetLabel(std::string(to_string(ca_key_type(state))));
}

void sign_in_softhsm(benchmark::State& state) { finish(state, run_sign(state)); }
void certificate_with_softhsm(benchmark::State& state) { finish(state, run_certificate(state)); }

void all_ca_keys(benchmark::internal::Benchmark* bench) {
  for (const KeyType type : {KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048})
    bench->Arg(static_cast<int>(type));
}

BENCHMARK(sign_in_softhsm)->Apply(all_ca_keys);
BENCHMARK(certificate_with_softhsm)->Apply(all_ca_keys);

}  // namespace
}  // namespace linesign
