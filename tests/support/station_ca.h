// What the small CAs of these tests are made of: P-256 keys and certificates in memory, with
// OpenSSL directly. TlsTestCa makes TLS identities with them, and CsrCa signs the CSRs of stations.
//
// Errors   none: what fails here aborts the test program and says what
#ifndef LINESIGN_TESTS_SUPPORT_STATION_CA_H_
#define LINESIGN_TESTS_SUPPORT_STATION_CA_H_

#include <string>

#include "protocol/base/bytes.h"
#include "stations/transport/tls_handles.h"

namespace linesign::test {

void require(bool condition, const char* what);

tls::Key new_key();

// A subject, a key, a serial number at random, and days counted from today: still without issuer,
// extensions and signature.
tls::Certificate new_certificate(EVP_PKEY* key,
                                 const std::string& common_name,
                                 int first_day,
                                 int last_day);

// `value` as in openssl.cnf.
void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value);

Bytes certificate_der(X509* certificate);

// A self-signed CA, from yesterday on for 30 days.
class MemoryCa final {
 public:
  explicit MemoryCa(const std::string& common_name);

  X509* certificate() const { return certificate_.get(); }
  // Names this CA as the issuer, and signs.
  void sign(X509* certificate) const;

 private:
  tls::Key key_;
  tls::Certificate certificate_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_STATION_CA_H_
