#include "appliance/cloud/uploader/stop_signal.h"

#include <sys/eventfd.h>
#include <sys/poll.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include <pthread.h>

#include "protocol/base/file.h"

namespace linesign {

Result<StopSignal> StopSignal::create() {
  sigset_t wanted{};
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, SIGTERM);
  ::sigaddset(&wanted, SIGINT);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &wanted, nullptr); error != 0)
    return fail(ErrorCode::Internal, "pthread_sigmask: " + errno_text(error));
  UniqueFd signals(::signalfd(-1, &wanted, SFD_CLOEXEC));
  UniqueFd finished(::eventfd(0, EFD_CLOEXEC));
  if (!signals || !finished) return fail(ErrorCode::Internal, "signalfd: " + errno_text(errno));
  return StopSignal(std::move(signals), std::move(finished));
}

Woken StopSignal::wait(std::chrono::milliseconds limit) const {
  std::array<pollfd, 2> watched = {pollfd{signals_.get(), POLLIN, 0},
                                   pollfd{finished_.get(), POLLIN, 0}};
  if (::poll(watched.data(), watched.size(), static_cast<int>(limit.count())) <= 0)
    return Woken::Timeout;
  return watched[0].revents != 0 ? Woken::Stop : Woken::Finished;
}

void StopSignal::finish() const { static_cast<void>(::eventfd_write(finished_.get(), 1)); }

}  // namespace linesign
