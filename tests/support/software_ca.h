// Software keys, CSRs and CAs for tests, made with OpenSSL's own X.509 code.
//
// Errors   none: what fails here aborts the test program and says where
// Threads  safe anywhere
#ifndef LINESIGN_TESTS_SUPPORT_SOFTWARE_CA_H_
#define LINESIGN_TESTS_SUPPORT_SOFTWARE_CA_H_

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/handles.h"
#include "hsm/x509/key_type.h"
#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"

namespace linesign::test {

// 2026-01-01T00:00:00Z: inside the validity of every SoftwareCa that does not say otherwise.
constexpr UnixTime kTestTime{std::chrono::seconds(1767225600)};

// {"O", "Example"}, or an extension as in openssl.cnf: {"basicConstraints", "critical,CA:TRUE"}.
using NamedTexts = std::vector<std::pair<std::string, std::string>>;

EvpKey make_key(KeyType type);
// Made once per process and lent: RSA keys take up to seconds.
EVP_PKEY* shared_key(KeyType type);
EvpKey make_ec_key(const std::string& group);
EvpKey make_rsa_key(unsigned bits, unsigned exponent);
// With these primes, however weak that is; the exponent is 65537.
EvpKey make_rsa_key_of(const BIGNUM* p, const BIGNUM* q);

std::string private_key_pem(EVP_PKEY* key);

struct CsrSpec {
  NamedTexts subject;
  NamedTexts extensions;  // asked for in an extensionRequest attribute
  std::string digest = "SHA256";
};

// DER.
Bytes make_csr_with(EVP_PKEY* key, const CsrSpec& spec);
Bytes make_csr(EVP_PKEY* key, const std::string& common_name);

class SoftwareCa;

struct CaSpec {
  KeyType key_type = KeyType::EcP256;
  NamedTexts subject = {{"O", "Example"}, {"CN", "Test Device CA"}};
  UnixTime not_before = kTestTime - std::chrono::days(365);
  UnixTime not_after = kTestTime + std::chrono::days(365 * 40);
  NamedTexts extensions = {{"basicConstraints", "critical,CA:TRUE"},
                           {"keyUsage", "critical,keyCertSign,cRLSign"},
                           {"subjectKeyIdentifier", "hash"}};
  long version = X509_VERSION_3;
  const SoftwareCa* issuer = nullptr;  // null: self-signed
  EVP_PKEY* key = nullptr;             // borrowed; null: shared_key(key_type)
};

// A CA whose key is in memory. Whatever CaSpec says is made, also what no CA may look like.
class SoftwareCa final {
 public:
  explicit SoftwareCa(const CaSpec& spec = {});

  EVP_PKEY* key() const { return key_.get(); }
  X509* x509() const { return x509_.get(); }
  Bytes der() const;
  std::string pem() const;
  // Aborts unless CaCertificate takes it.
  CaCertificate certificate() const;
  // As it stands in signatureValue, with the digest that CaCertificate names for this key.
  Bytes sign(ByteView tbs) const;

 private:
  EvpKey key_;
  X509Certificate x509_;
};

// What an i2d function of OpenSSL makes of an object.
Bytes to_der(X509* certificate);
Bytes to_der(X509_REQ* request);

void set_subject(X509_NAME* name, const NamedTexts& texts);
X509Extension make_extension(X509V3_CTX* context, const std::string& name, const std::string& text);

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_SOFTWARE_CA_H_
