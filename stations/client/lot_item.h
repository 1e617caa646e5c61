// Lot items: what flows through a lot: a device that is to be certified, and what became of it.
#ifndef LINESIGN_STATIONS_CLIENT_LOT_ITEM_H_
#define LINESIGN_STATIONS_CLIENT_LOT_ITEM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "protocol/base/bytes.h"
#include "protocol/base/error.h"
#include "stations/client/station_client.h"

namespace linesign::client {

struct LotItem {
  IssueRequest request;
  std::string origin;  // the file that the CSR came from
};

enum class LotEnd : uint8_t {
  Issued,
  AlreadyThere,
  Refused,
  NotStored,  // issued, but its file could not be written: to be fetched by another run
};

struct LotOutcome {
  LotEnd end = LotEnd::Issued;
  std::string device_id;  // may be empty when a file could not be read
  std::string origin;
  std::optional<Error> error;  // with Refused and NotStored
};

// What a source makes of one of its entries: a request to send, or an end without one.
using LotEntry = std::variant<LotItem, LotOutcome>;

struct LotProgress {
  uint64_t total = 0;
  uint64_t issued = 0;
  uint64_t already_there = 0;
  uint64_t refused = 0;
  uint64_t not_stored = 0;

  uint64_t done() const { return issued + already_there + refused + not_stored; }
};

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_LOT_ITEM_H_
