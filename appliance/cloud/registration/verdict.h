// Verdict: whose fault an error is: the one device's, or that of everything around it.
//
// Park     this device cannot be registered as it is; a person must look, and the others go on
// Hold     nothing can be registered now: the network, AWS, credentials, the account's set-up.
//          The device keeps its turn, and nothing is counted against it
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_VERDICT_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_VERDICT_H_

#include <cstdint>
#include <optional>

#include "appliance/records/cloud_records.h"
#include "protocol/base/error.h"

namespace linesign {

// Of the words of a report that are kept with a parked device.
constexpr size_t kMaxReasonBytes = 500;

enum class Verdict : uint8_t { Park, Hold };

Verdict judge(const Error& error);

// What became of one device.
struct DeviceOutcome {
  CloudBooking booking;
  std::optional<Error> hold;  // nobody of this target gets further now, or it may_be_alone()
};

// Is this hold perhaps about the one device? A call that fails inside of AWS, a policy of the
// account that excludes its name, a limit that its thing has reached.
bool may_be_alone(const Error& hold);

// AwsClockSkew: for AWS it is earlier than the time at which the certificate was made: the clock
// here was ahead. That passes by itself.
Result<void> check_made(UnixTime committed_at, UnixTime server_time);

// What is booked for a device whose fault it is.
CloudBooking parked(const CloudItem& item, const Error& error);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_VERDICT_H_
