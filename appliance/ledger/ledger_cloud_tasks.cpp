// Bulk tasks: which certificates went to AWS in one file.
#include <fmt/format.h>

#include "appliance/ledger/ledger_cloud_implementation.h"

namespace linesign {
namespace {

BulkTaskRow read_task(const Statement& row) {
  BulkTaskRow found;
  BulkTask& task = found.task;
  task.id = static_cast<uint64_t>(row.integer(0));
  task.target = row.text(1);
  task.object_key = row.text(2);
  task.aws_task_id = row.text(3);
  task.state = static_cast<BulkTaskState>(row.integer(4));
  task.first_issuance = static_cast<uint64_t>(row.integer(5));
  task.last_issuance = static_cast<uint64_t>(row.integer(6));
  task.lines = static_cast<uint32_t>(row.integer(7));
  if (!row.is_null(8)) task.sha256 = row.array<32>(8);
  task.created_at = to_unix_time(row.integer(9));
  task.updated_at = to_unix_time(row.integer(10));
  task.reason = row.text(11);
  found.target_id = row.integer(12);
  return found;
}

bool is_over(BulkTaskState state) { return state >= BulkTaskState::Booked; }

tl::unexpected<Error> wrong_task(uint64_t id, std::string_view what) {
  return fail(ErrorCode::InputInvalid, fmt::format("bulk task {} {}", id, what));
}

}  // namespace

Result<BulkTaskRow> LedgerCloud::Implementation::task_of(uint64_t task_id) {
  std::optional<BulkTaskRow> found;
  LS_CHECK(sql_[CloudSql::TaskById].query([&](const Statement& row) { found = read_task(row); },
                                          to_row_id(task_id)));
  if (!found.has_value()) return wrong_task(task_id, "is not known");
  return std::move(*found);
}

Result<BulkTask> LedgerCloud::Implementation::create_task(std::string_view target,
                                                          std::string_view object_key,
                                                          UnixTime now) {
  if (object_key.empty() || object_key.size() > kMaxObjectKeyBytes)
    return fail(ErrorCode::InputInvalid, "an object key has 1 to 1024 bytes");
  LS_TRY(const CloudTargetRow target_row, target_of(target));
  LS_CHECK(sql_[CloudSql::InsertTask].execute(target_row.id, object_key, to_seconds(now)));
  std::optional<BulkTaskRow> found;
  LS_CHECK(sql_[CloudSql::TaskByKey].query([&](const Statement& row) { found = read_task(row); },
                                           object_key));
  if (!found.has_value()) return fail(ErrorCode::Internal, "a new bulk task is not there");
  if (found->target_id != target_row.id)
    return wrong_task(found->task.id, "of target " + found->task.target + " has this key");
  return std::move(found->task);
}

// The bounds are looked up again: both ends may have moved.
Result<void> LedgerCloud::Implementation::count_lines(const BulkTaskRow& task,
                                                      int64_t difference,
                                                      UnixTime now) {
  LS_CHECK(sql_[CloudSql::CountTaskLines].execute(
      to_row_id(task.task.id), difference, to_seconds(now), task.target_id));
  return {};
}

Result<BulkTask> LedgerCloud::Implementation::fill_task(uint64_t task_id,
                                                        uint32_t lines,
                                                        UnixTime now) {
  LS_CHECK(check_limit(lines, kMaxTaskLines));
  LS_TRY(BulkTaskRow task, task_of(task_id));
  if (task.task.state != BulkTaskState::Planned) return wrong_task(task_id, "is not planned");
  if (task.task.lines >= lines) return std::move(task.task);
  const uint32_t wanted = std::min(lines - task.task.lines, kMaxCloudMoves);
  LS_CHECK(take_in(task.target_id, 0, wanted, now));
  LS_TRY(const int64_t moved,
         sql_[CloudSql::MoveIntoTask].execute(
             to_row_id(task_id), task.target_id, to_seconds(now), static_cast<int64_t>(wanted)));
  if (moved == 0) return std::move(task.task);
  CloudTally tally;
  tally.move(RegistrationState::Waiting, RegistrationState::InTask, moved);
  LS_CHECK(tally.save(sql_, task.target_id));
  LS_CHECK(count_lines(task, moved, now));
  LS_TRY(task, task_of(task_id));
  return std::move(task.task);
}

Result<void> LedgerCloud::Implementation::leave_task(RegistrationRow& row, LeftTasks& tasks) {
  const int64_t id = row.task_id.value_or(0);
  auto known = tasks.find(id);
  if (known == tasks.end()) {
    LS_TRY(BulkTaskRow task, task_of(static_cast<uint64_t>(id)));
    known = tasks.emplace(id, LeftTask{.task = std::move(task), .rows = 0}).first;
  }
  if (known->second.task.task.state != BulkTaskState::Planned) return {};
  ++known->second.rows;
  row.task_id = std::nullopt;
  return {};
}

Result<void> LedgerCloud::Implementation::count_left(const LeftTasks& tasks, UnixTime now) {
  for (const auto& [id, left] : tasks)
    if (left.rows != 0) LS_CHECK(count_lines(left.task, -left.rows, now));
  return {};
}

Result<std::vector<CloudItem>> LedgerCloud::Implementation::task_items(uint64_t task_id,
                                                                       uint64_t after,
                                                                       uint32_t limit) {
  LS_CHECK(check_limit(limit, kMaxCloudItems));
  LS_TRY(const BulkTaskRow task, task_of(task_id));
  std::vector<CloudItem> items;
  LS_CHECK(sql_[CloudSql::TaskItems].query(
      [&](const Statement& item) { items.push_back(read_cloud_item(item)); },
      to_row_id(task_id),
      to_row_id(after),
      static_cast<int64_t>(limit),
      task.target_id));
  return items;
}

Result<BulkTask> LedgerCloud::Implementation::update_task(uint64_t task_id,
                                                          const BulkTaskChange& change,
                                                          UnixTime now) {
  LS_TRY(BulkTaskRow row, task_of(task_id));
  BulkTask& task = row.task;
  if (change.state < task.state || (is_over(task.state) && change.state != task.state))
    return wrong_task(task_id, "does not go back");
  if (change.aws_task_id.has_value() && change.aws_task_id->size() > kMaxAwsTaskIdBytes)
    return wrong_task(task_id, "cannot have such a long AWS task id");
  if (is_over(change.state)) {
    LS_TRY(const int64_t inside,
           sql_[CloudSql::LineInTask].query([](const Statement&) {}, to_row_id(task_id)));
    if (inside != 0) return wrong_task(task_id, "has lines that are not booked");
  }
  std::optional<std::string_view> aws_task_id;
  if (change.aws_task_id.has_value()) {
    aws_task_id = *change.aws_task_id;
  } else if (!task.aws_task_id.empty()) {
    aws_task_id = task.aws_task_id;
  }
  const std::optional<Sha256> hash = change.sha256.has_value() ? change.sha256 : task.sha256;
  std::optional<ByteView> hash_view;
  if (hash.has_value()) hash_view = ByteView(*hash);
  LS_CHECK(sql_[CloudSql::SaveTask].execute(to_row_id(task_id),
                                            static_cast<int64_t>(change.state),
                                            aws_task_id,
                                            hash_view,
                                            cut_reason(change.reason),
                                            to_seconds(now)));
  LS_TRY(row, task_of(task_id));
  return std::move(row.task);
}

Result<uint64_t> LedgerCloud::Implementation::return_task_items(uint64_t task_id,
                                                                uint32_t limit,
                                                                UnixTime now) {
  LS_CHECK(check_limit(limit, kMaxCloudMoves));
  LS_TRY(const BulkTaskRow task, task_of(task_id));
  // A line that was never sent leaves no trace in its task.
  const bool is_planned = task.task.state == BulkTaskState::Planned;
  std::optional<int64_t> kept;
  if (!is_planned) kept = to_row_id(task_id);
  LS_TRY(
      const int64_t moved,
      sql_[CloudSql::MoveOutOfTask].execute(
          to_row_id(task_id), task.target_id, to_seconds(now), static_cast<int64_t>(limit), kept));
  if (moved == 0) return 0;
  CloudTally tally;
  tally.move(RegistrationState::InTask, RegistrationState::Waiting, moved);
  LS_CHECK(tally.save(sql_, task.target_id));
  if (is_planned) LS_CHECK(count_lines(task, -moved, now));
  return static_cast<uint64_t>(moved);
}

Result<std::vector<BulkTask>> LedgerCloud::Implementation::open_tasks(std::string_view target) {
  LS_TRY(const CloudTargetRow target_row, target_of(target));
  std::vector<BulkTask> tasks;
  LS_CHECK(sql_[CloudSql::OpenTasks].query(
      [&](const Statement& row) { tasks.push_back(std::move(read_task(row).task)); },
      target_row.id));
  return tasks;
}

}  // namespace linesign
