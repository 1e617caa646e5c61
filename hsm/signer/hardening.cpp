#include "hsm/signer/hardening.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <system_error>

#include <cap-ng.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include "protocol/base/file.h"

namespace linesign {

namespace {

constexpr size_t kMaxUserEntry = 16384;  // as sysconf(_SC_GETPW_R_SIZE_MAX) suggests, and more

// Real, effective and saved: then there is nothing to switch, and no right is needed for it.
bool is_already(const ProcessUser& user) {
  std::array<uid_t, 3> users{};
  std::array<gid_t, 3> groups{};
  return ::getresuid(users.data(), &users[1], &users[2]) == 0 &&
         ::getresgid(groups.data(), &groups[1], &groups[2]) == 0 &&
         std::all_of(users.begin(), users.end(), [&](uid_t each) { return each == user.uid; }) &&
         std::all_of(groups.begin(), groups.end(), [&](gid_t each) { return each == user.gid; });
}

Result<void> become(const ProcessUser& user) {
  if (is_already(user)) return {};
  // Without an entry in the database it has no group but its own.
  if (::initgroups(user.name.c_str(), user.gid) != 0 ||
      ::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0)
    return fail(ErrorCode::Internal,
                fmt::format("switching to user {}: {}", user.name, errno_text(errno)));
  return {};
}

}  // namespace

Result<ProcessUser> find_user(const std::string& name) {
  ProcessUser user{.uid = 0, .gid = 0, .name = name};
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, kMaxUserEntry> text{};
  if (::getpwnam_r(name.c_str(), &entry, text.data(), text.size(), &found) == 0 &&
      found != nullptr) {
    user.uid = entry.pw_uid;
    user.gid = entry.pw_gid;
  } else {
    const char* end = name.data() + name.size();
    if (const auto read = std::from_chars(name.data(), end, user.uid);
        read.ec != std::errc() || read.ptr != end)
      return fail(ErrorCode::ConfigRange, fmt::format("there is no user '{}' here", name));
    user.gid = user.uid;
  }
  if (user.uid == 0) return fail(ErrorCode::ConfigRange, fmt::format("'{}' is root", name));
  return user;
}

bool can_switch_user() {
  if (capng_get_caps_process() != 0) return false;
  return capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) != 0 &&
         capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID) != 0 &&
         capng_have_capability(CAPNG_EFFECTIVE, CAP_KILL) != 0;
}

Result<void> drop_privileges(const std::optional<ProcessUser>& user) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return fail(ErrorCode::Internal, "PR_SET_NO_NEW_PRIVS: " + errno_text(errno));
  capng_clear(CAPNG_SELECT_BOTH);
  // The bounding set needs CAP_SETPCAP; without it nothing of it can be used either, because of
  // no_new_privs.
  static_cast<void>(capng_apply(CAPNG_SELECT_BOUNDS));
  if (user) LS_CHECK(become(*user));
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
