// Wire values: what the messages of station.proto mean in the terms of the public API.
//
// Threads  no state
#ifndef LINESIGN_STATIONS_CLIENT_WIRE_VALUES_H_
#define LINESIGN_STATIONS_CLIENT_WIRE_VALUES_H_

#include "protocol/station.pb.h"
#include "stations/client/station_client.h"

namespace linesign::client {

ApplianceFailure to_failure(const station::v1::Failure& failure);

// For answers that have no status of their own: a retry_after says that it is worth a retry.
Error to_error(const station::v1::Failure& failure);

// FrameMalformed when status, request id and content do not go together.
Result<IssueReply> to_reply(station::v1::IssueReply& message);

std::optional<RequestId> to_request_id(std::string_view bytes);

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_WIRE_VALUES_H_
