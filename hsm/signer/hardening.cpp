#include "hsm/signer/hardening.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include <cap-ng.h>

#include "protocol/base/file.h"

namespace linesign {

Result<void> drop_capabilities() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return fail(ErrorCode::Internal, "PR_SET_NO_NEW_PRIVS: " + errno_text(errno));
  capng_clear(CAPNG_SELECT_BOTH);
  // The bounding set needs CAP_SETPCAP; without it nothing of it can be used either, because of
  // no_new_privs.
  static_cast<void>(capng_apply(CAPNG_SELECT_BOUNDS));
  capng_clear(CAPNG_SELECT_BOTH);
  if (capng_apply(CAPNG_SELECT_CAPS) != 0)
    return fail(ErrorCode::Internal, "the capabilities cannot be dropped");
  if (capng_get_caps_process() != 0 || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
    return fail(ErrorCode::Internal, "some capabilities are left");
  return {};
}

void ignore_terminal_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE})
    static_cast<void>(std::signal(number, SIG_IGN));
}

Result<void> end_with_parent(int parent, ParentDeath how) {
  if (how == ParentDeath::Grace) {
    struct sigaction grace {};
    grace.sa_handler = [](int /*number*/) {
      ::alarm(static_cast<unsigned int>(kLoginGrace.count()));
    };
    grace.sa_flags = SA_RESTART;
    if (::sigaction(SIGUSR2, &grace, nullptr) != 0)
      return fail(ErrorCode::Internal, "SIGUSR2: " + errno_text(errno));
  }
  const int number = how == ParentDeath::Grace ? SIGUSR2 : SIGKILL;
  if (::prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0)
    return fail(ErrorCode::Internal, "PR_SET_PDEATHSIG: " + errno_text(errno));
  // It may have ended before.
  if (::getppid() != parent) return fail(ErrorCode::ConnectionClosed, "the parent is gone");
  return {};
}

void let_others_go_first() {
  constexpr int kNice = 10;
  static_cast<void>(::setpriority(PRIO_PROCESS, 0, kNice));  // no harm where it is not allowed
}

}  // namespace linesign
