// StartCheck: everything but the HSM that a start of linesignd needs, looked at beforehand.
//
// One list for the start itself, `linesignd --check-config` and `linesign doctor`, so that they say
// the same. Nothing is made or changed; run it as the user that linesignd runs as.
//
// Errors   each finding is one, of the code that the start or `status` would give: file and key
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_STARTUP_START_CHECK_H_
#define LINESIGN_APPLIANCE_STARTUP_START_CHECK_H_

#include <filesystem>
#include <vector>

#include "appliance/config/config.h"
#include "appliance/records/certificate_expiry.h"
#include "hsm/x509/ca_certificate.h"
#include "protocol/base/clock.h"
#include "protocol/base/error.h"

namespace linesign {

// What it means for a start: linesignd ends, or does not produce, or produces.
enum class StartGravity : uint8_t { Fatal, Obstacle, Warning };

struct StartFinding {
  StartGravity gravity;
  Error error;
};

std::vector<StartFinding> check_start(const Config& config, UnixTime now);

// LedgerUnavailable, LedgerDiskFull: is there room for the ledger?
Result<void> check_disk(const std::filesystem::path& directory, uint64_t min_free_bytes);

// When the CA ends, and whether it leaves devices what the profile asks for.
ExpiryFigures ca_expiry(const CaCertificate& ca, const Profile& profile, UnixTime now);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_STARTUP_START_CHECK_H_
