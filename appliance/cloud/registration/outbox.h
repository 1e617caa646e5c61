// Outbox: what the work in the cloud asks of the ledger. The ledger belongs to linesignd; the
// uploader reaches it over the admin socket.
//
// Errors   AdminUnavailable when nobody answers; else the ledger's own (ledger/ledger_cloud.h)
// Threads  safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_OUTBOX_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_OUTBOX_H_

#include <optional>
#include <string>
#include <vector>

#include "appliance/records/cloud_records.h"

namespace linesign {

class Outbox {
 public:
  Outbox() = default;
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;
  virtual ~Outbox() = default;

  // See LedgerCloud for each.
  virtual Result<std::vector<CloudItem>> claim(const std::string& target,
                                               uint64_t after,
                                               uint32_t limit) = 0;
  virtual Result<CloudBooked> book(const std::string& target,
                                   const std::vector<CloudBooking>& bookings) = 0;

  virtual Result<BulkTask> create_task(const std::string& target,
                                       const std::string& object_key) = 0;
  virtual Result<BulkTask> fill_task(uint64_t task_id, uint32_t lines) = 0;
  virtual Result<std::vector<CloudItem>> task_items(uint64_t task_id,
                                                    uint64_t after,
                                                    uint32_t limit) = 0;
  virtual Result<BulkTask> update_task(uint64_t task_id, const BulkTaskChange& change) = 0;
  virtual Result<uint64_t> return_task_items(uint64_t task_id, uint32_t limit) = 0;
  virtual Result<std::vector<BulkTask>> open_tasks(const std::string& target) = 0;

  virtual Result<std::vector<CloudTargetStatus>> status() = 0;
  // Absent state: all.
  virtual Result<std::vector<CloudRegistration>> registrations(
      const std::string& target,
      std::optional<RegistrationState> state,
      uint64_t after,
      uint32_t limit) = 0;
  virtual Result<CertificatePage> certificates(const std::string& order,
                                               uint64_t after,
                                               uint32_t limit) = 0;
  virtual Result<std::vector<LedgerCa>> cas() = 0;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_OUTBOX_H_
