#include "appliance/signers/signature_watch.h"

#include <sys/stat.h>

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class SignatureWatchTest : public testing::Test {
 protected:
  SignatureWatch open(size_t signers = 3) const { return SignatureWatch(clock_, file(), signers); }
  std::filesystem::path file() const { return folder_.path() / "state" / "wrong-signatures"; }

  static void record(SignatureWatch& watch, size_t signer) {
    const auto kept = watch.record(signer);
    EXPECT_TRUE(kept.has_value()) << kept.error().to_string();
  }

  TempDir folder_;
  FakeClock clock_;
};

TEST_F(SignatureWatchTest, CountsOneWithoutConsequence) {
  SignatureWatch watch = open();
  record(watch, 1);
  record(watch, 2);
  EXPECT_EQ(watch.of(1).wrong, 1U);
  EXPECT_EQ(watch.of(0).wrong, 0U);
  EXPECT_EQ(watch.total(), 2U);
  EXPECT_FALSE(watch.is_quarantined(1));
  EXPECT_EQ(watch.verdict(), std::nullopt);
}

TEST_F(SignatureWatchTest, QuarantinesASignerAfterTwoWithinAnHour) {
  SignatureWatch watch = open();
  record(watch, 1);
  clock_.advance(minutes(60));
  record(watch, 1);
  EXPECT_TRUE(watch.is_quarantined(1));
  EXPECT_EQ(watch.of(1).quarantined_since, clock_.now());
  EXPECT_EQ(watch.verdict(), std::nullopt) << "the others go on";
}

TEST_F(SignatureWatchTest, ForgivesOneThatIsOlderThanAnHour) {
  SignatureWatch watch = open();
  for (int i = 0; i < 5; ++i) {
    record(watch, 1);
    clock_.advance(minutes(61));
  }
  EXPECT_FALSE(watch.is_quarantined(1));
  EXPECT_EQ(watch.of(1).wrong, 5U);
}

TEST_F(SignatureWatchTest, IsNotFooledByAClockThatGoesBack) {
  SignatureWatch watch = open();
  record(watch, 1);
  clock_.advance(-minutes(600));
  record(watch, 1);
  EXPECT_TRUE(watch.is_quarantined(1));
}

TEST_F(SignatureWatchTest, DistrustsTheHsmAfterTwoSigners) {
  SignatureWatch watch = open();
  for (const size_t signer : {0U, 2U, 0U}) record(watch, signer);
  EXPECT_EQ(watch.verdict(), std::nullopt);
  record(watch, 2);
  ASSERT_TRUE(watch.verdict());
  EXPECT_EQ(watch.verdict()->code(), ErrorCode::HsmNotTrusted);
  EXPECT_NE(watch.verdict()->detail().find("2 of 3 signers"), std::string::npos)
      << watch.verdict()->detail();
}

TEST_F(SignatureWatchTest, DistrustsTheHsmWhenTheOnlySignerIsQuarantined) {
  SignatureWatch watch = open(1);
  record(watch, 0);
  record(watch, 0);
  ASSERT_TRUE(watch.verdict());
  EXPECT_EQ(watch.verdict()->code(), ErrorCode::HsmNotTrusted);
}

TEST_F(SignatureWatchTest, ForgetsNothingInARestart) {
  {
    SignatureWatch watch = open();
    for (const size_t signer : {0U, 2U, 0U}) record(watch, signer);
  }
  SignatureWatch again = open();
  EXPECT_TRUE(again.is_quarantined(0));
  EXPECT_EQ(again.of(0).quarantined_since, clock_.now());
  EXPECT_FALSE(again.is_quarantined(2));
  record(again, 2);
  EXPECT_TRUE(again.verdict());
  EXPECT_TRUE(open().verdict());
  EXPECT_EQ(open(1).verdict().has_value(), true) << "fewer signers in the configuration";
}

