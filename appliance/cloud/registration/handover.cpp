#include "appliance/cloud/registration/handover.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include <fmt/format.h>

#include "appliance/cloud/manifest/manifest_line.h"
#include "appliance/cloud/registration/verdict.h"
#include "protocol/base/bytes.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr size_t kMaxListBytes = 32 * 1024 * 1024;  // a million numbers
constexpr mode_t kPrivateFile = 0600;
constexpr const char* kLinesSuffix = ".ndjson";
constexpr const char* kTableSuffix = ".csv";

constexpr std::string_view kWriting = "writing\n";
constexpr std::string_view kWritten = "written\n";
constexpr int kMostNames = 1000;

std::vector<uint64_t> read_numbers(std::string_view text) {
  std::vector<uint64_t> numbers;
  while (!text.empty()) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) break;
    numbers.push_back(number);
    const auto used = static_cast<size_t>(end - text.data());
    text.remove_prefix(std::min(text.size(), used + 1));
  }
  return numbers;
}

WayStep held(Error error) {
  WayStep step;
  step.hold = std::move(error);
  return step;
}

Result<uint64_t> hand_over(Outbox& outbox,
                           const std::string& target,
                           std::vector<CloudBooking> bookings) {
  if (bookings.empty()) return 0;
  LS_TRY(const CloudBooked booked, outbox.book(target, bookings));
  if (!booked.refused.empty())
    return fail(ErrorCode::Internal,
                "the ledger refuses a booking: " + booked.refused.front().reason);
  return bookings.size();
}

CloudBooking handed_over(uint64_t id) {
  CloudBooking booking;
  booking.issuance_id = id;
  booking.state = RegistrationState::HandedOver;
  return booking;
}

}  // namespace

WayStep FileWay::step() {
  auto step = advance();
  return step.has_value() ? std::move(*step) : held(step.error());
}

Result<void> check_export_dir(const std::filesystem::path& export_dir) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(export_dir, ignored))
    return fail(
        ErrorCode::Io,
        fmt::format("export_dir {} is not there: is the stick in its place?", export_dir.string()));
  if (::access(export_dir.c_str(), W_OK | X_OK) != 0)
    return fail(ErrorCode::Io,
                fmt::format("export_dir {}: {}", export_dir.string(), errno_text(errno)));
  return {};
}

Result<WayStep> FileWay::advance() {
  LS_TRY(std::optional<List> list, read_list());
  if (list && list->is_written) {
    LS_CHECK(book(list->ids));
    remove_list();
    list.reset();
  }
  WayStep step;
  if (!list) {
    LS_TRY(std::vector<uint64_t> ids, list_waiting(step));
    step.is_idle = ids.empty() && step.parked == 0;
    if (ids.empty()) return step;
    list = List{false, std::move(ids)};
    LS_CHECK(write_list(*list));
  }
  LS_TRY(list->is_written, write_files(list->ids));
  if (list->is_written) {
    LS_CHECK(write_list(*list));
    LS_TRY(step.registered, book(list->ids));
  }
  remove_list();
  return step;
}

Result<std::optional<FileWay::List>> FileWay::read_list() const {
  std::error_code ignored;
  if (!std::filesystem::exists(list_path(), ignored)) return std::optional<List>();
  LS_TRY(const Bytes bytes, read_file(list_path(), kMaxListBytes));
  std::string_view text = as_text(bytes);
  List list;
  list.is_written = text.starts_with(kWritten);
  text.remove_prefix(std::min(text.size(), text.find('\n') + 1));
  list.ids = read_numbers(text);
  return list.ids.empty() ? std::optional<List>() : std::optional(std::move(list));
}

Result<void> FileWay::write_list(const List& list) const {
  std::string text(list.is_written ? kWritten : kWriting);
  for (const uint64_t id : list.ids) text += fmt::format("{}\n", id);
  return write_file_atomic(
      list_path(), as_bytes(text), kPrivateFile, Overwrite::Replace, Durability::Synced);
}

void FileWay::remove_list() const {
  std::error_code ignored;
  std::filesystem::remove(list_path(), ignored);
}

// Those whose line can be made go into the list, the others are parked. Gives the number of these.
Result<uint64_t> FileWay::sort_out(const std::vector<CloudItem>& items,
                                   std::vector<uint64_t>& ids) {
  std::vector<CloudBooking> poison;
  for (const CloudItem& item : items) {
    const auto line = device_line(plan_.parameters, item);
    if (line.has_value()) {
      ids.push_back(item.issuance_id);
    } else {
      poison.push_back(parked(item, line.error()));
    }
  }
  if (!poison.empty()) LS_CHECK(outbox_.book(target_, poison));
  return poison.size();
}

