// StationRecord: what the ledger knows of a station.
//
// Threads  plain values
#ifndef LINESIGN_APPLIANCE_RECORDS_STATION_RECORD_H_
#define LINESIGN_APPLIANCE_RECORDS_STATION_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/ids.h"

namespace linesign {

enum class StationState : uint8_t { Invited = 1, Active = 2, Revoked = 3 };  // on disk: keep

struct StationRecord {
  int64_t id = 0;
  std::string name;
  StationState state = StationState::Invited;
  std::optional<Sha256> certificate_hash;
  Bytes certificate_der;  // empty while invited
  UnixTime created_at{};
  std::optional<UnixTime> enrolled_at;
  std::optional<UnixTime> revoked_at;
  std::optional<UnixTime> token_expires_at;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_RECORDS_STATION_RECORD_H_
