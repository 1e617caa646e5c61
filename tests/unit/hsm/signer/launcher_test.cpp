#include "hsm/signer/launcher.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace linesign {
namespace {

using Kind = SignerReport::Kind;

// It gets "--fd 3" as its own arguments.
OwnSigners shells(const std::string& script) { return OwnSigners("/bin/sh", {"-c", script}); }

// Everything up to the end of one.
std::vector<SignerReport> wait_for_end(SignerHost& host) {
  std::vector<SignerReport> all;
  for (int i = 0; i < 2000; ++i) {
    for (SignerReport& report : host.take_reports()) all.push_back(std::move(report));
    if (!all.empty() && all.back().kind == Kind::Ended) break;
    ::poll(nullptr, 0, 10);
  }
  return all;
}

TEST(OwnSigners, ReportTheirNumberAndHowTheyEnded) {
  OwnSigners host = shells("exit 3");
  const auto child = host.launch();
  ASSERT_TRUE(child.has_value()) << child.error().to_string();
  const auto reports = wait_for_end(host);
  ASSERT_EQ(reports.size(), 2U);
  for (const SignerReport& each : reports) EXPECT_EQ(each.id, child->id);
  EXPECT_EQ(reports[0].kind, Kind::Started);
  EXPECT_GT(reports[0].value, 0);
  EXPECT_EQ(reports[1].kind, Kind::Ended);
  EXPECT_EQ(WEXITSTATUS(reports[1].value), 3);
  host.end(child->id);  // nobody's any more
  EXPECT_TRUE(host.take_reports().empty());
}

TEST(OwnSigners, AreEndedAndNotWaitedFor) {
  OwnSigners host = shells("exec cat <&3");
  const auto child = host.launch();
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(host.take_reports().size(), 1U) << "it runs";
  EXPECT_TRUE(host.take_reports().empty());
  host.end(child->id);
  const auto reports = wait_for_end(host);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(WTERMSIG(reports[0].value), SIGKILL);
}

TEST(OwnSigners, SayThatTheLimitOfOpenFilesKeepsThemFromStarting) {
  OwnSigners host = shells("exit 0");
  // UndefinedBehaviorSanitizer needs descriptors when it meets a class of fmt for the first time.
  ASSERT_EQ(fmt::format("{}: {}", std::string("a"), 1), "a: 1");
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const auto child = host.launch();
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(child.has_value());
  EXPECT_EQ(child.error().code(), ErrorCode::DescriptorLimit) << child.error().to_string();
}

}  // namespace
}  // namespace linesign
