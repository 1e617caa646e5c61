#include "appliance/cloud/registration/bulk_way.h"

#include <algorithm>

#include <fmt/format.h>

#include "appliance/cloud/aws/retry.h"
#include "appliance/cloud/aws/times.h"
#include "appliance/cloud/manifest/manifest_line.h"
#include "appliance/cloud/registration/ca_registrar.h"
#include "appliance/cloud/registration/report_download.h"
#include "appliance/cloud/registration/task_search.h"
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
constexpr milliseconds kGatherLook(2'000);
constexpr std::chrono::minutes kClockSlack(15);  // between the ledger's clock and that of AWS

WayStep look_again(int looks) {
  WayStep step;
  step.again_after =
      std::min(kLongestLook, kFirstLook * (1 << std::min(looks, kMostLookDoublings)));
  return step;
}

BulkTaskChange to_state(BulkTaskState state) {
  BulkTaskChange change;
  change.state = state;
  return change;
}

}  // namespace

// The newest is not always the last: the clock may have been set back a little between two of them.
void BulkWay::LineFacts::add(const std::vector<CloudItem>& items) {
  const Bytes* last = nullptr;
  for (const CloudItem& each : items) {
    newest = std::max(newest, each.committed_at);
    if (last == nullptr || *last != each.issuer_der) cas.insert(issuer_id(each));
    last = &each.issuer_der;
  }
}

WayStep BulkWay::step() {
  auto done = advance();
  WayStep step;
  if (done.has_value()) {
    step = std::move(*done);
  } else {
    step.hold = done.error();
  }
  step.notes = std::exchange(notes_, {});
  return step;
}

Result<WayStep> BulkWay::advance() {
  LS_TRY(std::vector<BulkTask> open, outbox_.open_tasks(target_));
  if (!std::exchange(is_swept_, true)) files_.sweep(open);
  const bool is_at_work =
      !open.empty() && (open.front().state != BulkTaskState::Planned || open.front().lines > 0);
  if (!is_at_work) {
    LS_TRY(const std::optional<WayStep> wait, gather());
    if (wait) return *wait;
  }
  if (open.empty()) {
    LS_TRY(BulkTask made, create_task());
    open.push_back(std::move(made));
  }
  const BulkTask& task = open.front();
  switch (task.state) {
    case BulkTaskState::Planned:
      return plan(task);
    case BulkTaskState::Uploaded:
      return start(task);
    case BulkTaskState::Started:
      return watch(task);
    default:
      return book(task);
  }
}

// A line that AWS failed at is old, so a wait is counted from the end of the last task on.
Result<std::optional<WayStep>> BulkWay::gather() const {
  const uint32_t enough = std::clamp<uint32_t>(plan_.min_lines, 1, kMaxCloudItems);
  LS_TRY(const std::vector<CloudItem> items, outbox_.claim(target_, 0, enough));
  WayStep wait;
  wait.is_idle = items.empty();
  if (wait.is_idle) return wait;
  const UnixTime now = clock_.now();
  const UnixTime since = std::max(items.front().committed_at, last_end_);
  const bool is_time = since > now || now - since >= plan_.max_wait;  // a clock that went back
  if (items.size() >= enough || is_time) return std::optional<WayStep>();
  wait.again_after = std::min<milliseconds>(kGatherLook, since + plan_.max_wait - now);
  return wait;
}

Result<BulkTask> BulkWay::create_task() {
  const auto salt = static_cast<uint32_t>(aws::random_fraction() * 0xffffffff);
  return outbox_.create_task(
      target_,
      fmt::format(
          "{}{}/{}-{:08x}.ndjson", plan_.prefix, target_, aws::to_amz_date(clock_.now()), salt));
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
  if (written.lines == 0) {
    files_.remove(task.id);
    if (step.parked == 0 && foreign_) return fail(*foreign_);
    return step;
  }
  // Before the upload: an object of this key with other lines than now is then known as ours.
  BulkTaskChange change = to_state(BulkTaskState::Planned);
  change.sha256 = written.sha256;
  LS_CHECK(outbox_.update_task(task.id, change));
  LS_TRY(const bool is_there,
         object_of(task).upload(files_.manifest(task.id), written.sha256, task.sha256));
  if (!is_there) {
    LS_CHECK(give_up(task, "an object with other lines has this key"));
    return step;
  }
  change.state = BulkTaskState::Uploaded;
  LS_CHECK(outbox_.update_task(task.id, change));
  unstarted_task_ = task.id;
  files_.remove(task.id);
  return step;
}

