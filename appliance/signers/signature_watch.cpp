#include "appliance/signers/signature_watch.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr std::chrono::hours kWindow(1);
constexpr size_t kSignersForDistrust = 2;
constexpr size_t kMaxFileBytes = 64UL * 1024;
constexpr mode_t kOwnerOnly = 0600;
constexpr std::string_view kWhatHelps = "when a person has checked the HSM: `linesign hsm trust`";

int64_t seconds_of(const std::optional<UnixTime>& time) {
  return time ? time->time_since_epoch().count() : 0;
}

std::optional<UnixTime> time_of_seconds(int64_t seconds) {
  if (seconds == 0) return std::nullopt;
  return UnixTime(std::chrono::seconds(seconds));
}

}  // namespace

SignatureWatch::SignatureWatch(const Clock& clock, std::filesystem::path file, size_t signers)
    : clock_(clock), file_(std::move(file)), signers_(signers) {
  if (const auto loaded = load(); !loaded) unreadable_ = loaded.error();
}

Result<void> SignatureWatch::load() {
  std::error_code error;
  if (file_.empty() || (!std::filesystem::exists(file_, error) && !error)) return {};
  LS_TRY(const Bytes text, read_file(file_, kMaxFileBytes));
  return parse(as_text(text));
}

Result<void> SignatureWatch::parse(std::string_view text) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    size_t signer = 0;
    Record record;
    int64_t last_at = 0;
    int64_t since = 0;
    if (!(fields >> signer >> record.wrong >> last_at >> since) || !(fields >> std::ws).eof())
      return fail(ErrorCode::Io, fmt::format("{}: '{}' is no record", file_.string(), line));
    record.last_at = time_of_seconds(last_at);
    record.quarantined_since = time_of_seconds(since);
    records_[signer] = record;
  }
  return {};
}

Result<void> SignatureWatch::save(const Records& records) const {
  if (file_.empty()) return {};
  std::string text;
  for (const auto& [signer, record] : records)
    text += fmt::format("{} {} {} {}\n",
                        signer,
                        record.wrong,
                        seconds_of(record.last_at),
                        seconds_of(record.quarantined_since));
  LS_CHECK(make_directories(file_.parent_path(), 0700));
  return write_file_atomic(
      file_, as_bytes(text), kOwnerOnly, Overwrite::Replace, Durability::Synced);
}

Result<void> SignatureWatch::record(size_t signer) {
  const UnixTime now = clock_.now();
  Record& record = records_[signer];
  ++record.wrong;
  // Also when the clock went back since.
  const bool is_second = record.last_at && now - *record.last_at <= kWindow;
  record.last_at = now;
  if (is_second && !record.quarantined_since) record.quarantined_since = now;
  return save(records_);
}

Result<size_t> SignatureWatch::trust() {
  size_t quarantined = 0;
  Records trusted = records_;
  for (auto& [signer, record] : trusted) {
    quarantined += record.quarantined_since ? 1 : 0;
    record.last_at.reset();
    record.quarantined_since.reset();
  }
  LS_CHECK(save(trusted));
  records_ = std::move(trusted);
  unreadable_.reset();
  return quarantined;
}

SignatureWatch::Record SignatureWatch::of(size_t signer) const {
  const auto found = records_.find(signer);
  return found != records_.end() ? found->second : Record();
}

uint64_t SignatureWatch::total() const {
  uint64_t total = 0;
  for (const auto& [signer, record] : records_) total += record.wrong;
  return total;
}

std::optional<Error> SignatureWatch::verdict() const {
  if (unreadable_)
    return Error(ErrorCode::HsmNotTrusted,
                 fmt::format("{}; nobody knows which signers are in quarantine; {}",
                             unreadable_->detail(),
                             kWhatHelps));
  // Of those that the configuration has no more, one is no word against the others.
  size_t quarantined = 0;
  size_t of_ours = 0;
  size_t known = signers_;
  for (const auto& [signer, record] : records_) {
    if (!record.quarantined_since) continue;
    ++quarantined;
    if (signer < signers_) ++of_ours;
    known = std::max(known, signer + 1);
  }
  if (quarantined < kSignersForDistrust && of_ours < signers_) return std::nullopt;
  return Error(ErrorCode::HsmNotTrusted,
               fmt::format("{} of {} signers had two wrong signatures within an hour; {} wrong "
                           "signatures in all; {}",
                           quarantined,
                           known,
                           total(),
                           kWhatHelps));
}

}  // namespace linesign
