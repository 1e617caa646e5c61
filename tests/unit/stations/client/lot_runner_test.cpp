// Whole lots against the real station port.
#include "stations/client/lot_runner.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "protocol/base/file.h"
#include "stations/client/der.h"
#include "tests/support/fake_appliance.h"
#include "tests/support/temp_dir.h"

namespace linesign::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::CsrCa;
using test::FakeAppliance;

class Notes final : public LotObserver {
 public:
  void on_progress(const LotProgress& progress) override { done = progress.done(); }
  void on_refused(const LotOutcome& outcome) override { refused.push_back(outcome); }
  void on_note(const std::string& sentence) override { notes.push_back(sentence); }

  std::atomic<uint64_t> done{0};
  std::vector<LotOutcome> refused;
  std::vector<std::string> notes;
};

class LotRunnerTest : public testing::Test {
 protected:
  LotResult run(uint64_t count, LotOptions options = default_options()) {
    const LotFolder out = std::move(LotFolder::open(temp_.path() / "out", 0755).value());
    const LotFolder keys = std::move(LotFolder::open(temp_.path() / "out-keys", 0700).value());
    GeneratePlan plan;
    plan.count = count;
    plan.prefix = "unit-";
    plan.order_id = "default";
    const auto source = make_generating_source(plan, out, keys);
    const StationCredential credential = appliance_.credential();
    LotRunner runner(credential, *source, out, std::move(options), notes_);
    return runner.run();
  }
  static LotOptions default_options() {
    LotOptions options;
    options.threads = 2;
    options.give_up = seconds(30);
    return options;
  }
  std::filesystem::path certificate(uint64_t number) const {
    return temp_.path() / "out" / ("unit-00000" + std::to_string(number) + ".pem");
  }
  size_t certificates() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(temp_.path() / "out"))
      count += entry.path().extension() == ".pem" ? 1U : 0U;
    return count;
  }
  // The highest number that has a certificate: two threads make keys, so numbers below may wait.
  uint64_t last_certified() const {
    uint64_t last = 0;
    for (const auto& entry : std::filesystem::directory_iterator(temp_.path() / "out")) {
      const std::string name = entry.path().stem().string();
      if (entry.path().extension() != ".pem" || !name.starts_with("unit-")) continue;
      last = std::max<uint64_t>(last, std::stoull(name.substr(5)));
    }
    return last;
  }

  TempDir temp_;
  FakeAppliance appliance_{16};
  Notes notes_;
};

TEST_F(LotRunnerTest, CertifiesALotAndThenHasNothingToDo) {
  const LotResult first = run(500);
  EXPECT_EQ(first.exit_code(), 0);
  EXPECT_EQ(first.progress.issued, 500U);
  EXPECT_EQ(certificates(), 500U);
  const size_t calls = appliance_.issue_calls();
  const LotResult second = run(500);
  EXPECT_EQ(second.exit_code(), 0);
  EXPECT_EQ(second.progress.already_there, 500U);
  EXPECT_EQ(second.progress.issued, 0U);
  EXPECT_EQ(appliance_.issue_calls(), calls) << "nothing was asked for";
}

TEST_F(LotRunnerTest, ComesBackSoonWhenItsSessionGaveWayToAnother) {
  appliance_.set_reversed_batches(100);  // no answers
  const std::jthread other([&](const std::stop_token& over) {
    while (!over.stop_requested() && appliance_.issue_calls() < 16) std::this_thread::yield();
    appliance_.set_reversed_batches(0);
    appliance_.cut_sessions(ErrorCode::SessionLimit);
  });
  EXPECT_EQ(run(16).exit_code(), 0);
  ASSERT_FALSE(notes_.notes.empty());
  EXPECT_NE(notes_.notes.front().find("Next try in 0.1 s."), std::string::npos)
      << notes_.notes.front();
}

TEST_F(LotRunnerTest, WritesTheLeafAndItsChain) {
  ASSERT_EQ(run(1).exit_code(), 0);
  const std::string pem(as_text(read_file(certificate(1), 65536).value()));
  EXPECT_TRUE(pem.ends_with(to_pem("CERTIFICATE", appliance_.device_ca().der())));
  EXPECT_FALSE(certificate_file_key(pem).empty());
}

TEST_F(LotRunnerTest, GetsTheSameCertificateAgainForADamagedFile) {
  ASSERT_EQ(run(3).exit_code(), 0);
  const Bytes whole = read_file(certificate(2), 65536).value();
  std::filesystem::resize_file(certificate(2), 100);
  const LotResult again = run(3);
  EXPECT_EQ(again.exit_code(), 0);
  EXPECT_EQ(again.progress.already_there, 2U);
  EXPECT_EQ(again.progress.issued, 1U);
  EXPECT_EQ(read_file(certificate(2), 65536).value(), whole);
}

