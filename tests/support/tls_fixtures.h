// TLS fixtures: a small CA in memory, for tests of what stands on TLS. Made with OpenSSL directly.
//
// Errors   none: what fails here aborts the test program
#ifndef LINESIGN_TESTS_SUPPORT_TLS_FIXTURES_H_
#define LINESIGN_TESTS_SUPPORT_TLS_FIXTURES_H_

#include <memory>
#include <string>

#include "protocol/base/bytes.h"
#include "protocol/base/ids.h"
#include "stations/transport/tls_context.h"

namespace linesign::test {

struct TlsLeaf {
  std::string certificate_pem;
  std::string private_key_pem;
  Bytes der;

  TlsCredential credential() const { return {certificate_pem, private_key_pem}; }
  Sha256 hash() const;
};

struct TlsLeafSpec {
  std::string common_name = "station-1";
  std::string dns_name = {};           // subjectAltName; empty: none
  std::string purpose = "clientAuth";  // extendedKeyUsage; empty: none
  int first_day = -1;                  // from today
  int last_day = 30;
};

class MemoryCa;

class TlsTestCa final {
 public:
  explicit TlsTestCa(const std::string& common_name = "Test Station CA");
  TlsTestCa(const TlsTestCa&) = delete;
  TlsTestCa& operator=(const TlsTestCa&) = delete;
  ~TlsTestCa();

  const std::string& pem() const { return certificate_.certificate_pem; }
  const Bytes& der() const { return certificate_.der; }
  Sha256 fingerprint() const { return certificate_.hash(); }

  // With a new P-256 key.
  TlsLeaf issue(const TlsLeafSpec& spec) const;
  // Named linesign-appliance; its PEM is followed by the CA's.
  TlsLeaf issue_server() const;

 private:
  std::unique_ptr<MemoryCa> ca_;
  TlsLeaf certificate_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_TLS_FIXTURES_H_
