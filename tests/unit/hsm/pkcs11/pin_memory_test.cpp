#include "hsm/pkcs11/pin_memory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/support/broken_calls.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr UnixTime kNow{seconds(1'800'000'000)};
constexpr const char* kSerial = "0123abcd";

SecretBytes pin(std::string_view text) { return SecretBytes(to_bytes(text)); }

class PinMemoryTest : public ::testing::Test {
 protected:
  // As each program does it: opened anew.
  PinMemory open() const {
    auto memory = PinMemory::open(folder(), kSerial);
    if (!memory) {
      ADD_FAILURE() << memory.error().to_string();
      std::abort();
    }
    return std::move(*memory);
  }

  std::filesystem::path folder() const { return folder_.path() / "signers"; }
  std::filesystem::path file() const { return folder() / ("pin-" + to_hex(as_bytes(kSerial))); }

  std::string content() const {
    std::ifstream in(file());
    return {std::istreambuf_iterator<char>(in), {}};
  }

  Result<void> begin(std::string_view text,
                     bool is_ordered = false,
                     bool is_low = false,
                     UnixTime now = kNow) const {
    PinMemory memory = open();
    return memory.begin(pin(text), is_ordered, is_low, now);
  }

  // A login that is killed at `now`, or why there is none.
  std::optional<ErrorCode> cut_off(std::chrono::seconds after, bool is_low = false) const {
    const auto begun = begin("1111", false, is_low, kNow + after);
    return begun ? std::nullopt : std::optional(begun.error().code());
  }

  // The token has accepted it, and then did not answer kMaxUnknownTries times.
  void stop_answering() const {
    try_pin("1111", LoginOutcome::Accepted);
    for (int i = 0; i < kMaxUnknownTries; ++i) EXPECT_TRUE(begin("1111").has_value()) << i;
  }

  void try_pin(std::string_view text, LoginOutcome outcome, bool is_ordered = false) const {
    PinMemory memory = open();
    const auto begun = memory.begin(pin(text), is_ordered, false, kNow);
    ASSERT_TRUE(begun.has_value()) << begun.error().to_string();
    ASSERT_TRUE(memory.end(outcome).has_value());
  }

  void expect_refused(std::string_view text) const {
    const auto begun = begin(text);
    ASSERT_FALSE(begun.has_value());
    EXPECT_EQ(begun.error().code(), ErrorCode::HsmPinRefused);
  }

  TempDir folder_;
};

TEST_F(PinMemoryTest, LetsARefusedPinBeTriedOnceAndAnotherOneOnceToo) {
  try_pin("1111", LoginOutcome::Refused);
  expect_refused("1111");
  try_pin("2222", LoginOutcome::Refused);
  expect_refused("2222");
  expect_refused("1111");
}

TEST_F(PinMemoryTest, CountsATryWhoseOutcomeNobodySaw) {
  ASSERT_TRUE(begin("1111").has_value());  // and the process is killed
  expect_refused("1111");
}

TEST_F(PinMemoryTest, ForgetsEverythingElseAfterALogin) {
  try_pin("1111", LoginOutcome::Refused);
  try_pin("2222", LoginOutcome::Accepted);
  try_pin("2222", LoginOutcome::Accepted);
  try_pin("1111", LoginOutcome::Refused);
}

TEST_F(PinMemoryTest, GivesAPinThatWasAcceptedSomeMoreTriesWhenLoginsAreCutOff) {
  try_pin("1111", LoginOutcome::Accepted);
  for (int i = 0; i < kMaxUnknownTries; ++i) EXPECT_TRUE(begin("1111").has_value()) << i;
  EXPECT_FALSE(begin("1111").has_value());
  try_pin("1111", LoginOutcome::Accepted, true);
  EXPECT_TRUE(begin("1111").has_value());
}

TEST_F(PinMemoryTest, SpreadsTheTriesOfAPinThatWasAcceptedWhileTheTokenDoesNotAnswer) {
  stop_answering();
  const auto begun = begin("1111");
  ASSERT_FALSE(begun.has_value());
  EXPECT_EQ(begun.error().code(), ErrorCode::SignerTimeout) << "nobody has rejected the PIN";
  EXPECT_NE(begun.error().detail().find(to_iso8601(kNow + minutes(1))), std::string::npos)
      << begun.error().detail();
  EXPECT_EQ(cut_off(seconds(59)), ErrorCode::SignerTimeout);
  EXPECT_EQ(cut_off(seconds(60)), std::nullopt);
  EXPECT_EQ(cut_off(seconds(60 + 599)), ErrorCode::SignerTimeout);
  EXPECT_EQ(cut_off(seconds(60 + 600)), std::nullopt);
  EXPECT_EQ(cut_off(seconds(60 + 1199)), ErrorCode::SignerTimeout);
  EXPECT_EQ(cut_off(seconds(60 + 1200)), std::nullopt);
  EXPECT_EQ(cut_off(-hours(24)), std::nullopt) << "a clock that was set back";
}

