#include "appliance/cli/advice.h"

#include <set>

#include <gtest/gtest.h>

namespace linesign {
namespace {

TEST(Advice, HasSomethingToSayAboutEveryError) {
  for (const ErrorInfo& info : error_list()) EXPECT_FALSE(advice_for(info.code).empty());
}

TEST(Advice, HasARowForEveryTroubleOfHsmAndLedger) {
  std::set<ErrorCode> with_row;
  for (const Advice& advice : advice_list()) with_row.insert(advice.code);
  for (const ErrorInfo& info : error_list()) {
    const int hundred = static_cast<int>(info.code) / 100;
    // A ceremony meets a label that is taken; a running appliance does not.
    const bool is_expected =
        (hundred == 5 || hundred == 6) && info.code != ErrorCode::HsmKeyLabelTaken;
    EXPECT_TRUE(!is_expected || with_row.contains(info.code)) << info.name;
  }
}

TEST(Advice, NamesNoErrorTwice) {
  std::set<ErrorCode> seen;
  for (const Advice& advice : advice_list()) EXPECT_TRUE(seen.insert(advice.code).second);
}

}  // namespace
}  // namespace linesign
