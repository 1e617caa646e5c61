#include "appliance/daemon/environment_watch.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr std::chrono::milliseconds kPeriod(250);
constexpr uint64_t kMebibyte = 1024ULL * 1024;

}  // namespace

EnvironmentWatch::EnvironmentWatch(EventLoop& loop,
                                   const Clock& clock,
                                   Health& health,
                                   const IssuanceSettings& settings,
                                   std::filesystem::path ledger_directory,
                                   const CaCertificate& ca,
                                   std::optional<UnixTime> newest_at)
    : clock_(clock),
      health_(health),
      settings_(settings),
      ledger_directory_(std::move(ledger_directory)),
      ca_(ca),
      newest_seen_(newest_at.value_or(UnixTime())),
      timer_(loop.make_timer([this] { look(); })) {}

void EnvironmentWatch::start() { look(); }

void EnvironmentWatch::look() {
  look_at_disk();
  look_at_clock();
  timer_->start(kPeriod);
}

void EnvironmentWatch::look_at_disk() {
  struct statvfs disk {};
  if (::statvfs(ledger_directory_.c_str(), &disk) != 0) {
    health_.set(
        Cause::Disk,
        Error(ErrorCode::LedgerUnavailable, ledger_directory_.string() + ": " + errno_text(errno)));
    return;
  }
  const uint64_t free_bytes = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (free_bytes >= settings_.min_free_bytes) {
    health_.clear(Cause::Disk);
    return;
  }
  health_.set(Cause::Disk,
              Error(ErrorCode::LedgerDiskFull,
                    fmt::format("{}: {} MiB free, issuance.min_free is {} MiB",
                                ledger_directory_.string(),
                                free_bytes / kMebibyte,
                                settings_.min_free_bytes / kMebibyte)));
}

void EnvironmentWatch::look_at_clock() {
  const UnixTime now = clock_.now();
  std::string doubt;
  if (now + settings_.max_clock_step_back < newest_seen_) {
    doubt = fmt::format("it says {}, but the ledger or the last look was at {}",
                        to_iso8601(now),
                        to_iso8601(newest_seen_));
  } else if (now < ca_.not_before()) {
    doubt = fmt::format("it says {}, the CA certificate is valid from {}",
                        to_iso8601(now),
                        to_iso8601(ca_.not_before()));
  } else if (now >= ca_.not_after()) {
    doubt = fmt::format(
        "it says {}, the CA certificate ended at {}", to_iso8601(now), to_iso8601(ca_.not_after()));
  }
  if (!doubt.empty()) {
    health_.set(Cause::Clock, Error(ErrorCode::ClockInDoubt, doubt));
    return;
  }
  newest_seen_ = std::max(newest_seen_, now);
  health_.clear(Cause::Clock);
}

}  // namespace linesign