Result<std::vector<uint64_t>> FileWay::list_waiting(WayStep& step) {
  std::vector<uint64_t> ids;
  uint64_t after = 0;
  while (ids.size() < plan_.chunk_lines) {
    LS_TRY(const std::vector<CloudItem> items, outbox_.claim(target_, after, kMaxCloudItems));
    if (items.empty()) break;
    after = items.back().issuance_id;
    LS_TRY(const uint64_t parked_here, sort_out(items, ids));
    step.parked += parked_here;
  }
  return ids;
}

Result<void> FileWay::for_each(const std::vector<uint64_t>& ids,
                               const std::function<Result<void>(const CloudItem&)>& take) {
  uint64_t after = ids.front() - 1;
  while (after < ids.back()) {
    LS_TRY(const std::vector<CloudItem> items, outbox_.claim(target_, after, kMaxCloudItems));
    if (items.empty()) return {};
    after = items.back().issuance_id;
    for (const CloudItem& item : items)
      if (std::binary_search(ids.begin(), ids.end(), item.issuance_id)) LS_CHECK(take(item));
  }
  return {};
}

Result<bool> FileWay::write_files(const std::vector<uint64_t>& ids) {
  LS_CHECK(check_export_dir(plan_.export_dir));
  const std::string name = fmt::format("{}-{}-{}", target_, ids.front(), ids.back());
  ManifestFile lines(plan_.export_dir / (name + kLinesSuffix));
  ManifestFile table(plan_.export_dir / (name + kTableSuffix));
  LS_CHECK(table.add_header(csv_header()));
  const auto add = [&](const CloudItem& item) -> Result<void> {
    const auto line = device_line(plan_.parameters, item);
    if (!line.has_value()) return {};  // of a list from before: sorted out anew
    LS_CHECK(lines.add(*line));
    return table.add(csv_line(item));
  };
  LS_CHECK(for_each(ids, add));
  if (lines.lines() != ids.size()) return false;
  LS_CHECK(name_files(lines, table, name));
  return true;
}

// The first name that neither of the two must share with something else. A file of the same content
// is ours: of a process that was killed.
Result<void> FileWay::name_files(ManifestFile& lines,
                                 ManifestFile& table,
                                 const std::string& name) const {
  struct Wanted {
    ManifestFile& file;
    const char* suffix;
    Sha256 sha256{};
    std::filesystem::path path{};
    bool is_there = false;
  };
  std::array<Wanted, 2> both = {Wanted{lines, kLinesSuffix}, Wanted{table, kTableSuffix}};
  for (Wanted& each : both) {
    LS_TRY(const std::filesystem::path hidden, each.file.settle());
    LS_TRY(each.sha256, file_sha256(hidden));
  }
  for (int number = 1; number <= kMostNames; ++number) {
    bool is_free = true;
    for (Wanted& each : both) {
      each.path = plan_.export_dir /
                  ((number == 1 ? name : fmt::format("{}-{}", name, number)) + each.suffix);
      std::error_code ignored;
      each.is_there = std::filesystem::exists(each.path, ignored);
      if (!each.is_there) continue;
      const auto there = file_sha256(each.path);
      is_free = is_free && there.has_value() && *there == each.sha256;
    }
    if (!is_free) continue;
    for (Wanted& each : both)
      if (!each.is_there) LS_CHECK(each.file.finish_new(each.path));
    return {};
  }
  return fail(ErrorCode::FileExists, (plan_.export_dir / name).string());
}

Result<uint64_t> FileWay::book(const std::vector<uint64_t>& ids) {
  uint64_t booked = 0;
  std::vector<CloudBooking> bookings;
  for (const uint64_t id : ids) {
    bookings.push_back(handed_over(id));
    if (bookings.size() < kMaxCloudItems && id != ids.back()) continue;
    LS_TRY(const uint64_t part, hand_over(outbox_, target_, std::exchange(bookings, {})));
    booked += part;
  }
  return booked;
}

WayStep JitWay::step() {
  const auto items = outbox_.claim(target_, 0, kMaxCloudItems);
  if (!items.has_value()) return held(items.error());
  WayStep step;
  step.is_idle = items->empty();
  if (step.is_idle) return step;
  const auto checked = check_ca_();
  if (!checked.has_value()) return held(checked.error());
  std::vector<CloudBooking> bookings;
  for (const CloudItem& item : *items) bookings.push_back(handed_over(item.issuance_id));
  const auto booked = hand_over(outbox_, target_, std::move(bookings));
  if (!booked.has_value()) return held(booked.error());
  step.registered = *booked;
  return step;
}

}  // namespace linesign
