// Submission: one request inside of Issuance, until its intent is recorded.
//
// Threads  made and changed on the event loop's thread. The ledger's thread reads what prepare()
//          has set, and after record() all but the waiter
#ifndef LINESIGN_APPLIANCE_ISSUANCE_SUBMISSION_H_
#define LINESIGN_APPLIANCE_ISSUANCE_SUBMISSION_H_

#include <chrono>
#include <optional>
#include <string>

#include "appliance/issuance/issuance.h"

namespace linesign {

// A station is not left waiting longer than this, whatever happens to its intent.
constexpr std::chrono::seconds kReplyDeadline(10);
constexpr std::chrono::milliseconds kSweepPeriod(500);
constexpr std::chrono::milliseconds kUnavailableRetry(500);
// What a person has mended is found out within a second.
constexpr std::chrono::milliseconds kOperatorRetry(1000);

// Everything that the signers need to check a request and the ledger's thread to record its intent,
// in one allocation.
struct Issuance::Submission {
  CheckRequest request;
  std::string order_id;
  RequestId request_id{};
  Sha256 csr_hash{};
  Sha256 key_hash{};
  Sha256 profile_hash{};
  Bytes tbs;
  CheckedBy checked_by;
  Waiter waiter;
  bool is_looked_up = false;  // in the ledger, while it waits for its check
  std::optional<Error> objection;

  NewIntent intent() const {
    return {.station_id = request.station_id,
            .order_id = order_id,
            .device_id = request.device_id,
            .request_id = request_id,
            .serial = request.serial,
            .csr_hash = csr_hash,
            .key_hash = key_hash,
            .profile_hash = profile_hash,
            .issued_at = request.issued_at,
            .tbs = tbs,
            .csr = request.csr,
            .objection = objection ? &*objection : nullptr};
  }
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ISSUANCE_SUBMISSION_H_
