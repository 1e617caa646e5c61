#include "appliance/cloud/registration/bulk_way.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "appliance/cloud/aws/digests.h"
#include "appliance/cloud/aws/retry.h"
#include "appliance/cloud/aws/times.h"
#include "appliance/cloud/manifest/manifest_line.h"
#include "appliance/cloud/registration/ca_registrar.h"
#include "appliance/cloud/registration/report_file.h"
#include "appliance/cloud/registration/verdict.h"
#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

using aws::TaskStatus;
using std::chrono::milliseconds;

constexpr milliseconds kFirstLook(500);
constexpr milliseconds kLongestLook(15'000);
constexpr int kMostLookDoublings = 5;
constexpr uint64_t kMaxReportBytes = 4ULL * 1024 * 1024 * 1024;
constexpr std::array kOldTasks = {TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Cancelled};

WayStep look_again(int looks) {
  WayStep step;
  step.again_after =
      std::min(kLongestLook, kFirstLook * (1 << std::min(looks, kMostLookDoublings)));
  return step;
}

// Not always the last one: the clock may have been set back a little between two of them.
UnixTime newest_of(const std::vector<CloudItem>& items) {
  UnixTime newest{};
  for (const CloudItem& each : items) newest = std::max(newest, each.committed_at);
  return newest;
}

BulkTaskChange to_state(BulkTaskState state) {
  BulkTaskChange change;
  change.state = state;
  return change;
}

}  // namespace

WayStep BulkWay::step() {
  auto step = advance();
  if (step.has_value()) return std::move(*step);
  WayStep held;
  held.hold = step.error();
  return held;
}

Result<WayStep> BulkWay::advance() {
  LS_TRY(const std::optional<BulkTask> task, current_task());
  if (!task) {
    WayStep idle;
    idle.is_idle = true;
    return idle;
  }
  switch (task->state) {
    case BulkTaskState::Planned:
      return plan(*task);
    case BulkTaskState::Uploaded:
      return start(*task);
    case BulkTaskState::Started:
      return watch(*task);
    default:
      return book(*task);
  }
}

Result<std::optional<BulkTask>> BulkWay::current_task() {
  LS_TRY(std::vector<BulkTask> open, outbox_.open_tasks(target_));
  if (!open.empty() && (open.front().state != BulkTaskState::Planned || open.front().lines > 0))
    return std::optional(std::move(open.front()));
  LS_TRY(const std::vector<CloudItem> waiting, outbox_.claim(target_, 0, 1));
  if (waiting.empty()) return std::optional<BulkTask>();
  if (!open.empty()) return std::optional(std::move(open.front()));
  const auto salt = static_cast<uint32_t>(aws::random_fraction() * 0xffffffff);
  LS_TRY(BulkTask made,
         outbox_.create_task(target_,
                             fmt::format("{}{}/{}-{:08x}.ndjson",
                                         plan_.prefix,
                                         target_,
                                         aws::to_amz_date(clock_.now()),
                                         salt)));
  return std::optional(std::move(made));
}

std::filesystem::path BulkWay::manifest_path(const BulkTask& task) const {
  return plan_.work_dir / fmt::format("{}-{}.ndjson", target_, task.id);
}

Result<WayStep> BulkWay::plan(const BulkTask& task) {
  uint32_t lines = task.lines;
  for (;;) {
    LS_TRY(const BulkTask filled, outbox_.fill_task(task.id, plan_.chunk_lines));
    const bool is_full = filled.lines == lines || filled.lines >= plan_.chunk_lines;
    lines = filled.lines;
    if (is_full) break;
  }
  WayStep step;
  WrittenManifest written;
  LS_CHECK(write_manifest(task, written, step));
  if (written.lines == 0) return step;
  LS_TRY(const bool is_ours, upload(task, written));
  if (!is_ours) {
    LS_CHECK(give_up(task, "another object has this key"));
    return step;
  }
  BulkTaskChange change = to_state(BulkTaskState::Uploaded);
  change.sha256 = written.sha256;
  LS_CHECK(outbox_.update_task(task.id, change));
  unstarted_task_ = task.id;
  std::error_code ignored;
  std::filesystem::remove(manifest_path(task), ignored);
  return step;
}

Result<void> BulkWay::write_manifest(const BulkTask& task,
                                     WrittenManifest& written,
                                     WayStep& step) {
  ManifestFile file(manifest_path(task));
  newest_ = {};
  uint64_t after = 0;
  for (;;) {
    LS_TRY(const std::vector<CloudItem> items, outbox_.task_items(task.id, after, kMaxCloudItems));
    if (items.empty()) break;
    after = items.back().issuance_id;
    newest_ = std::max(newest_, newest_of(items));
    LS_TRY(const uint64_t parked_here, write_lines(items, file));
    step.parked += parked_here;
  }
  LS_TRY(written, file.finish());
  return {};
}

