#include "appliance/bench/process_usage.h"

#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign::bench {
namespace {

constexpr int kDaemon = 100;

// How long a tick is, is the machine's to say.
double seconds(int ticks) { return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)); }

// A /proc of our own, with times in ticks.
class ProcessUsageTest : public ::testing::Test {
 protected:
  void put(int pid, const std::string& name, int parent, int user, int system, int reaped = 0) {
    const auto folder = proc_.path() / std::to_string(pid);
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "stat")
        << pid << " (" << name << ") S " << parent << " 1 1 0 -1 4194304 11 12 13 14 " << user
        << ' ' << system << ' ' << reaped << " 0 20 0 1 0 12345 67890 111\n";
    std::ofstream(folder / "status") << "Name:\t" << name << "\nVmPeak:\t  9000 kB\nVmHWM:\t  "
                                     << pid << " kB\nVmRSS:\t  50 kB\nThreads:\t1\n";
  }
  void end(int pid) { std::filesystem::remove_all(proc_.path() / std::to_string(pid)); }
  ApplianceUsage read() { return *read_appliance_usage(kDaemon, proc_.path()); }

  TempDir proc_;
};

TEST_F(ProcessUsageTest, ReadsTimesAndMemory) {
  put(kDaemon, "linesignd", 1, 250, 50);
  const auto usage = read_process_usage(kDaemon, proc_.path());
  ASSERT_TRUE(usage.has_value());
  EXPECT_EQ(usage->name, "linesignd");
  EXPECT_EQ(usage->parent, 1);
  EXPECT_DOUBLE_EQ(usage->cpu_seconds, seconds(300));
  EXPECT_EQ(usage->rss_peak_bytes, 100U * 1024);
  EXPECT_EQ(usage->rss_bytes, 50U * 1024);
}

TEST_F(ProcessUsageTest, ANameMayHoldBracketsAndSpaces) {
  put(kDaemon, "a) S 7 (b", 1, 100, 0);
  const auto usage = read_process_usage(kDaemon, proc_.path());
  ASSERT_TRUE(usage.has_value());
  EXPECT_EQ(usage->name, "a) S 7 (b");
  EXPECT_DOUBLE_EQ(usage->cpu_seconds, seconds(100));
}

TEST_F(ProcessUsageTest, FindsTheChildrenOfTheDaemonOnly) {
  put(kDaemon, "linesignd", 1, 0, 0);
  put(202, "linesign-signer", kDaemon, 0, 0);
  put(201, "linesign-signer", kDaemon, 0, 0);
  put(300, "somebody", 1, 0, 0);
  std::filesystem::create_directories(proc_.path() / "self");
  const ApplianceUsage usage = read();
  ASSERT_EQ(usage.children.size(), 2U);
  EXPECT_EQ(usage.children[0].pid, 201);
  EXPECT_EQ(usage.children[1].pid, 202);
}

TEST_F(ProcessUsageTest, BetweenTwoReadingsIsTheDifference) {
  put(kDaemon, "linesignd", 1, 100, 0);
  put(201, "linesign-signer", kDaemon, 40, 0);
  const ApplianceUsage before = read();
  put(kDaemon, "linesignd", 1, 150, 25);
  put(201, "linesign-signer", kDaemon, 240, 10);
  const UsageFigures figures = usage_between(before, read());
  EXPECT_DOUBLE_EQ(figures.daemon.cpu_seconds, seconds(75));
  ASSERT_EQ(figures.children.size(), 1U);
  EXPECT_DOUBLE_EQ(figures.children[0].cpu_seconds, seconds(210));
  EXPECT_NEAR(figures.ended_cpu_seconds, 0, 1e-9);
  EXPECT_DOUBLE_EQ(figures.cpu_seconds(), seconds(285));
}

TEST_F(ProcessUsageTest, ASignerThatWasReplacedStillCounts) {
  put(kDaemon, "linesignd", 1, 0, 0, 500);  // signers before the first reading
  put(201, "linesign-signer", kDaemon, 100, 0);
  const ApplianceUsage before = read();
  end(201);  // after 300 ticks in all, 200 of them after the first reading
  put(kDaemon, "linesignd", 1, 0, 0, 800);
  put(202, "linesign-signer", kDaemon, 150, 0);
  const UsageFigures figures = usage_between(before, read());
  ASSERT_EQ(figures.children.size(), 1U);
  EXPECT_DOUBLE_EQ(figures.children[0].cpu_seconds, seconds(150));
  EXPECT_DOUBLE_EQ(figures.ended_cpu_seconds, seconds(200));
  EXPECT_DOUBLE_EQ(figures.cpu_seconds(), seconds(350));
}

TEST_F(ProcessUsageTest, NoSuchProcessIsAnError) {
  EXPECT_FALSE(read_appliance_usage(kDaemon, proc_.path()).has_value());
}

TEST_F(ProcessUsageTest, AStatThatIsCutOffIsAnError) {
  const auto folder = proc_.path() / std::to_string(kDaemon);
  std::filesystem::create_directories(folder);
  for (const char* text : {"", "100", "100 (linesignd", "100 (linesignd) S 1 1"}) {
    std::ofstream(folder / "stat") << text;
    std::ofstream(folder / "status") << "Name:\tlinesignd\n";
    EXPECT_FALSE(read_process_usage(kDaemon, proc_.path()).has_value()) << text;
  }
}

TEST(ProcessUsage, OfThisProcessGrows) {
  const auto before = read_process_usage(::getpid());
  ASSERT_TRUE(before.has_value());
  EXPECT_GT(before->rss_peak_bytes, 0U);
  EXPECT_EQ(before->parent, ::getppid());
  const auto later = read_process_usage(::getpid());
  ASSERT_TRUE(later.has_value());
  EXPECT_GE(later->cpu_seconds, before->cpu_seconds);
}

}  // namespace
}  // namespace linesign::bench
