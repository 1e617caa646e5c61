// parse_csr on any bytes. Whatever it accepts must give to-be-signed bytes that are strict DER.
#include <cstdint>
#include <cstdlib>

#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/der_reader.h"
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

CertificateBuilder make_builder(SubjectSource source) {
  const test::SoftwareCa ca;
  Profile profile;
  profile.subject_source = source;
  auto builder = CertificateBuilder::create(profile, ca.certificate());
  require(builder.has_value());
  return *std::move(builder);
}

void build(const CertificateBuilder& builder, const Csr& csr) {
  const std::string device_id = csr.common_name.value_or("dev-1");
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
  for (const ByteView part : {csr.info, csr.subject, csr.spki, csr.public_key, csr.signature}) {
    require(is_inside(part, der));
  }
  require(!csr.common_name || csr.common_name->find('\0') == std::string::npos);
  static const CertificateBuilder kOwnSubject = make_builder(SubjectSource::DeviceId);
  static const CertificateBuilder kKeptSubject = make_builder(SubjectSource::Csr);
  build(kOwnSubject, csr);
  build(kKeptSubject, csr);
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
