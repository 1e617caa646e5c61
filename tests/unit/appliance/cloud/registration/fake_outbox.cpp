#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

#include <algorithm>

#include "protocol/base/bytes.h"

namespace linesign::test {
CloudItem make_item(uint64_t id) {
  CloudItem item;
  item.issuance_id = id;
  item.device_id = "SN-" + std::to_string(id);
  item.order_id = "default";
  item.certificate_der = to_bytes("certificate " + std::to_string(id));
  return item;
}

FakeOutbox::FakeOutbox(uint64_t devices) {
  for (uint64_t id = 1; id <= devices; ++id) items[id] = make_item(id);
}

void FakeOutbox::add(uint64_t id) {
  const std::lock_guard lock(mutex_);
  items[id] = make_item(id);
}

size_t FakeOutbox::booked_count() {
  const std::lock_guard lock(mutex_);
  return booked.size();
}

Result<std::vector<CloudItem>> FakeOutbox::claim(const std::string& /*target*/,
                                                 uint64_t after,
                                                 uint32_t limit) {
  const std::lock_guard lock(mutex_);
  if (failure) return fail(*failure, "fake");
  std::vector<CloudItem> waiting;
  for (auto each = items.upper_bound(after); each != items.end() && waiting.size() < limit; ++each)
    if (each->second.state == RegistrationState::Waiting) waiting.push_back(each->second);
  return waiting;
}

Result<CloudBooked> FakeOutbox::book(const std::string& /*target*/,
                                     const std::vector<CloudBooking>& bookings) {
  const std::lock_guard lock(mutex_);
  if (failure) return fail(*failure, "fake");
  for (const CloudBooking& each : bookings) {
    booked[each.issuance_id] = each;
    items[each.issuance_id].state = each.state;
    items[each.issuance_id].steps |= each.steps;
    items[each.issuance_id].attempts = std::max(items[each.issuance_id].attempts, each.attempts);
  }
  return CloudBooked{bookings.size(), 0, {}};
}

Result<BulkTask> FakeOutbox::create_task(const std::string& name, const std::string& key) {
  BulkTask task;
  task.id = tasks.size() + 1;
  task.target = name;
  task.object_key = key;
  return tasks[task.id] = task;
}

Result<BulkTask> FakeOutbox::fill_task(uint64_t task_id, uint32_t lines) {
  BulkTask& task = tasks.at(task_id);
  for (auto& [id, item] : items) {
    if (task.lines == lines) break;
    if (item.state != RegistrationState::Waiting) continue;
    item.state = RegistrationState::InTask;
    task_of[id] = task_id;
    ++task.lines;
  }
  return task;
}

Result<std::vector<CloudItem>> FakeOutbox::task_items(uint64_t task_id,
                                                      uint64_t after,
                                                      uint32_t limit) {
  std::vector<CloudItem> found;
  for (auto each = items.upper_bound(after); each != items.end() && found.size() < limit; ++each)
    if (task_of[each->first] == task_id) found.push_back(each->second);
  return found;
}

Result<BulkTask> FakeOutbox::update_task(uint64_t task_id, const BulkTaskChange& change) {
  BulkTask& task = tasks.at(task_id);
  task.state = change.state;
  if (change.aws_task_id) task.aws_task_id = *change.aws_task_id;
  if (change.sha256) task.sha256 = change.sha256;
  task.reason = change.reason;
  return task;
}

Result<uint64_t> FakeOutbox::return_task_items(uint64_t task_id, uint32_t /*limit*/) {
  uint64_t returned = 0;
  for (auto& [id, item] : items) {
    if (task_of[id] != task_id || item.state != RegistrationState::InTask) continue;
    item.state = RegistrationState::Waiting;
    ++returned;
  }
  return returned;
}

Result<std::vector<BulkTask>> FakeOutbox::open_tasks(const std::string& /*target*/) {
  std::vector<BulkTask> open;
  for (const auto& [id, task] : tasks)
    if (task.state < BulkTaskState::Booked) open.push_back(task);
  return open;
}

Result<std::vector<CloudTargetStatus>> FakeOutbox::status() {
  CloudTargetStatus only;
  only.target = target;
  only.is_configured = true;
  only.feeds = {{"default", true}};
  return std::vector{only};
}

Result<std::vector<CloudRegistration>> FakeOutbox::registrations(
    const std::string& /*target*/,
    std::optional<RegistrationState> state,
    uint64_t after,
    uint32_t limit) {
  std::vector<CloudRegistration> found;
  for (auto each = items.upper_bound(after); each != items.end() && found.size() < limit; ++each) {
    if (state && each->second.state != *state) continue;
    CloudRegistration registration;
    registration.issuance_id = each->first;
    registration.state = each->second.state;
    registration.device_id = each->second.device_id;
    registration.issuer_der = each->second.issuer_der;
    registration.steps = each->second.steps;
    found.push_back(registration);
  }
  return found;
}

Result<CertificatePage> FakeOutbox::certificates(const std::string& /*order*/,
                                                 uint64_t after,
                                                 uint32_t limit) {
  CertificatePage page;
  for (auto each = items.upper_bound(after); each != items.end(); ++each) {
    if (page.certificates.size() == limit) return page;
    LedgerCertificate certificate;
    certificate.issuance_id = each->first;
    certificate.device_id = each->second.device_id;
    certificate.certificate_der = each->second.certificate_der;
    certificate.issuer_der = each->second.issuer_der;
    certificate.serial = each->second.serial;
    page.certificates.push_back(std::move(certificate));
    page.next_after = each->first;
  }
  page.is_end = true;
  return page;
}

// In the order of their numbers.
Result<std::vector<LedgerCa>> FakeOutbox::cas() {
  std::vector<LedgerCa> all;
  for (const auto& [id, item] : items) {
    const bool is_known = std::any_of(all.begin(), all.end(), [&](const LedgerCa& ca) {
      return ca.certificate_der == item.issuer_der;
    });
    if (!is_known) all.push_back({item.issuer_der, {}});
  }
  return all;
}

}  // namespace linesign::test
