#include "appliance/cloud/registration/task_search.h"

#include <array>
#include <deque>

#include <fmt/format.h>

namespace linesign {
namespace {

using aws::TaskStatus;

constexpr int kMostLooks = 200;  // half a minute at the pace that AWS allows
constexpr int kMostOlder = 20;   // in a row, at one end of a list
constexpr int kMostPages = 40;   // of 250 ids
constexpr std::array kEnded = {TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Cancelled};

Result<std::deque<std::string>> list(aws::IotClient& iot, TaskStatus status) {
  std::deque<std::string> ids;
  std::string next;
  for (int pages = 0; pages < kMostPages; ++pages) {
    LS_TRY(const aws::Page<std::string> page, iot.list_tasks(status, next));
    ids.insert(ids.end(), page.items.begin(), page.items.end());
    next = page.next;
    if (next.empty()) break;
  }
  return ids;
}

bool is_sought(const aws::TaskDescription& task, const SoughtTask& sought) {
  return task.key == sought.key && task.bucket == sought.bucket;
}

std::string take_from(std::deque<std::string>& ids, bool at_front) {
  std::string id = at_front ? ids.front() : ids.back();
  at_front ? ids.pop_front() : ids.pop_back();
  return id;
}

// Tasks of one status, from both ends.
Result<void> look_through(aws::IotClient& iot,
                          const SoughtTask& sought,
                          std::deque<std::string> ids,
                          FoundTask& found) {
  std::array<int, 2> older{};
  for (size_t side = 0; !ids.empty() && found.looks < kMostLooks; side = 1 - side) {
    if (older.at(side) >= kMostOlder) side = 1 - side;
    if (older.at(side) >= kMostOlder) return {};
    const std::string id = take_from(ids, side == 0);
    ++found.looks;
    const auto task = iot.describe_task(id);
    if (!task.has_value() && task.error().code() == ErrorCode::AwsNotFound) continue;  // meanwhile
    if (!task.has_value()) return fail(task.error());
    if (is_sought(*task, sought)) {
      found.id = id;
      return {};
    }
    const bool is_older = task->created_at && *task->created_at < sought.not_before;
    older.at(side) = is_older ? older.at(side) + 1 : 0;
  }
  return {};
}

}  // namespace

Result<FoundTask> find_running(aws::IotClient& iot, const SoughtTask& sought) {
  FoundTask found;
  LS_TRY(const std::deque<std::string> ids, list(iot, TaskStatus::InProgress));
  for (const std::string& id : ids) {
    if (++found.looks > kMostLooks) break;
    LS_TRY(const aws::TaskDescription task, iot.describe_task(id));
    if (is_sought(task, sought)) {
      found.id = id;
      return found;
    }
    found.other = fmt::format("{} with {}/{}", id, task.bucket, task.key);
  }
  return found;
}

Result<FoundTask> find_ended(aws::IotClient& iot, const SoughtTask& sought) {
  FoundTask found;
  for (const TaskStatus status : kEnded) {
    LS_TRY(std::deque<std::string> ids, list(iot, status));
    LS_CHECK(look_through(iot, sought, std::move(ids), found));
    if (!found.id.empty()) return found;
  }
  return found;
}

}  // namespace linesign