TEST_F(PinMemoryTest, HasNoFurtherTriesForWhatTheTokenMayHaveRejected) {
  stop_answering();
  EXPECT_EQ(cut_off(hours(1000), true), ErrorCode::HsmPinRefused) << "it knows of a wrong PIN";
  std::filesystem::remove(file());
  EXPECT_EQ(cut_off(seconds(0)), std::nullopt);
  EXPECT_EQ(cut_off(hours(1000)), ErrorCode::HsmPinRefused) << "it was never accepted";
  std::filesystem::remove(file());
  try_pin("1111", LoginOutcome::Refused);
  EXPECT_EQ(cut_off(hours(1000)), ErrorCode::HsmPinRefused);
}

TEST_F(PinMemoryTest, TellsWhoWaitsWhenThePauseIsOver) {
  stop_answering();
  PinMemory watching = open();
  PinMemory low = open();
  for (const auto after : {0, 59, 60, 61}) {
    EXPECT_EQ(*watching.allows_again(pin("1111"), false, kNow + seconds(after)), after >= 60);
    EXPECT_FALSE(*low.allows_again(pin("1111"), true, kNow + seconds(after)));
  }
  EXPECT_EQ(cut_off(seconds(60)), std::nullopt);
  EXPECT_FALSE(*watching.allows_again(pin("1111"), false, kNow + seconds(600)));
  EXPECT_TRUE(*watching.allows_again(pin("1111"), false, kNow + seconds(660)));
}

TEST_F(PinMemoryTest, BelievesATokenThatKnowsOfAWrongPinSinceALoginWasCutOff) {
  try_pin("1111", LoginOutcome::Accepted);
  EXPECT_TRUE(begin("1111", false, true).has_value()) << "somebody else's wrong PIN";
  EXPECT_FALSE(begin("1111", false, true).has_value()) << "may have been this one";
  EXPECT_TRUE(begin("1111", false, false).has_value());
}

TEST_F(PinMemoryTest, NeverAcceptsAPinThatWasChangedInTheToken) {
  try_pin("1111", LoginOutcome::Accepted);
  try_pin("1111", LoginOutcome::Refused);
  expect_refused("1111");
}

TEST_F(PinMemoryTest, DoesNotCountALoginThatFailedForAnotherReason) {
  for (int i = 0; i < 5; ++i) try_pin("1111", LoginOutcome::NotJudged);
  try_pin("1111", LoginOutcome::Refused);
  try_pin("1111", LoginOutcome::NotJudged, true);
  expect_refused("1111");
}

TEST_F(PinMemoryTest, LetsAnOperatorOrderATry) {
  try_pin("1111", LoginOutcome::Refused);
  EXPECT_TRUE(begin("1111", true).has_value());
  expect_refused("1111");
}

TEST_F(PinMemoryTest, HasAnEnd) {
  for (size_t i = 0; i < kMaxPins; ++i)
    try_pin("wrong " + std::to_string(i), LoginOutcome::Refused);
  expect_refused("one more");
  try_pin("one more", LoginOutcome::Refused, true);
  expect_refused("wrong 1");
  EXPECT_EQ(content().size(), 4096U);
}

TEST_F(PinMemoryTest, KnowsEachTokenForItself) {
  try_pin("1111", LoginOutcome::Refused);
  auto other = PinMemory::open(folder(), "another");
  ASSERT_TRUE(other.has_value());
  EXPECT_TRUE(other->begin(pin("1111"), false, false, kNow).has_value());
}

TEST_F(PinMemoryTest, HoldsNoPinAndIsForItsOwnerOnly) {
  try_pin("31415926", LoginOutcome::Refused);
  EXPECT_EQ(content().find("31415926"), std::string::npos);
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(folder().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(PinMemoryTest, SaysDifferentThingsOfOnePinInTwoFolders) {
  try_pin("1111", LoginOutcome::Refused);
  const std::string first = content();
  std::filesystem::remove(file());
  try_pin("1111", LoginOutcome::Refused);
  EXPECT_NE(content(), first) << "no salt";
}

TEST_F(PinMemoryTest, AllowsNothingWhenItCannotBeUnderstood) {
  try_pin("1111", LoginOutcome::Refused);
  const std::string good = content();
  for (const std::string& bad : {std::string("hello"),
                                 good.substr(0, 100),
                                 "x" + good.substr(1),
                                 std::string(4096, '\0'),
                                 good.substr(0, good.find("refused")) + "accepted 00 1 1\n"}) {
    std::ofstream(file(), std::ios::trunc) << bad;
    const auto opened = PinMemory::open(folder(), kSerial);
    ASSERT_FALSE(opened.has_value()) << bad.substr(0, 40);
    EXPECT_EQ(opened.error().code(), ErrorCode::Io) << "a signer would wait for another PIN";
    EXPECT_NE(opened.error().detail().find(file().string()), std::string::npos);
  }
}

TEST_F(PinMemoryTest, NamesAPlaceWhereItCannotWrite) {
  std::filesystem::create_directories(file());  // where root cannot write a file either
  const auto opened = PinMemory::open(folder(), kSerial);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::Io);
  EXPECT_NE(opened.error().detail().find("pin_memory in [hsm]"), std::string::npos)
      << opened.error().detail();
}

TEST_F(PinMemoryTest, IsLeftByRootToTheOwnerOfItsFolder) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  constexpr uid_t kSomebody = 65534;
  std::filesystem::create_directories(folder());
  ASSERT_EQ(::chown(folder().c_str(), kSomebody, kSomebody), 0);
  try_pin("1111", LoginOutcome::Refused);
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, kSomebody);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(PinMemoryTest, IsMadeByRootForTheOwnerOfTheFolderAboveIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  constexpr uid_t kSomebody = 65534;
  ASSERT_EQ(::chown(folder_.path().c_str(), kSomebody, kSomebody), 0);
  const auto made = folder() / "deep" / "memory";
  ASSERT_TRUE(PinMemory::open(made, kSerial).has_value());
  struct stat status {};
  for (auto path = made / file().filename(); path != folder_.path(); path = path.parent_path()) {
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, kSomebody) << path;
  }
}

