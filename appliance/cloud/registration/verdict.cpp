#include "appliance/cloud/registration/verdict.h"

#include <fmt/format.h>

#include "protocol/base/clock.h"

namespace linesign {

Verdict judge(const Error& error) {
  switch (error.code()) {
    case ErrorCode::AwsNotFound:  // of the policy, the type, the group: the set-up
      return Verdict::Hold;
    case ErrorCode::AwsAnswerInvalid:  // about this certificate: look before anything is repeated
    case ErrorCode::ConfigRange:       // a name that this device's id does not make
      return Verdict::Park;
    default:
      return error.kind() == ErrorKind::Refuse ? Verdict::Park : Verdict::Hold;
  }
}

bool may_be_alone(const Error& hold) {
  return hold.code() == ErrorCode::AwsUnavailable || hold.code() == ErrorCode::AwsDenied ||
         hold.code() == ErrorCode::AwsQuota;
}

Result<void> check_made(UnixTime committed_at, UnixTime server_time) {
  if (committed_at <= server_time) return {};
  return fail(ErrorCode::AwsClockSkew,
              fmt::format("the certificate was made at {}, for AWS it is {}: correct the clock "
                          "here, or wait",
                          to_iso8601(committed_at),
                          to_iso8601(server_time)));
}

CloudBooking parked(const CloudItem& item, const Error& error) {
  CloudBooking booking;
  booking.issuance_id = item.issuance_id;
  booking.state = RegistrationState::Parked;
  booking.steps = item.steps;
  booking.attempts = item.attempts + 1;
  booking.code = static_cast<uint32_t>(error.code());
  booking.reason = error.detail();
  return booking;
}

}  // namespace linesign
