#include "hsm/sizing/knee.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

namespace linesign {
namespace {

// A token that is measured by arithmetic.
struct FakeHsm {
  double latency = 0;            // seconds per signature in the device
  double cpu_seconds = 0.00014;  // per certificate
  int cores = 4;
  double device_rate = 1e9;  // what the device can do at most
  std::optional<uint64_t> hidden_sessions;

  Result<SizingStep> operator()(int processes, int threads) const {
    if (hidden_sessions &&
        static_cast<uint64_t>(processes) * (static_cast<uint64_t>(threads) + 1) > *hidden_sessions)
      return fail(ErrorCode::HsmUnavailable, "C_OpenSession: CKR_SESSION_COUNT");
    const double sessions = processes * threads;
    const double by_sessions = sessions / (latency + cpu_seconds);
    const double by_cpu = std::min(processes, cores) / cpu_seconds;
    SizingStep step;
    step.processes = processes;
    step.threads = threads;
    step.certificates_per_second = std::min({by_sessions, by_cpu, device_rate});
    step.certificates_per_cpu_second = 1 / cpu_seconds;
    return step;
  }
};

KneeLimits limits(int cores = 4) {
  KneeLimits wanted;
  wanted.cores = cores;
  return wanted;
}

Knee knee_of(const FakeHsm& hsm, const KneeLimits& wanted = limits()) {
  auto knee = find_knee(wanted, hsm, {});
  if (!knee) {
    ADD_FAILURE() << knee.error().to_string();
    std::abort();
  }
  return *knee;
}

std::vector<ProcessesAndThreads> all_steps(const KneeLimits& wanted) {
  std::vector<ProcessesAndThreads> steps;
  ProcessesAndThreads at;
  while (const auto next = next_step(wanted, at)) {
    at = *next;
    steps.push_back(at);
  }
  return steps;
}

TEST(Steps, AreProcessesToTheCoresThenThreadsThenMoreProcesses) {
  const std::vector<ProcessesAndThreads> expected = {{1, 1},
                                                     {2, 1},
                                                     {4, 1},
                                                     {4, 2},
                                                     {4, 4},
                                                     {4, 8},
                                                     {4, 16},
                                                     {8, 16},
                                                     {16, 16},
                                                     {32, 16},
                                                     {64, 16},
                                                     {128, 16},
                                                     {256, 16}};
  EXPECT_EQ(all_steps(limits(4)), expected);
}

TEST(Steps, MeetANumberOfCoresThatIsNoPowerOfTwo) {
  const auto steps = all_steps(limits(6));
  const std::vector<ProcessesAndThreads> first(steps.begin(), steps.begin() + 6);
  const std::vector<ProcessesAndThreads> expected = {
      {1, 1}, {2, 1}, {4, 1}, {6, 1}, {6, 2}, {6, 4}};
  EXPECT_EQ(first, expected);
  EXPECT_EQ(steps.back(), (ProcessesAndThreads{256, 16}));
}

TEST(Steps, NeverUseMoreSessionsThanTheTokenHasLeft) {
  for (uint64_t sessions = 0; sessions < 200; ++sessions) {
    for (const int cores : {1, 2, 3, 4, 16}) {
      KneeLimits wanted = limits(cores);
      wanted.sessions = sessions;
      uint64_t used = 0;
      for (const auto& step : all_steps(wanted)) {
        const uint64_t needs =
            static_cast<uint64_t>(step.processes) * (static_cast<uint64_t>(step.threads) + 1);
        EXPECT_LE(needs, sessions);
        const auto signing = static_cast<uint64_t>(step.processes) * step.threads;
        EXPECT_GT(signing, used) << "each step signs in more sessions than the one before";
        used = signing;
      }
      EXPECT_EQ(used > 0, sessions >= 2);
    }
  }
}

TEST(Steps, UseUpWhatIsLeftBelowALimit) {
  KneeLimits wanted = limits(4);
  wanted.sessions = 30;  // 4 x (6 + 1) = 28
  EXPECT_EQ(all_steps(wanted).back(), (ProcessesAndThreads{4, 6}));
}

TEST(FindKnee, TakesOneProcessPerCoreWhenTheTokenIsSoftware) {
  const Knee knee = knee_of({});
  EXPECT_EQ(knee.steps[knee.best].processes, 4);
  EXPECT_EQ(knee.steps[knee.best].threads, 1);
  EXPECT_EQ(knee.steps.size(), 5U) << "two more steps brought nothing";
  EXPECT_EQ(knee.end_reason, "two steps in a row brought less than 5 % more");
}

TEST(FindKnee, CoversTheLatencyOfAnHsmWithSessions) {
  FakeHsm hsm;
  hsm.latency = 0.001;
  const Knee knee = knee_of(hsm);
  const SizingStep& best = knee.steps[knee.best];
  // Four cores can do 28,571/s; 32 sessions of 1.14 ms give 98 % of it.
  EXPECT_EQ(best.processes * best.threads, 32);
}

TEST(FindKnee, StopsAtWhatTheDeviceItselfCanDo) {
  FakeHsm hsm;
  hsm.latency = 0.005;
  hsm.device_rate = 1500;
  const Knee knee = knee_of(hsm);
  const SizingStep& best = knee.steps[knee.best];
  EXPECT_EQ(best.certificates_per_second, 1500);
  EXPECT_EQ(best.processes * best.threads, 8) << "the fewest sessions that reach it";
}

TEST(FindKnee, IsNotLedAstrayByOneBadMeasurement) {
  int calls = 0;
  const auto noisy = [&](int processes, int threads) -> Result<SizingStep> {
    LS_TRY(SizingStep step, FakeHsm{}(processes, threads));
    if (++calls == 2) step.certificates_per_second *= 0.3;
    return step;
  };
  const auto knee = find_knee(limits(), noisy, {});
  ASSERT_TRUE(knee.has_value());
  EXPECT_EQ(knee->steps[knee->best].processes, 4);
}

TEST(FindKnee, PrefersFewerSessionsToAFewPerCentMore) {
  const std::map<int, double> rates = {{1, 970}, {2, 1000}, {4, 1010}};
  const auto measure = [&](int processes, int threads) -> Result<SizingStep> {
    SizingStep step;
    step.processes = processes;
    step.threads = threads;
    step.certificates_per_second = rates.at(processes * threads);
    return step;
  };
  const auto knee = find_knee(limits(), measure, {});
  ASSERT_TRUE(knee.has_value());
  EXPECT_EQ(knee->best, 0U);
}

TEST(FindKnee, TakesALimitThatTheTokenDoesNotTell) {
  FakeHsm hsm;
  hsm.latency = 0.01;
  hsm.hidden_sessions = 20;
  const Knee knee = knee_of(hsm);
  EXPECT_EQ(knee.steps[knee.best].processes, 4);
  EXPECT_EQ(knee.steps[knee.best].threads, 4);
  EXPECT_NE(knee.end_reason.find("CKR_SESSION_COUNT"), std::string::npos) << knee.end_reason;
}

TEST(FindKnee, FailsWhenNothingCanBeMeasured) {
  FakeHsm hsm;
  hsm.hidden_sessions = 1;
  const auto knee = find_knee(limits(), hsm, {});
  ASSERT_FALSE(knee.has_value());
  EXPECT_EQ(knee.error().code(), ErrorCode::HsmUnavailable);
  KneeLimits none = limits();
  none.sessions = 1;
  EXPECT_FALSE(find_knee(none, FakeHsm{}, {}).has_value());
}

TEST(FindKnee, StopsForGoodAtARefusedPin) {
  const auto refuses = [](int processes, int threads) -> Result<SizingStep> {
    if (processes > 1) return fail(ErrorCode::HsmPinRefused, "C_Login: CKR_PIN_LOCKED");
    return FakeHsm{}(processes, threads);
  };
  const auto knee = find_knee(limits(), refuses, {});
  ASSERT_FALSE(knee.has_value());
  EXPECT_EQ(knee.error().code(), ErrorCode::HsmPinRefused);
}

TEST(FindKnee, TellsEveryStepAsItIsMade) {
  std::vector<int> processes;
  const auto knee = find_knee(
      limits(), FakeHsm{}, [&](const SizingStep& step) { processes.push_back(step.processes); });
  ASSERT_TRUE(knee.has_value());
  EXPECT_EQ(processes, (std::vector<int>{1, 2, 4, 4, 4}));
}

}  // namespace
}  // namespace linesign
