#include "appliance/daemon/environment_watch.h"

#include <sys/statvfs.h>

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
                                   ClockGuard& clock,
                                   Health& health,
                                   const IssuanceSettings& settings,
                                   std::filesystem::path ledger_directory)
    : clock_(clock),
      health_(health),
      settings_(settings),
      ledger_directory_(std::move(ledger_directory)),
      timer_(loop.make_timer([this] { look(); })) {}

void EnvironmentWatch::start() { look(); }

void EnvironmentWatch::look() {
  look_at_disk();
  static_cast<void>(clock_.now());  // it tells Health
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

}  // namespace linesign
