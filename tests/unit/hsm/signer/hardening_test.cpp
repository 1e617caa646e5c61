#include "hsm/signer/hardening.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <iostream>

#include <gtest/gtest.h>

namespace linesign {
namespace {

constexpr uid_t kSomeUser = 64103;

// Ends the process: what is given up does not come back. 0: it is this user, without a right to
// switch.
[[noreturn]] void become_who_it_is() {
  if (::geteuid() == 0 && (::setresgid(kSomeUser, kSomeUser, kSomeUser) != 0 ||
                           ::setresuid(kSomeUser, kSomeUser, kSomeUser) != 0))
    ::_exit(2);
  const ProcessUser user{.uid = ::getuid(), .gid = ::getgid(), .name = "linesign"};
  const auto done = drop_privileges(user);
  if (!done.has_value()) std::cerr << done.error().to_string() << "\n";
  const bool has_given_up = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && !can_switch_user();
  ::_exit(done.has_value() && has_given_up ? 0 : 1);
}

TEST(Hardening, NeedsNoRightToBecomeTheUserThatItIs) {
  EXPECT_EXIT(become_who_it_is(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace linesign
