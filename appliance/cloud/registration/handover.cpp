#include "appliance/cloud/registration/handover.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include <fmt/format.h>

#include "appliance/cloud/manifest/manifest_line.h"
#include "appliance/cloud/registration/verdict.h"
#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr size_t kMaxListBytes = 32 * 1024 * 1024;  // a million of them
constexpr mode_t kPrivateFile = 0600;
constexpr const char* kLinesSuffix = ".ndjson";
constexpr const char* kTableSuffix = ".csv";

constexpr std::string_view kWriting = "writing\n";
constexpr std::string_view kWritten = "written\n";
constexpr int kMostNames = 1000;
constexpr int kDecimal = 10;
constexpr int kHex = 16;

// "NUMBER MARK" in each line; empty: it is not a list of this version, or of nothing.
template <typename Entry>
std::vector<Entry> read_entries(std::string_view text) {
  std::vector<Entry> entries;
  const auto take_number = [&text](uint64_t& number, int base, char end_mark) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    const auto used = static_cast<size_t>(end - text.data());
    if (error != std::errc() || used == text.size() || *end != end_mark) return false;
    text.remove_prefix(used + 1);
    return true;
  };
  while (!text.empty()) {
    Entry entry;
    if (!take_number(entry.id, kDecimal, ' ') || !take_number(entry.mark, kHex, '\n')) return {};
    entries.push_back(entry);
  }
  return entries;
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
    LS_CHECK(book(list->entries));
    remove_list();
    list.reset();
  }
  WayStep step;
  if (!list) {
    LS_TRY(std::vector<Entry> entries, list_waiting(step));
    step.is_idle = entries.empty() && step.parked == 0;
    if (entries.empty()) return step;
    list = List{false, std::move(entries)};
    LS_CHECK(write_list(*list));
  }
  LS_TRY(list->is_written, write_files(list->entries));
  if (list->is_written) {
    LS_CHECK(write_list(*list));
    LS_TRY(step.registered, book(list->entries));
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
  list.entries = read_entries<Entry>(text);
  return list.entries.empty() ? std::optional<List>() : std::optional(std::move(list));
}

Result<void> FileWay::write_list(const List& list) const {
  std::string text(list.is_written ? kWritten : kWriting);
  for (const Entry& each : list.entries) text += fmt::format("{} {:x}\n", each.id, each.mark);
  return write_file_atomic(
      list_path(), as_bytes(text), kPrivateFile, Overwrite::Replace, Durability::Synced);
}

void FileWay::remove_list() const {
  std::error_code ignored;
  std::filesystem::remove(list_path(), ignored);
}

// Those whose line can be made go into the list, the others are parked. Gives the number of these.
Result<uint64_t> FileWay::sort_out(const std::vector<CloudItem>& items,
                                   std::vector<Entry>& entries) {
  std::vector<CloudBooking> poison;
  for (const CloudItem& item : items) {
    const auto line = device_line(plan_.parameters, item);
    if (line.has_value()) {
      entries.push_back(entry_of(item));
    } else {
      poison.push_back(parked(item, line.error()));
    }
  }
  if (!poison.empty()) LS_CHECK(outbox_.book(target_, poison));
  return poison.size();
}

Result<std::vector<FileWay::Entry>> FileWay::list_waiting(WayStep& step) {
  std::vector<Entry> entries;
  uint64_t after = 0;
  while (entries.size() < plan_.chunk_lines) {
    LS_TRY(const std::vector<CloudItem> items, outbox_.claim(target_, after, kMaxCloudItems));
    if (items.empty()) break;
    after = items.back().issuance_id;
    LS_TRY(const uint64_t parked_here, sort_out(items, entries));
    step.parked += parked_here;
  }
  return entries;
}

FileWay::Entry FileWay::entry_of(const CloudItem& item) {
  const Sha256 id = sha256(item.certificate_der);
  Entry entry{item.issuance_id, 0};
  for (size_t i = 0; i < sizeof entry.mark; ++i) entry.mark = entry.mark << 8 | id.at(i);
  return entry;
}

Result<void> FileWay::for_each(const std::vector<Entry>& entries,
                               const std::function<Result<void>(const CloudItem&)>& take) {
  const auto is_listed = [&entries](const CloudItem& item) {
    const auto found = std::lower_bound(
        entries.begin(), entries.end(), item.issuance_id, [](const Entry& each, uint64_t id) {
          return each.id < id;
        });
    return found != entries.end() && found->id == item.issuance_id && *found == entry_of(item);
  };
  uint64_t after = entries.front().id - 1;
  while (after < entries.back().id) {
    LS_TRY(const std::vector<CloudItem> items, outbox_.claim(target_, after, kMaxCloudItems));
    if (items.empty()) return {};
    after = items.back().issuance_id;
    for (const CloudItem& item : items)
      if (is_listed(item)) LS_CHECK(take(item));
  }
  return {};
}

Result<bool> FileWay::write_files(const std::vector<Entry>& entries) {
  LS_CHECK(check_export_dir(plan_.export_dir));
  const std::string name = fmt::format("{}-{}-{}", target_, entries.front().id, entries.back().id);
  ManifestFile lines(plan_.export_dir / (name + kLinesSuffix));
  ManifestFile table(plan_.export_dir / (name + kTableSuffix));
  LS_CHECK(table.add_header(csv_header()));
  const auto add = [&](const CloudItem& item) -> Result<void> {
    const auto line = device_line(plan_.parameters, item);
    if (!line.has_value()) return {};  // of a list from before: sorted out anew
    LS_CHECK(lines.add(*line));
    return table.add(csv_line(item));
  };
  LS_CHECK(for_each(entries, add));
  if (lines.lines() != entries.size()) return false;
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

// Those that no longer wait are booked already.
Result<uint64_t> FileWay::book(const std::vector<Entry>& entries) {
  std::vector<CloudBooking> bookings;
  LS_CHECK(for_each(entries, [&](const CloudItem& item) -> Result<void> {
    bookings.push_back(handed_over(item.issuance_id));
    return {};
  }));
  uint64_t booked = 0;
  for (size_t at = 0; at < bookings.size(); at += kMaxCloudItems) {
    const size_t end = std::min<size_t>(bookings.size(), at + kMaxCloudItems);
    LS_TRY(const uint64_t part,
           hand_over(outbox_,
                     target_,
                     {bookings.begin() + static_cast<ptrdiff_t>(at),
                      bookings.begin() + static_cast<ptrdiff_t>(end)}));
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
  std::vector<CloudBooking> bookings;
  const Bytes* checked = nullptr;
  for (const CloudItem& item : *items) {
    if (checked == nullptr || *checked != item.issuer_der) {
      const auto usable = check_ca_(issuer_id(item));
      if (!usable.has_value()) return held(usable.error());
      checked = &item.issuer_der;
    }
    bookings.push_back(handed_over(item.issuance_id));
  }
  const auto booked = hand_over(outbox_, target_, std::move(bookings));
  if (!booked.has_value()) return held(booked.error());
  step.registered = *booked;
  return step;
}

}  // namespace linesign
