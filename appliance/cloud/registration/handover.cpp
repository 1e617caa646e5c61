#include "appliance/cloud/registration/handover.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "appliance/cloud/manifest/manifest_file.h"
#include "appliance/cloud/manifest/manifest_line.h"
#include "appliance/cloud/registration/verdict.h"
#include "protocol/base/bytes.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr size_t kMaxListBytes = 32 * 1024 * 1024;  // a million numbers
constexpr mode_t kPrivateFile = 0600;

// "FIRST LAST\n", then a number in each line.
std::string list_text(uint64_t first, uint64_t last, const std::vector<uint64_t>& ids) {
  std::string text = fmt::format("{}\n{}\n", first, last);
  for (const uint64_t id : ids) text += fmt::format("{}\n", id);
  return text;
}

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

std::filesystem::path FileWay::export_path(const Range& range, std::string_view suffix) const {
  return plan_.export_dir / fmt::format("{}-{}-{}{}", target_, range.first, range.last, suffix);
}

Result<WayStep> FileWay::advance() {
  LS_CHECK(finish_interrupted());
  WayStep step;
  Range range;
  LS_TRY(const std::vector<uint64_t> ids, list_waiting(range, step));
  step.is_idle = ids.empty() && step.parked == 0;
  if (ids.empty()) return step;
  LS_CHECK(make_directories(plan_.export_dir, 0700));
  LS_CHECK(write_file_atomic(list_path(),
                             as_bytes(list_text(range.first, range.last, ids)),
                             kPrivateFile,
                             Overwrite::Replace,
                             Durability::Synced));
  LS_CHECK(write_files(ids, range));
  LS_TRY(step.registered, book(ids));
  std::error_code ignored;
  std::filesystem::remove(list_path(), ignored);
  return step;
}

// Files that are complete and not booked are booked; others are written anew.
Result<void> FileWay::finish_interrupted() {
  std::error_code ignored;
  if (!std::filesystem::exists(list_path(), ignored)) return {};
  LS_TRY(const Bytes text, read_file(list_path(), kMaxListBytes));
  std::vector<uint64_t> numbers = read_numbers(as_text(text));
  if (numbers.size() > 2) {
    const Range range{numbers[0], numbers[1]};
    numbers.erase(numbers.begin(), numbers.begin() + 2);
    const bool is_written = std::filesystem::exists(export_path(range, ".ndjson"), ignored) &&
                            std::filesystem::exists(export_path(range, ".csv"), ignored);
    if (is_written) LS_CHECK(book(numbers));
  }
  std::filesystem::remove(list_path(), ignored);
  return {};
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

Result<std::vector<uint64_t>> FileWay::list_waiting(Range& range, WayStep& step) {
  std::vector<uint64_t> ids;
  uint64_t after = 0;
  while (ids.size() < plan_.chunk_lines) {
    LS_TRY(const std::vector<CloudItem> items, outbox_.claim(target_, after, kMaxCloudItems));
    if (items.empty()) break;
    after = items.back().issuance_id;
    LS_TRY(const uint64_t parked_here, sort_out(items, ids));
    step.parked += parked_here;
  }
  if (!ids.empty()) range = {ids.front(), ids.back()};
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

Result<void> FileWay::write_files(const std::vector<uint64_t>& ids, const Range& range) {
  ManifestFile lines(export_path(range, ".ndjson"));
  ManifestFile table(export_path(range, ".csv"));
  LS_CHECK(table.add_header(csv_header()));
  const auto add = [&](const CloudItem& item) -> Result<void> {
    LS_TRY(const std::string line, device_line(plan_.parameters, item));
    LS_CHECK(lines.add(line));
    return table.add(csv_line(item));
  };
  LS_CHECK(for_each(ids, add));
  LS_TRY(const WrittenManifest written, lines.finish());
  if (written.lines != ids.size())
    return fail(ErrorCode::Internal, "the outbox changed while the files were written");
  LS_CHECK(table.finish());
  return {};
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
