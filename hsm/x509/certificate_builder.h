// CertificateBuilder: makes device certificates from a profile, byte for byte the same each time.
//
// The to-be-signed bytes are a function of profile, CA, CSR, device id, serial and issue time only,
// so that linesignd can name their hash in an intent before a signer builds and signs them.
//
// Shape    Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
// Errors   CsrKeyNotAllowed, CsrSubjectMismatch, CsrKeyReserved (the CA's own key);
// CsrSubjectInvalid
//          and CsrMalformed for a subject that the profile uses; DeviceIdInvalid when it cannot
//          stand in a name of the profile; ClockInDoubt when the issue time is outside the CA's
//          validity
// Threads  immutable after create(): safe anywhere
// Source   RFC 5280 section 4.1; subject key id: section 4.2.1.2 method (1)
#ifndef LINESIGN_HSM_X509_CERTIFICATE_BUILDER_H_
#define LINESIGN_HSM_X509_CERTIFICATE_BUILDER_H_

#include <memory>
#include <string_view>

#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/csr.h"
#include "hsm/x509/profile.h"

namespace linesign {

// What varies between two certificates of one profile.
struct CertificateRequest {
  std::string_view device_id;  // REQUIRES: check_device_id
  SerialNumber serial{};       // REQUIRES: first byte 0x40..0x7f
  UnixTime issued_at{};
};

// 16 random bytes of which the first is 0x40..0x7f: positive, of fixed length, 126 bits of entropy.
Result<SerialNumber> make_serial();

class CertificateBuilder final {
 public:
  static Result<CertificateBuilder> create(const Profile& profile, const CaCertificate& ca);

  // Is this CSR one that the profile allows for this device id?
  Result<void> check(const Csr& csr, std::string_view device_id) const;

  // TBSCertificate, header included. REQUIRES: check() passed.
  Result<Bytes> build_tbs(const Csr& csr, const CertificateRequest& request) const;

  // SHA-256 over canonical_text(profile) and the CA certificate's DER.
  const Sha256& profile_hash() const;
  const CaCertificate& ca() const;

 private:
  struct State;
  explicit CertificateBuilder(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

// The certificate's DER from its three parts. `signature` is what stands in the BIT STRING.
Bytes assemble_certificate(ByteView tbs, ByteView signature_algorithm, ByteView signature);

// The same, with the algorithm that the to-be-signed bytes name (RFC 5280 section 4.1.1.2: it must
// be that of the signature), so that what a former CA or profile made can be assembled for ever.
Result<Bytes> assemble_certificate(ByteView tbs, ByteView signature);

// "-----BEGIN CERTIFICATE-----", lines of 64 characters.
std::string certificate_pem(ByteView der);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_CERTIFICATE_BUILDER_H_
