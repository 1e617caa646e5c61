// System calls of this process that fail, in a test that links linesign_test_system_faults.
#ifndef LINESIGN_TESTS_SUPPORT_BROKEN_CALLS_H_
#define LINESIGN_TESTS_SUPPORT_BROKEN_CALLS_H_

#include <cstdlib>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/support/fault_plan.h"
#include "tests/support/temp_dir.h"

namespace linesign::testing {

// As a plan says (fault_plan.h), until the next one; empty: none. A process has one file for it.
inline void break_calls(std::string_view words) {
  static const TempDir folder;
  static const std::string file = (folder.path() / "plan").string();
  ::setenv("LINESIGN_SYSTEM_FAULTS", file.c_str(), 1);
  EXPECT_TRUE(FaultPlan::write(file.c_str(), words));
}

}  // namespace linesign::testing

#endif  // LINESIGN_TESTS_SUPPORT_BROKEN_CALLS_H_
