// FakeCloudService: the cloud's side of an appliance, with canned answers: it keeps the last
// request of each kind.
//
// Threads  as CloudService; set the members on the loop's thread or before it runs
#ifndef LINESIGN_TESTS_SUPPORT_FAKE_CLOUD_SERVICE_H_
#define LINESIGN_TESTS_SUPPORT_FAKE_CLOUD_SERVICE_H_

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "appliance/admin/api/cloud_service.h"

namespace linesign {

class FakeCloudService final : public CloudService {
 public:
  void set_plan(CloudPlan request, Reply<void> reply) override {
    plan = std::move(request);
    answer(reply);
  }
  void set_feed(CloudFeedRequest request, Reply<void> reply) override {
    feed = std::move(request);
    answer(reply);
  }
  void claim(CloudClaimRequest request, Reply<std::vector<CloudItem>> reply) override {
    claimed = std::move(request);
    answer(reply, items);
  }
  void book(CloudBookRequest request, Reply<CloudBooked> reply) override {
    booking = std::move(request);
    answer(reply, booked);
  }
  void release(CloudReleaseRequest request, Reply<uint64_t> reply) override {
    released = std::move(request);
    ++release_calls;
    const uint64_t part = std::min<uint64_t>(count, released.limit);
    count -= part;
    answer(reply, part);
  }
  void status(Reply<std::vector<CloudTargetStatus>> reply) override { answer(reply, targets); }
  void registrations(CloudListRequest request, Reply<RegistrationPage> reply) override {
    listed = std::move(request);
    answer(reply, registration_page);
  }
  void open_tasks(CloudTasksRequest request, Reply<std::vector<BulkTask>> reply) override {
    asked_tasks = std::move(request);
    answer(reply, std::vector{task});
  }
  void create_task(BulkCreateRequest request, Reply<BulkTask> reply) override {
    created = std::move(request);
    answer(reply, task);
  }
  void fill_task(BulkFillRequest request, Reply<BulkTask> reply) override {
    filled = request;
    answer(reply, task);
  }
  void task_items(BulkItemsRequest request, Reply<std::vector<CloudItem>> reply) override {
    asked_items = request;
    answer(reply, items);
  }
  void update_task(BulkUpdateRequest request, Reply<BulkTask> reply) override {
    updated = std::move(request);
    answer(reply, task);
  }
  void return_task_items(BulkReturnRequest request, Reply<uint64_t> reply) override {
    returned = request;
    answer(reply, count);
  }
  void certificates(CertificatesRequest request, Reply<CertificatePage> reply) override {
    asked_certificates = std::move(request);
    answer(reply, certificate_page);
  }
  void cas(Reply<std::vector<LedgerCa>> reply) override { answer(reply, ledger_cas); }

  std::optional<Error> failure;  // of every call
  bool is_silent = false;        // no call gets its reply

  std::vector<CloudItem> items;
  CloudBooked booked;
  uint64_t count = 0;
  std::vector<CloudTargetStatus> targets;
  RegistrationPage registration_page;
  BulkTask task;
  CertificatePage certificate_page;
  std::vector<LedgerCa> ledger_cas;

  CloudPlan plan;
  CloudFeedRequest feed;
  CloudClaimRequest claimed;
  CloudBookRequest booking;
  CloudReleaseRequest released;
  int release_calls = 0;
  CloudListRequest listed;
  CloudTasksRequest asked_tasks;
  BulkCreateRequest created;
  BulkFillRequest filled;
  BulkItemsRequest asked_items;
  BulkUpdateRequest updated;
  BulkReturnRequest returned;
  CertificatesRequest asked_certificates;

 private:
  void answer(const Reply<void>& reply) const {
    if (is_silent) return;
    if (failure.has_value()) return reply(fail(*failure));
    reply({});
  }
  template <typename T>
  void answer(const Reply<T>& reply, const T& value) const {
    if (is_silent) return;
    if (failure.has_value()) return reply(fail(*failure));
    reply(value);
  }
};

}  // namespace linesign

#endif  // LINESIGN_TESTS_SUPPORT_FAKE_CLOUD_SERVICE_H_
