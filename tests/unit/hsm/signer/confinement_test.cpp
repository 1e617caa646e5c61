#include "hsm/signer/confinement.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

namespace linesign {
namespace {

// Each of these ends the process: what is given up does not come back.

// Until the caller ends.
[[noreturn]] void wait_for_end_of_caller(const std::array<int, 2>& pipe) {
  ::close(pipe[1]);
  char byte = 0;
  ::_exit(::read(pipe[0], &byte, 1) == 0 ? 0 : 1);
}

// 0: confine() tells of a process that is not confined.
[[noreturn]] void confine_and_end() {
  const auto missing = confine({});
  ::_exit(std::any_of(missing.begin(),
                      missing.end(),
                      [](const std::string& each) {
                        return each.starts_with("a process that the PKCS#11 module started");
                      })
              ? 0
              : 1);
}

std::array<int, 2> prepare() {
  std::array<int, 2> pipe{-1, -1};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::pipe(pipe.data()) != 0) ::_exit(2);
  adopt_orphans();
  return pipe;
}

[[noreturn]] void confine_without_children() {
  prepare();
  confine_and_end();
}

[[noreturn]] void confine_with_a_child() {
  const auto pipe = prepare();
  if (::fork() == 0) wait_for_end_of_caller(pipe);
  confine_and_end();
}

[[noreturn]] void confine_with_an_orphan() {
  const auto pipe = prepare();
  const pid_t between = ::fork();
  if (between == 0) {
    if (::fork() == 0) wait_for_end_of_caller(pipe);
    ::_exit(0);
  }
  if (::waitpid(between, nullptr, 0) != between) ::_exit(2);
  confine_and_end();
}

[[noreturn]] void confine_with_a_child_that_has_ended() {
  prepare();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) != 0) ::_exit(2);
  confine_and_end();
}

TEST(Confinement, TellsOfAProcessThatItDoesNotReach) {
  EXPECT_EXIT(confine_with_a_child(), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(confine_with_an_orphan(), ::testing::ExitedWithCode(0), "");
}

TEST(Confinement, TellsOfNoProcessWhereThereIsNone) {
  EXPECT_EXIT(confine_without_children(), ::testing::ExitedWithCode(1), "");
  EXPECT_EXIT(confine_with_a_child_that_has_ended(), ::testing::ExitedWithCode(1), "");
}

}  // namespace
}  // namespace linesign
