// StationCa: the plant's own small CA: names stations and the appliance to each other. It is not
// the device CA and never signs a device; its key is a file of the appliance (0600).
//
// Files    <directory>/station-ca.key .pem, server.key .pem; made at the first start
// Errors   Io, CryptoFailed, CsrProofWrong and the other Csr* codes
// Threads  one thread at a time
// Source   RFC 5280; station certificates: CN = station name, EKU clientAuth; server certificate:
//          EKU serverAuth, subjectAltName dns:linesign-appliance (stations insist on it)
#ifndef LINESIGN_APPLIANCE_ENROLLMENT_STATION_CA_H_
#define LINESIGN_APPLIANCE_ENROLLMENT_STATION_CA_H_

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign {

class StationCa final {
 public:
  // Loads, or makes what is missing. A server certificate close to its end is renewed.
  static Result<std::unique_ptr<StationCa>> open(const std::filesystem::path& directory,
                                                 const Clock& clock);
  // Looks at what open() would load, and makes nothing. The CA's end; nothing: there is none yet.
  static Result<std::optional<UnixTime>> examine(const std::filesystem::path& directory);
  StationCa(const StationCa&) = delete;
  StationCa& operator=(const StationCa&) = delete;
  ~StationCa();

  Bytes certificate_der() const;
  Sha256 fingerprint() const;  // SHA-256 over the CA certificate's DER; stands in join tokens
  const std::string& ca_pem() const;
  const std::string& server_certificate_pem() const;  // the server's, then the CA's
  const std::string& server_key_pem() const;
  UnixTime not_after() const;         // of the CA
  UnixTime server_not_after() const;  // of the appliance's TLS certificate

  // A station's certificate for the key in its CSR; the CSR's subject is ignored, its proof of
  // possession is not. P-256, P-384 or RSA-2048 and up.
  Result<Bytes> issue(std::string_view station_name,
                      ByteView csr_der,
                      std::chrono::seconds validity) const;

 private:
  struct State;
  explicit StationCa(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ENROLLMENT_STATION_CA_H_
