// What the tests of this folder share: a software CA, its builder, and intents for it.
#ifndef LINESIGN_TESTS_UNIT_HSM_SIGNER_SIGN_ITEMS_H_
#define LINESIGN_TESTS_UNIT_HSM_SIGNER_SIGN_ITEMS_H_

#include <cstdlib>
#include <string>

#include "hsm/x509/certificate_builder.h"
#include "protocol/signer.pb.h"
#include "tests/support/software_ca.h"

namespace linesign::test {

inline CertificateBuilder make_builder(const SoftwareCa& ca, const Profile& profile = {}) {
  auto builder = CertificateBuilder::create(profile, ca.certificate());
  if (!builder) std::abort();
  return std::move(*builder);
}

// What linesignd would record and send for this CSR.
inline signer::v1::SignItem make_item(const CertificateBuilder& builder,
                                      const Bytes& csr_der,
                                      const std::string& device_id,
                                      uint64_t issuance_id = 1,
                                      UnixTime issued_at = kTestTime) {
  const auto csr = parse_csr(csr_der);
  const auto serial = make_serial();
  if (!csr || !serial) std::abort();
  CertificateRequest request;
  request.device_id = device_id;
  request.serial = *serial;
  request.issued_at = issued_at;
  const auto tbs = builder.build_tbs(*csr, request);
  if (!tbs) std::abort();
  const Sha256 hash = sha256(*tbs);
  signer::v1::SignItem item;
  item.set_issuance_id(issuance_id);
  item.set_csr_der(csr_der.data(), csr_der.size());
  item.set_device_id(device_id);
  item.set_serial(serial->data(), serial->size());
  item.set_issued_at(issued_at.time_since_epoch().count());
  item.set_tbs_sha256(hash.data(), hash.size());
  return item;
}

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_UNIT_HSM_SIGNER_SIGN_ITEMS_H_
