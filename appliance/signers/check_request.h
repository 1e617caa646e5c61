// CheckRequest: what a signer checks, builds and remembers before anything is recorded.
//
// Threads  plain values; is_unwanted is the event loop's
// Source   protocol/signer.proto
#ifndef LINESIGN_APPLIANCE_SIGNERS_CHECK_REQUEST_H_
#define LINESIGN_APPLIANCE_SIGNERS_CHECK_REQUEST_H_

#include <cstdint>
#include <string>

#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/ids.h"

namespace linesign {

struct CheckRequest {
  uint64_t id = 0;  // goes up: no other request of this linesignd has it
  int64_t station_id = 0;
  std::string device_id;
  SerialNumber serial{};
  UnixTime issued_at{};
  Sha256 tbs_hash{};
  Bytes csr;
  bool is_unwanted = false;  // set by whoever asked: nobody waits for it any more
};

// Which signer remembers what it checked. Empty: none does.
struct CheckedBy {
  uint64_t check_id = 0;
  int signer = 0;  // pid
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_SIGNERS_CHECK_REQUEST_H_