TEST_F(PinMemoryTest, IsMendedByRootWhereRootHasLeftItToNobody) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  constexpr uid_t kSomebody = 65534;
  try_pin("1111", LoginOutcome::Refused);
  ASSERT_EQ(::chown(folder_.path().c_str(), kSomebody, kSomebody), 0);
  expect_refused("1111");
  struct stat status {};
  ASSERT_EQ(::stat(folder().c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, kSomebody);
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, kSomebody);
}

// The owner of the folder above changes its name for a link, again and again, while root works.
TEST_F(PinMemoryTest, IsNeverMadeWhereALinkInItsPlacePoints) {
  const auto elsewhere = folder_.path() / "elsewhere";
  const auto link = folder_.path() / "link";
  std::filesystem::create_directories(folder());
  std::filesystem::create_directories(elsewhere);
  std::filesystem::create_directory_symlink(elsewhere, link);
  std::atomic<bool> is_over = false;
  std::atomic<int> swapped = 0;
  std::thread swaps([&] {
    for (; !is_over; ++swapped)
      EXPECT_EQ(::renameat2(AT_FDCWD, folder().c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE),
                0);
  });
  int made = 0;
  for (int i = 0; made < 80 || swapped < 2000; ++i)
    made += PinMemory::open(folder(), std::to_string(i % 1000)).has_value() ? 1 : 0;
  is_over = true;
  swaps.join();
  EXPECT_TRUE(std::filesystem::is_empty(elsewhere));
}

TEST_F(PinMemoryTest, LeavesAFileOfRootsThatIsNoMemoryToRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  constexpr uid_t kSomebody = 65534;
  std::filesystem::create_directories(folder());
  ASSERT_EQ(::chown(folder().c_str(), kSomebody, kSomebody), 0);
  std::ofstream(file()) << "a secret of root's that somebody has moved here";
  EXPECT_FALSE(PinMemory::open(folder(), kSerial).has_value());
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
}

TEST_F(PinMemoryTest, IsNoFileThatHasASecondName) {
  std::filesystem::create_directories(folder());
  std::ofstream(folder_.path() / "of-others") << "";
  std::filesystem::create_hard_link(folder_.path() / "of-others", file());
  EXPECT_FALSE(PinMemory::open(folder(), kSerial).has_value());
  EXPECT_EQ(std::filesystem::file_size(folder_.path() / "of-others"), 0U);
}

TEST_F(PinMemoryTest, IsNotUsedBeforeTheNameOfItsFolderIsOnDisk) {
  linesign::testing::break_calls("fsync:1=EIO@" + folder_.path().filename().string());
  const auto opened = PinMemory::open(folder(), kSerial);
  linesign::testing::break_calls("");
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::Io);
  EXPECT_FALSE(std::filesystem::exists(file())) << "the first to be synced is the folder above";
}

TEST_F(PinMemoryTest, SaysWhatItsFolderIsForWhereItCannotBeMade) {
  std::ofstream(folder_.path() / "signers") << "a file where the folder should be";
  const auto opened = PinMemory::open(folder(), kSerial);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::Io);
  EXPECT_NE(opened.error().detail().find("remembers PINs"), std::string::npos);
  EXPECT_NE(opened.error().detail().find("pin_memory in [hsm]"), std::string::npos);
}

TEST_F(PinMemoryTest, LetsThePinBeTriedAgainWhenSomebodyRemovesIt) {
  try_pin("1111", LoginOutcome::Refused);
  PinMemory watching = open();
  std::filesystem::remove(file());
  EXPECT_TRUE(*watching.allows_again(pin("1111"), true, kNow));
  EXPECT_TRUE(begin("1111").has_value());
}

TEST_F(PinMemoryTest, SeesThatAnotherProgramLoggedInWithThePin) {
  try_pin("1111", LoginOutcome::Refused);
  PinMemory watching = open();
  EXPECT_FALSE(*watching.allows_again(pin("1111"), true, kNow));
  try_pin("1111", LoginOutcome::Refused, true);
  EXPECT_FALSE(*watching.allows_again(pin("1111"), true, kNow));
  try_pin("1111", LoginOutcome::Accepted, true);
  EXPECT_TRUE(*watching.allows_again(pin("1111"), true, kNow));
}

}  // namespace
}  // namespace linesign