Result<void> BulkWay::write_manifest(const BulkTask& task,
                                     WrittenManifest& written,
                                     WayStep& step) {
  ManifestFile file(files_.manifest(task.id));
  facts_ = {};
  foreign_.reset();
  uint64_t after = 0;
  for (;;) {
    LS_TRY(const std::vector<CloudItem> items, outbox_.task_items(task.id, after, kMaxCloudItems));
    if (items.empty()) break;
    after = items.back().issuance_id;
    facts_.add(items);
    LS_TRY(const uint64_t parked_here, write_lines(items, file));
    step.parked += parked_here;
  }
  LS_TRY(written, file.finish());
  return {};
}

CloudBooking BulkWay::book_foreign(const CloudItem& item, const Error& error) {
  if (error.code() == ErrorCode::DeviceIdNotAllowed) return parked(item, error);
  foreign_ = error.with_context("device " + item.device_id);
  if (auto failed = setbacks_.add({parked(item, error), std::nullopt})) return std::move(*failed);
  CloudBooking waits;
  waits.issuance_id = item.issuance_id;
  waits.attempts = item.attempts;
  return waits;
}

// A device whose line cannot be made, or whose thing is not ours, leaves the task. Gives the number
// of those that are failed.
Result<uint64_t> BulkWay::write_lines(const std::vector<CloudItem>& items, ManifestFile& file) {
  std::vector<CloudBooking> poison;
  LS_TRY(const ForeignThings foreign, find_foreign(session_, plan_.things, items));
  for (const CloudItem& item : items) {
    if (item.state != RegistrationState::InTask) continue;
    if (const auto found = foreign.find(item.issuance_id); found != foreign.end()) {
      poison.push_back(book_foreign(item, found->second));
      continue;
    }
    const auto line = device_line(plan_.parameters, item);
    if (!line.has_value()) {
      poison.push_back(parked(item, line.error()));
      continue;
    }
    LS_CHECK(file.add(*line));
  }
  if (!poison.empty()) LS_CHECK(outbox_.book(target_, poison));
  return static_cast<uint64_t>(std::count_if(poison.begin(), poison.end(), [](const auto& each) {
    return each.state == RegistrationState::Parked;
  }));
}

Result<WayStep> BulkWay::start(const BulkTask& task) {
  LS_TRY(aws::IotClient iot, session_.iot());
  LS_TRY(std::string aws_id, find_started(task, iot));
  if (aws_id.empty()) {
    LS_CHECK(check_lines(task, iot));
    unstarted_task_ = 0;  // from here on there may be one
    LS_TRY(aws_id,
           iot.start_task({plan_.template_body, plan_.bucket, task.object_key, plan_.role_arn}));
  }
  BulkTaskChange change = to_state(BulkTaskState::Started);
  change.aws_task_id = aws_id;
  LS_CHECK(outbox_.update_task(task.id, change));
  looks_ = 0;
  return WayStep{};
}

Result<void> BulkWay::check_lines(const BulkTask& task, aws::IotClient& iot) {
  bool is_known = task.id == unstarted_task_;
  if (!is_known) facts_ = {};
  for (uint64_t after = 0; !is_known;) {
    LS_TRY(const std::vector<CloudItem> items, outbox_.task_items(task.id, after, kMaxCloudItems));
    facts_.add(items);
    is_known = items.empty();
    if (!is_known) after = items.back().issuance_id;
  }
  LS_CHECK(check_made(facts_.newest, iot.server_time()));
  for (const std::string& ca : facts_.cas) LS_CHECK(check_ca_usable(iot, ca));
  return {};
}