TEST_F(LotRunnerTest, GoesOnAfterAFileThatCannotBeWrittenAndFetchesItLater) {
  std::filesystem::create_directory(temp_.path() / "out");
  ::setenv("LINESIGN_FAT", (temp_.path() / "out").c_str(), 1);
  ::setenv("LINESIGN_FAT_BAD_NAME", certificate(2).filename().c_str(), 1);
  const LotResult first = run(6);
  ::unsetenv("LINESIGN_FAT_BAD_NAME");
  ::unsetenv("LINESIGN_FAT");
  EXPECT_EQ(first.exit_code(), 74);
  EXPECT_FALSE(first.stopped_by.has_value());
  EXPECT_EQ(first.progress.issued, 5U);
  EXPECT_EQ(first.progress.not_stored, 1U);
  ASSERT_EQ(first.not_stored.size(), 1U);
  EXPECT_EQ(first.not_stored[0].device_id, "unit-000002");
  EXPECT_EQ(first.not_stored[0].error->code(), ErrorCode::Io);
  ASSERT_EQ(notes_.refused.size(), 1U) << "the report names it, too";
  const LotResult second = run(6);
  EXPECT_EQ(second.exit_code(), 0);
  EXPECT_EQ(second.progress.already_there, 5U);
  EXPECT_EQ(second.progress.issued, 1U);
  EXPECT_EQ(appliance_.devices(), 6U) << "nothing was issued twice";
}

TEST_F(LotRunnerTest, EndsWhenTheFolderTakesNoFiles) {
  appliance_.set_hook([&](const IssueCall&) -> FakeAppliance::Answer {
    std::filesystem::remove_all(temp_.path() / "out");
    return {};
  });
  const LotResult result = run(100);
  EXPECT_EQ(result.exit_code(), 74);
  ASSERT_TRUE(result.stopped_by.has_value());
  EXPECT_EQ(result.stopped_by->code(), ErrorCode::Io);
  EXPECT_GE(result.progress.not_stored, 1U);
}

TEST_F(LotRunnerTest, GrowsALot) {
  ASSERT_EQ(run(20).exit_code(), 0);
  const LotResult more = run(50);
  EXPECT_EQ(more.progress.already_there, 20U);
  EXPECT_EQ(more.progress.issued, 30U);
  EXPECT_EQ(appliance_.devices(), 50U);
}

TEST_F(LotRunnerTest, TakesAnswersOutOfOrder) {
  appliance_.set_reversed_batches(8);
  EXPECT_EQ(run(160).exit_code(), 0);
  EXPECT_EQ(certificates(), 160U);
}

TEST_F(LotRunnerTest, ComesBackAfterLostConnections) {
  std::jthread trouble([&](const std::stop_token& over) {
    for (int i = 0; i < 5 && !over.stop_requested(); ++i) {
      const uint64_t goal = static_cast<uint64_t>(i) * 60 + 30;
      while (!over.stop_requested() && notes_.done < goal) std::this_thread::yield();
      if (i % 2 == 0)
        appliance_.cut_sessions();
      else
        appliance_.restart();
    }
  });
  const LotResult result = run(400);
  trouble.request_stop();
  trouble.join();
  EXPECT_EQ(result.exit_code(), 0);
  EXPECT_EQ(result.progress.issued, 400U);
  EXPECT_EQ(appliance_.devices(), 400U);
  EXPECT_FALSE(notes_.notes.empty());
}

TEST_F(LotRunnerTest, SendsAgainWhatTheApplianceCouldNotTake) {
  std::atomic<int> calls{0};
  appliance_.set_hook([&](const IssueCall&) -> FakeAppliance::Answer {
    if (++calls % 3 == 0) return test::refuse(ErrorCode::Busy, milliseconds(15));
    return {};
  });
  const LotResult result = run(200);
  EXPECT_EQ(result.exit_code(), 0);
  EXPECT_EQ(result.progress.issued, 200U);
  EXPECT_GT(calls, 200);
}

TEST_F(LotRunnerTest, GroupsRefusalsAndCertifiesTheRest) {
  appliance_.set_hook([](const IssueCall& call) -> FakeAppliance::Answer {
    if (call.device_id.ends_with("5")) return test::refuse(ErrorCode::CsrKeyNotAllowed);
    return {};
  });
  const LotResult result = run(100);
  EXPECT_EQ(result.exit_code(), 65);
  EXPECT_EQ(result.progress.issued, 90U);
  EXPECT_EQ(result.progress.refused, 10U);
  ASSERT_EQ(result.refusals.size(), 1U);
  EXPECT_EQ(result.refusals.at(ErrorCode::CsrKeyNotAllowed).count, 10U);
  EXPECT_EQ(notes_.refused.size(), 10U);
}

TEST_F(LotRunnerTest, StopsAskingForAnOrderThatIsClosed) {
  appliance_.set_hook([](const IssueCall&) -> FakeAppliance::Answer {
    return test::refuse(ErrorCode::OrderClosed);
  });
  const LotResult result = run(5000);
  EXPECT_EQ(result.exit_code(), 77);
  EXPECT_LT(appliance_.issue_calls(), 100U);
}

