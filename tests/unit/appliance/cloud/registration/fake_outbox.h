// FakeOutbox: an outbox in memory.
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_REGISTRATION_FAKE_OUTBOX_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_REGISTRATION_FAKE_OUTBOX_H_

#include <map>
#include <mutex>
#include <optional>

#include "appliance/cloud/registration/outbox.h"

namespace linesign::test {

CloudItem make_item(uint64_t id);

class FakeOutbox final : public Outbox {
 public:
  explicit FakeOutbox(uint64_t devices);

  Result<std::vector<CloudItem>> claim(const std::string& target,
                                       uint64_t after,
                                       uint32_t limit) override;
  Result<CloudBooked> book(const std::string& target,
                           const std::vector<CloudBooking>& bookings) override;
  Result<BulkTask> create_task(const std::string& target, const std::string& key) override;
  Result<BulkTask> fill_task(uint64_t task_id, uint32_t lines) override;
  Result<std::vector<CloudItem>> task_items(uint64_t task_id,
                                            uint64_t after,
                                            uint32_t limit) override;
  Result<BulkTask> update_task(uint64_t task_id, const BulkTaskChange& change) override;
  Result<uint64_t> return_task_items(uint64_t task_id, uint32_t limit) override;
  Result<std::vector<BulkTask>> open_tasks(const std::string& target) override;
  Result<std::vector<CloudTargetStatus>> status() override;
  Result<std::vector<CloudRegistration>> registrations(const std::string& target,
                                                       std::optional<RegistrationState> state,
                                                       uint64_t after,
                                                       uint32_t limit) override;
  Result<CertificatePage> certificates(const std::string& order,
                                       uint64_t after,
                                       uint32_t limit) override;
  Result<std::vector<LedgerCa>> cas() override;

  // For tests with several threads.
  void add(uint64_t id);
  size_t booked_count();

  CloudTarget target{"plant", "", ""};  // the only one that the ledger knows
  std::map<uint64_t, CloudItem> items;
  std::map<uint64_t, CloudBooking> booked;  // the last of each
  std::map<uint64_t, BulkTask> tasks;
  std::map<uint64_t, uint64_t> task_of;  // issuance -> task
  std::optional<ErrorCode> failure;      // of claim and book

 private:
  std::mutex mutex_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_REGISTRATION_FAKE_OUTBOX_H_
