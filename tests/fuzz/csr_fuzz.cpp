// parse_csr on any bytes. Whatever it accepts must give to-be-signed bytes that are strict DER.
#include <cstdint>
#include <cstdlib>

#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/der_reader.h"
#include "hsm/x509/distinguished_name.h"
#include "hsm/x509/proof_verifier.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

constexpr size_t kMaxDepth = 16;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_inside(ByteView part, ByteView whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

CertificateBuilder make_builder(SubjectSource source, CommonNameRule rule) {
  const test::SoftwareCa ca;
  Profile profile;
  profile.subject_source = source;
  profile.csr_common_name = rule;
  auto builder = CertificateBuilder::create(profile, ca.certificate());
  require(builder.has_value());
  return *std::move(builder);
}

void build(const CertificateBuilder& builder, const Csr& csr, const std::string& device_id) {
  if (!builder.check(csr, device_id)) return;
  CertificateRequest request;
  request.device_id = device_id;
  request.serial[0] = 0x40;
  request.issued_at = test::kTestTime;
  const auto tbs = builder.build_tbs(csr, request);
  require(tbs.has_value());
  require(check_der(*tbs, kMaxDepth).has_value());
}

void check_accepted(const Csr& csr, ByteView der) {
  for (const ByteView part :
       {csr.info, csr.subject.whole, csr.spki, csr.public_key, csr.signature}) {
    require(is_inside(part, der));
  }
  static const CertificateBuilder kMatching =
      make_builder(SubjectSource::DeviceId, CommonNameRule::MustMatch);
  static const CertificateBuilder kIgnoring =
      make_builder(SubjectSource::DeviceId, CommonNameRule::Ignore);
  static const CertificateBuilder kKeeping =
      make_builder(SubjectSource::Csr, CommonNameRule::MustMatch);
  const auto common_name = read_common_name(DerReader(csr.subject));
  const std::string device_id = common_name ? common_name->value_or("dev-1") : "dev-1";
  require(device_id.find('\0') == std::string::npos);
  require(kIgnoring.check(csr, "dev-1").has_value());
  build(kMatching, csr, device_id);
  build(kIgnoring, csr, device_id);
  build(kKeeping, csr, device_id);
}

}  // namespace
}  // namespace linesign

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto verifier = linesign::ProofVerifier::create();
  const linesign::ByteView der(data, size);
  const auto csr = linesign::parse_csr(der);
  if (!csr) return 0;
  linesign::check_accepted(*csr, der);
  // Yes or no does not matter here, only that no input makes the library fail.
  const auto proof = verifier->verify(*csr);
  linesign::require(proof || proof.error().code() != linesign::ErrorCode::CryptoFailed);
  return 0;
}