Result<std::string> BulkWay::find_started(const BulkTask& task, aws::IotClient& iot) {
  const auto clock_offset = iot.server_time() - clock_.now();
  const SoughtTask sought{
      plan_.bucket, task.object_key, task.created_at + clock_offset - kClockSlack};
  LS_TRY(FoundTask found, find_running(iot, sought));
  if (found.id.empty() && !found.other.empty()) return fail(ErrorCode::AwsTaskRunning, found.other);
  if (!found.id.empty() || task.id == unstarted_task_) return found.id;
  LS_TRY(found, find_ended(iot, sought));
  notes_.push_back(
      fmt::format("the start of the bulk task with {} had no answer: of {} tasks that ended, {}",
                  task.object_key,
                  found.looks,
                  found.id.empty() ? "none has it; it is started again" : found.id + " has it"));
  return found.id;
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
  LS_CHECK(fetch_reports(session_, files_, task, reports));
  if (const auto all = reports.what_all_failed_with()) {
    LS_CHECK(give_up(task, all->detail()));
    return fail(*all);
  }
  // Of one that failed or was cancelled AWS may not have come to every line.
  if (known->status == TaskStatus::Completed) reports.park_unmentioned();
  LS_TRY(WayStep step, book_lines(reports));
  LS_CHECK(return_items(task.id));
  LS_CHECK(outbox_.update_task(task.id, to_state(BulkTaskState::Booked)));
  if (step.registered + step.parked > 0) last_end_ = clock_.now();
  return step;
}

// In pieces that the ledger takes.
Result<void> BulkWay::book_in_pieces(const std::vector<CloudBooking>& bookings) {
  for (size_t at = 0; at < bookings.size(); at += kMaxCloudItems) {
    const size_t end = std::min<size_t>(bookings.size(), at + kMaxCloudItems);
    LS_CHECK(outbox_.book(target_,
                          {bookings.begin() + static_cast<ptrdiff_t>(at),
                           bookings.begin() + static_cast<ptrdiff_t>(end)}));
  }
  return {};
}

// In the order of the manifest, in which AWS works: a line that is registered came after the
// refused ones above it.
Result<WayStep> BulkWay::book_lines(const BulkReports& reports) {
  WayStep step;
  std::vector<CloudBooking> bookings;
  std::optional<Error> aside;
  const auto take = [&](CloudBooking booking) {
    if (booking.state == RegistrationState::Registered) ++step.registered;
    if (booking.state == RegistrationState::Parked) ++step.parked;
    bookings.push_back(std::move(booking));
  };
  for (const auto& [id, outcome] : reports.outcomes()) {
    const CloudBooking& booking = outcome.booking;
    if (!outcome.hold && booking.state == RegistrationState::Registered) {
      for (CloudBooking& each : setbacks_.got_through(id, setbacks_.now(), 0))
        take(std::move(each));
      take(booking);
      continue;
    }
    aside =
        outcome.hold ? *outcome.hold : Error(static_cast<ErrorCode>(booking.code), booking.reason);
    if (outcome.hold && !may_be_alone(*outcome.hold)) continue;
    if (auto failed = setbacks_.add(outcome)) take(std::move(*failed));
  }
  LS_CHECK(book_in_pieces(bookings));
  // Nobody got on: the next task begins later and later.
  if (step.registered == 0 && step.parked == 0) step.hold = std::move(aside);
  return step;
}

// Deleted with its reports, as AWS does after a while: registering again finds out what was done.
Result<WayStep> BulkWay::without_task(const BulkTask& task, const Error& error) {
  if (error.code() != ErrorCode::AwsNotFound) return fail(error);
  LS_CHECK(give_up(task, "AWS has forgotten the task"));
  return WayStep{};
}

// The next try is another task with another key.
Result<void> BulkWay::give_up(const BulkTask& task, const std::string& reason) {
  const auto stays = task.state != BulkTaskState::Planned ? object_of(task).remove() : std::nullopt;
  if (stays) notes_.push_back(*stays);
  files_.remove(task.id);
  LS_CHECK(return_items(task.id));
  BulkTaskChange change = to_state(BulkTaskState::Failed);
  change.reason = reason;
  LS_CHECK(outbox_.update_task(task.id, change));
  return {};
}

BulkObject BulkWay::object_of(const BulkTask& task) const {
  return BulkObject(session_, plan_.bucket, task.object_key, plan_.account);
}

Result<void> BulkWay::return_items(uint64_t task_id) {
  for (;;) {
    LS_TRY(const uint64_t returned, outbox_.return_task_items(task_id, kMaxCloudMoves));
    if (returned < kMaxCloudMoves) return {};
  }
}

}  // namespace linesign
