// Failure: an Error as a station is told it: the one place where errors become status and message.
//
// Rules    Refuse -> STATUS_REFUSED, with the detail: it is about what the station itself sent.
//          All other kinds -> STATUS_TRY_LATER without the detail, which is the plant's own affair;
//          trying again is right because a person at the plant will have repaired it
// Limits   the message is printable ASCII, at most kMaxFailureTextBytes
// Source   docs/station-protocol.md
#ifndef LINESIGN_STATIONS_SESSION_FAILURE_H_
#define LINESIGN_STATIONS_SESSION_FAILURE_H_

#include <chrono>

#include "protocol/base/error.h"
#include "protocol/station.pb.h"

namespace linesign {

constexpr size_t kMaxFailureTextBytes = 512;
constexpr std::chrono::milliseconds kDefaultRetryAfter = std::chrono::seconds(1);

station::v1::Status wire_status(const Error& error);

// `retry_after` 0: kDefaultRetryAfter. Only told with STATUS_TRY_LATER.
void fill_failure(station::v1::Failure& failure,
                  const Error& error,
                  std::chrono::milliseconds retry_after);

}  // namespace linesign

#endif  // LINESIGN_STATIONS_SESSION_FAILURE_H_
