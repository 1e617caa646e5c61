// CaCertificate: the certificate of the CA that signs devices, and its public key.
//
// Errors   CaCertificateInvalid with what is wrong; Io
// Threads  immutable; verify() is safe from one thread per SignatureVerifier
// Source   RFC 5280 sections 4.2.1.1, 4.2.1.3, 4.2.1.9
#ifndef LINESIGN_HSM_X509_CA_CERTIFICATE_H_
#define LINESIGN_HSM_X509_CA_CERTIFICATE_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hsm/x509/handles.h"
#include "hsm/x509/key_type.h"
#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign {

class CaCertificate final {
 public:
  // Insists on: X.509 v3, basicConstraints CA:TRUE critical, keyCertSign, a subject, a subject key
  // identifier, a supported key type.
  static Result<CaCertificate> from_der(ByteView der);
  // The first certificate of a PEM file is the CA; the others are its chain, in order.
  static Result<CaCertificate> load(const std::filesystem::path& pem_file);

  ByteView der() const;
  const std::vector<Bytes>& chain_der() const;  // what stands above the CA, possibly empty
  ByteView subject() const;                     // Name, DER
  ByteView subject_key_id() const;              // the octets
  ByteView spki() const;                        // SubjectPublicKeyInfo, DER
  KeyType key_type() const;
  UnixTime not_before() const;
  UnixTime not_after() const;
  EVP_PKEY* public_key() const;      // borrowed
  std::string subject_text() const;  // RFC 2253, for people
  std::string pem() const;           // the CA only

 private:
  struct State;
  explicit CaCertificate(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

// The AlgorithmIdentifier (DER) with which a CA key of this type signs: ecdsa-with-SHA256 for
// P-256, ecdsa-with-SHA384 for P-384, sha256WithRSAEncryption for RSA. And its digest.
ByteView signature_algorithm_der(KeyType ca_key);
const EVP_MD* signature_digest(KeyType ca_key);

// Verifies signatures of the CA key, with one OpenSSL context. One per thread.
class SignatureVerifier final {
 public:
  static Result<SignatureVerifier> create(const CaCertificate& ca);
  // `digest` is over the to-be-signed bytes; `signature` as in signatureValue. HsmSignatureWrong.
  Result<void> verify(ByteView digest, ByteView signature);

 private:
  explicit SignatureVerifier(EvpKeyContext context) : context_(std::move(context)) {}
  EvpKeyContext context_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_CA_CERTIFICATE_H_
