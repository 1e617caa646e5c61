// What the X.509 part of one certificate costs, without the HSM; token_bench.cpp has the rest.
//
// Figures to compare with, on one core: parse 0.2 to 3 us, build below 2 us, proof of possession
// 45 us for P-256 (one ECDSA verification).
#include <benchmark/benchmark.h>

#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/digest.h"
#include "hsm/x509/proof_verifier.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

Bytes csr_of(KeyType type) { return test::make_csr(test::shared_key(type), "device-0001"); }

KeyType key_type(const benchmark::State& state) { return static_cast<KeyType>(state.range(0)); }

void label(benchmark::State& state) { state.SetLabel(std::string(to_string(key_type(state)))); }

// A CA with a key of its own: shared_key() may be that of the device.
struct Fixture {
  explicit Fixture(KeyType device)
      : ca_key(test::make_key(KeyType::EcP256)),
        ca({.key = ca_key.get()}),
        builder(*CertificateBuilder::create(Profile{}, ca.certificate())),
        der(csr_of(device)),
        csr(*parse_csr(der)) {
    request.device_id = "device-0001";
    request.serial = *make_serial();
    request.issued_at = test::kTestTime;
  }

  EvpKey ca_key;
  test::SoftwareCa ca;
  CertificateBuilder builder;
  Bytes der;
  Csr csr;
  CertificateRequest request;
};

void parse(benchmark::State& state) {
  const Bytes der = csr_of(key_type(state));
  for (auto _ : state) benchmark::DoNotOptimize(parse_csr(der));
  label(state);
}

void prove(benchmark::State& state) {
  const Fixture f(key_type(state));
  auto verifier = *ProofVerifier::create();
  for (auto _ : state) benchmark::DoNotOptimize(verifier.verify(f.csr));
  label(state);
}

void check(benchmark::State& state) {
  const Fixture f(key_type(state));
  for (auto _ : state) benchmark::DoNotOptimize(f.builder.check(f.csr, f.request.device_id));
  label(state);
}

void build_tbs(benchmark::State& state) {
  const Fixture f(key_type(state));
  for (auto _ : state) benchmark::DoNotOptimize(f.builder.build_tbs(f.csr, f.request));
  label(state);
}

void hash_key(benchmark::State& state) {
  const Fixture f(key_type(state));
  for (auto _ : state) benchmark::DoNotOptimize(public_key_hash(f.csr));
  label(state);
}

void digest_tbs(benchmark::State& state) {
  const Fixture f(KeyType::EcP256);
  const Bytes tbs = *f.builder.build_tbs(f.csr, f.request);
  const auto kind = static_cast<DigestKind>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(digest(kind, tbs));
}

void assemble(benchmark::State& state) {
  const Fixture f(key_type(state));
  const Bytes tbs = *f.builder.build_tbs(f.csr, f.request);
  const Bytes signature = f.ca.sign(tbs);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        assemble_certificate(tbs, signature_algorithm_der(KeyType::EcP256), signature));
  }
  label(state);
}

void draw_serial(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(make_serial());
}

// Is the signature of the CA right?
void verify_signature(benchmark::State& state) {
  const test::SoftwareCa ca({.key_type = key_type(state)});
  const Bytes message(600, 0x5a);
  const Bytes signature = ca.sign(message);
  Bytes digest(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  EVP_Digest(message.data(),
             message.size(),
             digest.data(),
             &size,
             signature_digest(key_type(state)),
             nullptr);
  digest.resize(size);
  auto verifier = *SignatureVerifier::create(ca.certificate());
  for (auto _ : state) {
    if (!verifier.verify(digest, signature)) state.SkipWithError("the signature is wrong");
  }
  label(state);
}

void all_key_types(benchmark::internal::Benchmark* bench) {
  for (const KeyType type : {KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048}) {
    bench->Arg(static_cast<int>(type));
  }
}

BENCHMARK(parse)->Apply(all_key_types);
BENCHMARK(check)->Apply(all_key_types);
BENCHMARK(hash_key)->Apply(all_key_types);
BENCHMARK(build_tbs)->Apply(all_key_types);
BENCHMARK(digest_tbs)
    ->Arg(static_cast<int>(DigestKind::Bits256))
    ->Arg(static_cast<int>(DigestKind::Bits384));
BENCHMARK(assemble)->Apply(all_key_types);
BENCHMARK(draw_serial);
BENCHMARK(prove)->Apply(all_key_types);
BENCHMARK(verify_signature)->Apply(all_key_types);

}  // namespace
}  // namespace linesign

BENCHMARK_MAIN();
