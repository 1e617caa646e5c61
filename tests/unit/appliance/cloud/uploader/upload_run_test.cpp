#include "appliance/cloud/uploader/upload_run.h"

#include <csignal>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/base/bytes.h"
#include "protocol/base/file.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

using testing::HasSubstr;

class UploadRunTest : public testing::Test {
 protected:
  UploadRunTest() {
    TargetSetup setup;
    setup.name = "plant";
    setup.way = WayKind::File;
    setup.file.export_dir = folder_.path() / "out";
    std::filesystem::create_directory(setup.file.export_dir);
    setup.file.work_dir = folder_.path();
    setup.file.parameters = {{"ThingName", "{device_id}"}};
    setups_.push_back(setup);
  }

  Result<void> run(RunMode mode) {
    UploadParts parts;
    parts.setups = &setups_;
    parts.outbox = &outbox_;
    parts.clock = &clock_;
    parts.stop = &stop_;
    parts.state_dir = folder_.path();
    parts.log = [this](const std::string&, const std::optional<Error>&) { ++logged_; };
    return run_upload(parts, mode);
  }
  std::string progress() const {
    return std::string(as_text(read_file(folder_.path() / "progress.json", 100'000).value()));
  }

  TempDir folder_;
  SystemClock clock_;
  StopSignal stop_ = StopSignal::create().value();
  test::FakeOutbox outbox_{700};
  std::vector<TargetSetup> setups_;
  int logged_ = 0;
};

TEST_F(UploadRunTest, EndsWhenNothingWaitsAndSaysWhatItDid) {
  ASSERT_TRUE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(outbox_.booked.size(), 700U);
  EXPECT_THAT(progress(), HasSubstr(R"("state":"ended")"));
  EXPECT_THAT(progress(), HasSubstr(R"("registered":700)"));
}

TEST_F(UploadRunTest, OnceGivesTheErrorThatHolds) {
  outbox_.failure = ErrorCode::AdminUnavailable;
  const auto done = run(RunMode::Once);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), ErrorCode::AdminUnavailable);
  EXPECT_THAT(progress(), HasSubstr("AdminUnavailable"));
  EXPECT_EQ(logged_, 1);
}

TEST_F(UploadRunTest, ATargetThatIsAnotherAccountForTheLedgerRegistersNothing) {
  setups_.front().account = "123456789012";
  const auto done = run(RunMode::Once);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), ErrorCode::CloudTargetMoved);
  EXPECT_TRUE(outbox_.booked.empty());
}

TEST_F(UploadRunTest, ATargetThatTheLedgerDoesNotKnowYetSaysWhatToDo) {
  outbox_.target.name = "other";
  const auto done = run(RunMode::Once);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), ErrorCode::CloudTargetUnknown);
  EXPECT_THAT(done.error().detail(), HasSubstr("restart linesignd"));
}

TEST_F(UploadRunTest, AFileThatCannotBeReadHoldsItsTargetUpUntilItCan) {
  int tries = 0;
  setups_.front().read_files = [&tries](TargetSetup&) -> Result<void> {
    if (++tries == 1) return fail(ErrorCode::AwsSettings, "template_file");
    return {};
  };
  ASSERT_TRUE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(outbox_.booked.size(), 700U);
  EXPECT_EQ(logged_, 2) << "held up, and goes on";
}

TEST_F(UploadRunTest, ASignalEndsItAlsoWhileItIsHeld) {
  outbox_.failure = ErrorCode::AdminUnavailable;
  const auto started = std::chrono::steady_clock::now();
  ::kill(::getpid(), SIGTERM);
  EXPECT_TRUE(run(RunMode::Serve).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(5));
}

}  // namespace
}  // namespace linesign
