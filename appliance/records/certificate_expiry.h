// ExpiryFigures: when the certificates end that production needs, and what to say about it.
//
// Threads  plain values; no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_RECORDS_CERTIFICATE_EXPIRY_H_
#define LINESIGN_APPLIANCE_RECORDS_CERTIFICATE_EXPIRY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/clock.h"

namespace linesign {

struct CertificateEnd {
  std::string name;  // "CA", "station CA", "TLS certificate", or a station's
  UnixTime not_after{};
  int64_t days_left = 0;  // below 0 after the end
};

struct ExpiryFigures {
  std::vector<CertificateEnd> certificates;    // of the appliance; the CA first
  std::optional<UnixTime> devices_cut_at;      // the CA leaves them a tenth less than [profile]
  uint32_t stations_ending = 0;                // within the first of kExpiryWarningDays
  uint32_t stations_ended = 0;                 // not revoked, and valid no more
  std::optional<CertificateEnd> next_station;  // the first of those that will end
};

struct ExpiryWarning {
  std::string about;     // the same for each warning about the same thing
  int64_t days = 0;      // the one of kExpiryWarningDays that is reached; 0: ended
  std::string sentence;  // what, when, and what to do
};

std::vector<ExpiryWarning> expiry_warnings(const ExpiryFigures& figures, UnixTime now);

// For `devices_cut_at`: absent where the CA leaves what the profile asks for, or nearly.
// `validity`: of a certificate that is made now; absent: without an end.
std::optional<UnixTime> cut_at(UnixTime ca_not_after,
                               std::optional<std::chrono::seconds> validity,
                               UnixTime now);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_RECORDS_CERTIFICATE_EXPIRY_H_
