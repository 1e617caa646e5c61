// CertificateChecker: does a certificate that came back fit the request, and did the appliance's
// device CA really sign it? The appliance checks this too; a station that programs a device
// believes its own eyes.
//
// Errors   CertificateWrong with what does not fit; CaCertificateInvalid for a bad issuer chain
// Threads  one checker belongs to one thread
// Source   RFC 5280 section 6; the time of the station's clock is not part of the check
#ifndef LINESIGN_STATIONS_CLIENT_CERTIFICATE_CHECKER_H_
#define LINESIGN_STATIONS_CLIENT_CERTIFICATE_CHECKER_H_

#include <memory>
#include <vector>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign::client {

class CertificateChecker final {
 public:
  // The chain of Welcome: first the CA that signs devices, then what is above it.
  static Result<CertificateChecker> open(const std::vector<Bytes>& issuer_chain);
  CertificateChecker(CertificateChecker&&) noexcept;
  CertificateChecker& operator=(CertificateChecker&&) noexcept;
  ~CertificateChecker();

  // The first certificate that passes is checked by OpenSSL's whole path validation too.
  Result<void> check(ByteView certificate_der, ByteView spki_of_request);

 private:
  struct State;
  explicit CertificateChecker(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_CERTIFICATE_CHECKER_H_