// A device whose line cannot be made is parked and leaves the task. Gives the number of these.
Result<uint64_t> BulkWay::write_lines(const std::vector<CloudItem>& items, ManifestFile& file) {
  std::vector<CloudBooking> poison;
  for (const CloudItem& item : items) {
    if (item.state != RegistrationState::InTask) continue;
    const auto line = device_line(plan_.parameters, item);
    if (!line.has_value()) {
      poison.push_back(parked(item, line.error()));
      continue;
    }
    LS_CHECK(file.add(*line));
  }
  if (!poison.empty()) LS_CHECK(outbox_.book(target_, poison));
  return poison.size();
}

// False: the key is taken by something else.
Result<bool> BulkWay::upload(const BulkTask& task, const WrittenManifest& written) {
  aws::S3Client s3 = session_.s3();
  const aws::S3Location to{plan_.bucket, task.object_key};
  aws::S3Upload upload;
  upload.to = to;
  upload.file = manifest_path(task);
  upload.expected_owner = plan_.account;
  LS_TRY(const aws::UploadOutcome outcome, s3.upload(upload));
  if (outcome == aws::UploadOutcome::Created) return true;
  LS_TRY(const aws::S3Object there, s3.head_object(to));
  return there.checksum_sha256 == aws::to_base64(written.sha256);
}

Result<WayStep> BulkWay::start(const BulkTask& task) {
  std::string other;
  LS_TRY(std::string aws_id, find_started(task, other));
  if (aws_id.empty() && !other.empty()) return fail(ErrorCode::AwsTaskRunning, other);
  if (aws_id.empty()) {
    LS_TRY(aws::IotClient iot, session_.iot());
    LS_CHECK(check_newest(task, iot.server_time()));
    LS_CHECK(check_ca_usable(iot, plan_.ca_id));  // without it every line would fail
    unstarted_task_ = 0;                          // from here on there may be one
    auto started =
        iot.start_task({plan_.template_body, plan_.bucket, task.object_key, plan_.role_arn});
    if (!started.has_value()) return fail(started.error());
    aws_id = std::move(*started);
  }
  BulkTaskChange change = to_state(BulkTaskState::Started);
  change.aws_task_id = aws_id;
  LS_CHECK(outbox_.update_task(task.id, change));
  looks_ = 0;
  return WayStep{};
}

Result<void> BulkWay::check_newest(const BulkTask& task, UnixTime server_time) {
  if (task.id == unstarted_task_) return check_made(newest_, server_time);
  uint64_t after = 0;
  for (;;) {
    LS_TRY(const std::vector<CloudItem> items, outbox_.task_items(task.id, after, kMaxCloudItems));
    if (items.empty()) return {};
    after = items.back().issuance_id;
    LS_CHECK(check_made(newest_of(items), server_time));
  }
}

Result<std::string> BulkWay::find_started(const BulkTask& task, std::string& other) {
  LS_TRY(aws::IotClient iot, session_.iot());
  LS_TRY(std::string found, find_among(iot, task, TaskStatus::InProgress, other));
  if (!found.empty() || !other.empty() || task.id == unstarted_task_) return found;
  std::string ignored;
  for (const TaskStatus status : kOldTasks) {
    LS_TRY(found, find_among(iot, task, status, ignored));
    if (!found.empty()) return found;
  }
  return found;
}

// `other`: what is known of another one in this state.
Result<std::string> BulkWay::find_among(aws::IotClient& iot,
                                        const BulkTask& task,
                                        TaskStatus status,
                                        std::string& other) const {
  std::string next;
  do {
    LS_TRY(const aws::Page<std::string> page, iot.list_tasks(status, next));
    for (const std::string& id : page.items) {
      LS_TRY(const aws::TaskDescription known, iot.describe_task(id));
      if (known.key == task.object_key && known.bucket == plan_.bucket) return id;
      other = fmt::format("{} with {}/{}", id, known.bucket, known.key);
    }
    next = page.next;
  } while (!next.empty());
  return std::string();
}

Result<WayStep> BulkWay::watch(const BulkTask& task) {
  LS_TRY(aws::IotClient iot, session_.iot());
  const auto known = iot.describe_task(task.aws_task_id);
  if (!known.has_value()) return without_task(task, known.error());
  if (known->status == TaskStatus::InProgress || known->status == TaskStatus::Cancelling)
    return look_again(looks_++);
  looks_ = 0;
  BulkTaskChange change = to_state(BulkTaskState::Finished);
  change.reason = known->message;
  LS_CHECK(outbox_.update_task(task.id, change));
  const bool has_failed = known->status != TaskStatus::Completed;
  if (!has_failed || known->succeeded + known->failed > 0) return WayStep{};
  LS_CHECK(give_up(task, known->message));
  return fail(ErrorCode::AwsRefused,
              fmt::format("the bulk task {} {}: {}",
                          task.aws_task_id,
                          aws::to_string(known->status),
                          known->message));
}