TEST_F(LotRunnerTest, RefusesCertificatesOfAnotherCa) {
  const CsrCa other("Test Device CA");
  appliance_.set_hook([&](const IssueCall& call) -> FakeAppliance::Answer {
    return other.issue(call.csr_der, std::string(call.device_id));
  });
  const LotResult result = run(3);
  EXPECT_EQ(result.exit_code(), 65);
  EXPECT_EQ(result.refusals.at(ErrorCode::CertificateWrong).count, 3U);
  EXPECT_EQ(certificates(), 0U);
}

TEST_F(LotRunnerTest, RefusesTheCertificateOfAnotherKey) {
  const Bytes other = KeyMaker::open(KeyKind::EcP256)->make("unit-000001")->csr_der;
  appliance_.set_hook([&](const IssueCall&) -> FakeAppliance::Answer {
    return appliance_.device_ca().issue(other, "unit-000001");
  });
  EXPECT_EQ(run(1).refusals.at(ErrorCode::CertificateWrong).count, 1U);
}

TEST_F(LotRunnerTest, FindsTheCertificateOfAKeyWhoseCsrWasLost) {
  ASSERT_EQ(run(2).exit_code(), 0);
  const Bytes whole = read_file(certificate(1), 65536).value();
  std::filesystem::remove(certificate(1));
  std::filesystem::remove(temp_.path() / "out-keys" / "unit-000001.csr");
  const LotResult again = run(2);
  EXPECT_EQ(again.exit_code(), 0);
  EXPECT_EQ(again.progress.issued, 1U);
  EXPECT_EQ(read_file(certificate(1), 65536).value(), whole);
}

TEST_F(LotRunnerTest, SaysThatTheDeviceExistsWithAnotherKey) {
  appliance_.issue_before("unit-000001",
                          KeyMaker::open(KeyKind::EcP256)->make("unit-000001")->csr_der);
  const LotResult result = run(1);
  EXPECT_EQ(result.exit_code(), 65);
  EXPECT_EQ(result.refusals.at(ErrorCode::DeviceExists).count, 1U);
}

TEST_F(LotRunnerTest, GivesUpWhenTheApplianceOnlySaysLater) {
  appliance_.set_hook([](const IssueCall&) -> FakeAppliance::Answer {
    return test::refuse(ErrorCode::Unavailable, milliseconds(10));
  });
  LotOptions options = default_options();
  options.give_up = milliseconds(300);
  const LotResult result = run(5000, options);
  EXPECT_TRUE(result.gave_up);
  EXPECT_EQ(result.exit_code(), 69);
  size_t keys = 0;
  for (const auto& entry : std::filesystem::directory_iterator(temp_.path() / "out-keys"))
    keys += entry.path().extension() == ".key" ? 1U : 0U;
  EXPECT_LE(keys, LotWorkers::kMaxReadyItems + LotWorkers::kMaxBatch + 64) << "bounded";
}

TEST_F(LotRunnerTest, GivesUpWhenNobodyAnswers) {
  appliance_.stop();
  LotOptions options = default_options();
  options.give_up = milliseconds(300);
  const LotResult result = run(5, options);
  EXPECT_EQ(result.exit_code(), 69);
  EXPECT_EQ(result.stopped_by->code(), ErrorCode::ConnectFailed);
  appliance_.restart();
}

TEST_F(LotRunnerTest, StopsAtOnceWhenTheStationIsRevoked) {
  appliance_.revoke();
  const LotResult result = run(5);
  EXPECT_EQ(result.exit_code(), 77);
  EXPECT_EQ(result.stopped_by->code(), ErrorCode::StationRevoked);
}

TEST_F(LotRunnerTest, StopsWhenAskedAndGoesOnLater) {
  const UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  LotOptions options = default_options();
  options.client.cancel_descriptor = stop.get();
  std::jthread person([&](const std::stop_token& over) {
    while (!over.stop_requested() && notes_.done < 50) std::this_thread::yield();
    const uint64_t one = 1;
    EXPECT_EQ(::write(stop.get(), &one, sizeof one), 8);
  });
  const LotResult result = run(100000, options);
  person.request_stop();
  person.join();
  ASSERT_EQ(result.exit_code(), 75);
  EXPECT_EQ(result.stopped_by->code(), ErrorCode::Interrupted);
  EXPECT_EQ(certificates(), result.progress.issued);
  const uint64_t next = last_certified() + 20;
  const LotResult rest = run(next);
  EXPECT_EQ(rest.exit_code(), 0);
  EXPECT_EQ(certificates(), next);
}

TEST_F(LotRunnerTest, KeepsASmallerWindow) {
  appliance_.set_reversed_batches(2);
  LotOptions options = default_options();
  options.window = 2;
  EXPECT_EQ(run(20, options).exit_code(), 0);
}

}  // namespace
}  // namespace linesign::client