TEST_F(SignatureWatchTest, TrustsAnHsmWhoseBadSignerIsNotInTheConfigurationAnyMore) {
  {
    SignatureWatch watch = open();
    for (int i = 0; i < 2; ++i) record(watch, 2);
    EXPECT_EQ(watch.verdict(), std::nullopt);
  }
  SignatureWatch fewer = open(1);
  EXPECT_EQ(fewer.verdict(), std::nullopt) << "the only signer has signed nothing wrongly";
  EXPECT_FALSE(fewer.is_quarantined(0));
  for (int i = 0; i < 2; ++i) record(fewer, 0);
  EXPECT_TRUE(fewer.verdict());
}

TEST_F(SignatureWatchTest, DistrustIsNotForgottenByFewerSigners) {
  {
    SignatureWatch watch = open();
    for (const size_t signer : {1U, 2U, 1U, 2U}) record(watch, signer);
    EXPECT_TRUE(watch.verdict());
  }
  ASSERT_TRUE(open(1).verdict());
  EXPECT_NE(open(1).verdict()->detail().find("2 of 3 signers"), std::string::npos);
}

TEST_F(SignatureWatchTest, TrustsAgainWhenAnOperatorSaysSo) {
  SignatureWatch watch = open();
  for (const size_t signer : {0U, 2U, 0U, 2U}) record(watch, signer);
  const auto released = watch.trust();
  ASSERT_TRUE(released.has_value()) << released.error().to_string();
  EXPECT_EQ(*released, 2U);
  EXPECT_EQ(watch.verdict(), std::nullopt);
  EXPECT_EQ(open().verdict(), std::nullopt);
  EXPECT_EQ(open().total(), 4U) << "what was is still counted";
  record(watch, 0);
  EXPECT_FALSE(watch.is_quarantined(0)) << "it has two again";
}

TEST_F(SignatureWatchTest, TrustsNobodyMoreWhenThatCannotBeKept) {
  SignatureWatch watch = open();
  for (const size_t signer : {0U, 2U, 0U, 2U}) record(watch, signer);
  const auto state = file().parent_path();
  std::filesystem::rename(state, folder_.path() / "full");
  std::ofstream(state) << "a file where the folder should be";
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(watch.trust().has_value());
    EXPECT_TRUE(watch.verdict()) << "the operator was told that it failed";
    EXPECT_TRUE(watch.is_quarantined(0));
  }
  std::filesystem::remove(state);
  EXPECT_EQ(watch.trust().value(), 2U);
  EXPECT_EQ(watch.verdict(), std::nullopt);
  EXPECT_EQ(open().verdict(), std::nullopt);
}

TEST_F(SignatureWatchTest, TrustsNobodyWhileItsFileCannotBeRead) {
  for (const char* bad : {"hello\n", "1 2 3\n", "1 2 3 4 5\n", "-1 x 3 4\n"}) {
    std::filesystem::create_directories(file().parent_path());
    std::ofstream(file()) << bad;
    SignatureWatch watch = open();
    ASSERT_TRUE(watch.verdict()) << bad;
    EXPECT_EQ(watch.verdict()->code(), ErrorCode::HsmNotTrusted);
    EXPECT_NE(watch.verdict()->detail().find(file().string()), std::string::npos);
    EXPECT_TRUE(watch.trust().has_value());
    EXPECT_EQ(open().verdict(), std::nullopt);
  }
}

TEST_F(SignatureWatchTest, CountsAlsoWhenItCannotWrite) {
  std::ofstream(folder_.path() / "state") << "a file where the folder should be";
  SignatureWatch watch = open(1);
  const auto kept = watch.record(0);
  ASSERT_FALSE(kept.has_value());
  EXPECT_EQ(kept.error().code(), ErrorCode::Io);
  static_cast<void>(watch.record(0));
  EXPECT_TRUE(watch.is_quarantined(0));
}

}  // namespace
}  // namespace linesign