Result<BulkLines> BulkWay::load_lines(uint64_t task_id) {
  BulkLines lines;
  uint64_t after = 0;
  for (;;) {
    LS_TRY(const std::vector<CloudItem> items, outbox_.task_items(task_id, after, kMaxCloudItems));
    if (items.empty()) return lines;
    after = items.back().issuance_id;
    for (const CloudItem& item : items) {
      const DeviceFields fields = fields_of(item);
      const auto thing = fill_in(plan_.thing_name, fields);
      lines.add(item,
                sha256(item.certificate_der),
                fields.certificate_pem,
                thing.value_or(item.device_id));
    }
  }
}

Result<WayStep> BulkWay::book(const BulkTask& task) {
  LS_TRY(const BulkLines lines, load_lines(task.id));
  BulkReports reports(lines);
  LS_TRY(aws::IotClient iot, session_.iot());
  const auto known = iot.describe_task(task.aws_task_id);
  if (!known.has_value()) return without_task(task, known.error());
  LS_CHECK(fetch_reports(task, aws::ReportType::Results, reports));
  LS_CHECK(fetch_reports(task, aws::ReportType::Errors, reports));
  if (const auto all = reports.what_all_failed_with()) {
    LS_CHECK(give_up(task, all->detail()));
    return fail(*all);
  }
  // Of one that failed or was cancelled AWS may not have come to every line.
  if (known->status == TaskStatus::Completed) reports.park_unmentioned();
  LS_TRY(WayStep step, book_lines(reports));
  LS_CHECK(return_items(task.id));
  LS_CHECK(outbox_.update_task(task.id, to_state(BulkTaskState::Booked)));
  return step;
}

Result<WayStep> BulkWay::book_lines(const BulkReports& reports) {
  WayStep step;
  std::vector<CloudBooking> bookings;
  std::optional<Error> may_pass;
  for (const auto& [id, outcome] : reports.outcomes()) {
    if (outcome.booking.state == RegistrationState::Registered) ++step.registered;
    if (outcome.booking.state == RegistrationState::Parked) ++step.parked;
    if (!outcome.hold) {
      bookings.push_back(outcome.booking);
      continue;
    }
    may_pass = outcome.hold;
    if (may_be_alone(*outcome.hold)) setbacks_.add(outcome);
  }
  for (CloudBooking& each :
       reports.has_registered() ? setbacks_.settle() : setbacks_.settle_refused()) {
    if (each.state == RegistrationState::Parked) ++step.parked;
    bookings.push_back(std::move(each));
  }
  for (size_t at = 0; at < bookings.size(); at += kMaxCloudItems) {
    const size_t end = std::min<size_t>(bookings.size(), at + kMaxCloudItems);
    LS_CHECK(outbox_.book(target_,
                          {bookings.begin() + static_cast<ptrdiff_t>(at),
                           bookings.begin() + static_cast<ptrdiff_t>(end)}));
  }
  // Nobody got on: the next task begins later and later.
  if (step.registered == 0 && step.parked == 0) step.hold = std::move(may_pass);
  return step;
}

// Deleted with its reports, as AWS does after a while: registering again finds out what was done.
Result<WayStep> BulkWay::without_task(const BulkTask& task, const Error& error) {
  if (error.code() != ErrorCode::AwsNotFound) return fail(error);
  LS_CHECK(give_up(task, "AWS has forgotten the task"));
  return WayStep{};
}

Result<void> BulkWay::fetch_reports(const BulkTask& task,
                                    aws::ReportType type,
                                    BulkReports& reports) {
  LS_TRY(aws::IotClient iot, session_.iot());
  std::string next;
  do {
    LS_TRY(const aws::Page<std::string> page, iot.list_task_reports(task.aws_task_id, type, next));
    for (const std::string& url : page.items) LS_CHECK(fetch_report(task, type, url, reports));
    next = page.next;
  } while (!next.empty());
  return {};
}

// A link that has expired meanwhile is an error: the next step asks for new ones.
Result<void> BulkWay::fetch_report(const BulkTask& task,
                                   aws::ReportType type,
                                   const std::string& url,
                                   BulkReports& reports) {
  const bool is_result = type == aws::ReportType::Results;
  const auto file =
      plan_.work_dir / fmt::format("{}-{}-{}", target_, task.id, is_result ? "results" : "errors");
  LS_CHECK(session_.s3().download(url, file, kMaxReportBytes));
  // A line that was cut for its length is no JSON any more, and names nobody.
  LS_CHECK(for_each_report_line(file, [&](const std::string& line, uint64_t) -> Result<void> {
    is_result ? reports.take_result(line) : reports.take_error(line);
    return {};
  }));
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  return {};
}

Result<void> BulkWay::give_up(const BulkTask& task, const std::string& reason) {
  LS_CHECK(return_items(task.id));
  BulkTaskChange change = to_state(BulkTaskState::Failed);
  change.reason = reason;
  LS_CHECK(outbox_.update_task(task.id, change));
  return {};
}

Result<void> BulkWay::return_items(uint64_t task_id) {
  for (;;) {
    LS_TRY(const uint64_t returned, outbox_.return_task_items(task_id, kMaxCloudMoves));
    if (returned < kMaxCloudMoves) return {};
  }
}

}  // namespace linesign
