#include "appliance/cloud/uploader/admin_outbox.h"

#include "appliance/cloud/targets/plan_check.h"

namespace linesign {

template <typename T>
Result<T> AdminOutbox::explain(const std::string& target, Result<T> answer) const {
  if (answer.has_value()) return answer;
  return fail(explain_unknown_target(config_, target, answer.error()));
}

Result<std::vector<CloudItem>> AdminOutbox::claim(const std::string& target,
                                                  uint64_t after,
                                                  uint32_t limit) {
  return explain(target, client_.claim(target, after, limit));
}

Result<CloudBooked> AdminOutbox::book(const std::string& target,
                                      const std::vector<CloudBooking>& bookings) {
  return explain(target, client_.book(target, bookings));
}

Result<BulkTask> AdminOutbox::create_task(const std::string& target,
                                          const std::string& object_key) {
  return explain(target, client_.create_task(target, object_key));
}

Result<BulkTask> AdminOutbox::fill_task(uint64_t task_id, uint32_t lines) {
  return client_.fill_task(task_id, lines);
}

Result<std::vector<CloudItem>> AdminOutbox::task_items(uint64_t task_id,
                                                       uint64_t after,
                                                       uint32_t limit) {
  return client_.task_items(task_id, after, limit);
}

Result<BulkTask> AdminOutbox::update_task(uint64_t task_id, const BulkTaskChange& change) {
  return client_.update_task(task_id, change);
}

Result<uint64_t> AdminOutbox::return_task_items(uint64_t task_id, uint32_t limit) {
  return client_.return_task_items(task_id, limit);
}

Result<std::vector<BulkTask>> AdminOutbox::open_tasks(const std::string& target) {
  return explain(target, client_.open_tasks(target));
}

Result<std::vector<CloudTargetStatus>> AdminOutbox::status() { return client_.status(); }

Result<std::vector<CloudRegistration>> AdminOutbox::registrations(
    const std::string& target,
    std::optional<RegistrationState> state,
    uint64_t after,
    uint32_t limit) {
  for (;;) {
    LS_TRY(RegistrationPage page,
           explain(target, client_.registrations(target, state, after, limit)));
    if (!page.registrations.empty() || page.is_end) return std::move(page.registrations);
    after = page.next_after;
  }
}

Result<CertificatePage> AdminOutbox::certificates(const std::string& order,
                                                  uint64_t after,
                                                  uint32_t limit) {
  return client_.certificates(order, after, limit);
}

Result<std::vector<LedgerCa>> AdminOutbox::cas() { return client_.cas(); }

}  // namespace linesign
