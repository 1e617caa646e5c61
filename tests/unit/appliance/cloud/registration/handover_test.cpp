#include "appliance/cloud/registration/handover.h"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>

#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

using test::FakeOutbox;

constexpr size_t kMarkDigits = 16;

size_t count_lines(const std::filesystem::path& file) {
  std::ifstream in(file);
  return static_cast<size_t>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
}

class FileWayTest : public testing::Test {
 protected:
  FileWay make() {
    return FileWay(outbox_,
                   "plant",
                   {.export_dir = folder_.path() / "out",
                    .work_dir = folder_.path(),
                    .parameters = {{"ThingName", "{device_id}"}},
                    .chunk_lines = 1000});
  }

  FileWayTest() { std::filesystem::create_directory(out()); }

  std::filesystem::path out() const { return folder_.path() / "out"; }
  // As a kill leaves it.
  void write_list(const std::string& state, uint64_t last) {
    std::ofstream list(folder_.path() / "plant.handover");
    list << state << '\n';
    for (uint64_t id = 1; id <= last; ++id)
      list << id << ' '
           << to_hex(sha256(outbox_.items.at(id).certificate_der)).substr(0, kMarkDigits) << '\n';
  }
  std::string first_line(const std::string& name) const {
    std::ifstream in(out() / name);
    std::string line;
    std::getline(in, line);
    return line;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& each : std::filesystem::directory_iterator(out()))
      found.push_back(each.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }

  const TempDir folder_;
  FakeOutbox outbox_{1200};
};

TEST_F(FileWayTest, WritesWhatWaitsAndHandsItOver) {
  FileWay way = make();
  const WayStep step = way.step();
  EXPECT_FALSE(step.hold.has_value());
  EXPECT_EQ(step.registered, 1000U);
  EXPECT_EQ(count_lines(folder_.path() / "out/plant-1-1000.ndjson"), 1000U);
  EXPECT_EQ(count_lines(folder_.path() / "out/plant-1-1000.csv"), 1001U);
  EXPECT_EQ(way.step().registered, 200U);
  EXPECT_TRUE(way.step().is_idle);
  EXPECT_EQ(outbox_.booked.size(), 1200U);
  EXPECT_EQ(outbox_.booked.at(1).state, RegistrationState::HandedOver);
}

TEST_F(FileWayTest, FilesThatAreNotBookedAreBookedByTheNextProcess) {
  FileWay first = make();
  ASSERT_EQ(first.step().registered, 1000U);
  write_list("written", 1000);
  for (uint64_t id = 501; id <= 1000; ++id) outbox_.items[id].state = RegistrationState::Waiting;
  FileWay second = make();
  EXPECT_EQ(second.step().registered, 200U) << "only what was in no file";
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "out/plant-1001-1200.ndjson"));
  EXPECT_EQ(outbox_.items[700].state, RegistrationState::HandedOver);
}

TEST_F(FileWayTest, FilesThatAKilledProcessHadNotFinishedAreWrittenWithTheSameDevices) {
  FileWay whole = make();
  ASSERT_EQ(whole.step().registered, 1000U);
  const std::string table = first_line("plant-1-1000.csv");
  std::filesystem::remove(out() / "plant-1-1000.csv");  // killed between the two
  for (uint64_t id = 1; id <= 1000; ++id) outbox_.items[id].state = RegistrationState::Waiting;
  write_list("writing", 1000);
  FileWay next = make();
  EXPECT_EQ(next.step().registered, 1000U);
  EXPECT_EQ(names(), (std::vector<std::string>{"plant-1-1000.csv", "plant-1-1000.ndjson"}));
  EXPECT_EQ(first_line("plant-1-1000.csv"), table);
}

TEST_F(FileWayTest, AListOfAKilledProcessThatTheParametersNoLongerFitIsMadeAnew) {
  write_list("writing", 1000);
  FileWay way(outbox_,
              "plant",
              {.export_dir = out(),
               .work_dir = folder_.path(),
               .parameters = {{"ThingName", "{nothing}"}}});
  EXPECT_FALSE(way.step().hold.has_value());
  EXPECT_EQ(way.step().parked, 1200U);
  EXPECT_TRUE(names().empty());
}

TEST_F(FileWayTest, ReleasedDevicesGetNewFilesAndTheOldOnesStay) {
  FileWay first = make();
  ASSERT_EQ(first.step().registered, 1000U);
  for (uint64_t id = 1; id <= 1000; ++id) outbox_.items[id].state = RegistrationState::Waiting;
  FileWay corrected(outbox_,
                    "plant",
                    {.export_dir = out(),
                     .work_dir = folder_.path(),
                     .parameters = {{"Corrected", "{device_id}"}},
                     .chunk_lines = 1000});
  // The first try fails: the hidden file's name is taken by a folder.
  std::filesystem::create_directory(out() / ".plant-1-1000.ndjson.part");
  EXPECT_TRUE(corrected.step().hold.has_value());
  std::filesystem::remove(out() / ".plant-1-1000.ndjson.part");
  EXPECT_EQ(corrected.step().registered, 1000U);
  EXPECT_NE(first_line("plant-1-1000.ndjson").find("ThingName"), std::string::npos);
  EXPECT_NE(first_line("plant-1-1000-2.ndjson").find("Corrected"), std::string::npos);
}

TEST_F(FileWayTest, AFileOfSomebodyElseIsNotReplaced) {
  std::ofstream(out() / "plant-1-1000.csv") << "of another appliance\n";
  FileWay way = make();
  EXPECT_EQ(way.step().registered, 1000U);
  EXPECT_EQ(first_line("plant-1-1000.csv"), "of another appliance");
  EXPECT_EQ(names(),
            (std::vector<std::string>{
                "plant-1-1000-2.csv", "plant-1-1000-2.ndjson", "plant-1-1000.csv"}));
}

TEST_F(FileWayTest, WhenOneFileFailsTheOtherHasNoNameEither) {
  std::filesystem::create_directories(out() / ".plant-1-1000.csv.part");
  FileWay way = make();
  EXPECT_TRUE(way.step().hold.has_value());
  EXPECT_FALSE(std::filesystem::exists(out() / "plant-1-1000.ndjson"));
  EXPECT_TRUE(outbox_.booked.empty());
}

TEST_F(FileWayTest, AStickThatIsNotThereHolds) {
  std::filesystem::remove(out());
  FileWay way = make();
  const WayStep step = way.step();
  ASSERT_TRUE(step.hold.has_value());
  EXPECT_NE(step.hold->detail().find("is not there"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(out()));
  EXPECT_TRUE(outbox_.booked.empty());
}

// The number 2 was another device's before.
TEST_F(FileWayTest, AListFromBeforeTheLedgerWasRestoredHandsOverOnlyWhatItMeant) {
  write_list("written", 3);
  outbox_.items.at(2).certificate_der = {0x30, 0x02};
  FileWay way = make();
  EXPECT_EQ(way.step().registered, 1000U);
  EXPECT_EQ(outbox_.items.at(1).state, RegistrationState::HandedOver);
  EXPECT_EQ(outbox_.items.at(3).state, RegistrationState::HandedOver);
  EXPECT_EQ(first_line("plant-2-1002.ndjson"), R"({"ThingName":"SN-2"})") << "it is written anew";

  for (auto& [id, item] : outbox_.items) item.state = RegistrationState::Waiting;
  write_list("writing", 3);
  outbox_.items.at(3).certificate_der = {0x30, 0x03};
  outbox_.booked.clear();
  EXPECT_EQ(way.step().registered, 0U) << "the list is made anew";
  EXPECT_EQ(way.step().registered, 1000U);
  EXPECT_EQ(outbox_.booked.size(), 1000U);
}

TEST_F(FileWayTest, AListOfNumbersThatTheLedgerDoesNotHaveIsForgotten) {
  write_list("written", 1200);
  outbox_.items.clear();
  FileWay way = make();
  EXPECT_TRUE(way.step().is_idle);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "plant.handover"));
}

TEST_F(FileWayTest, ADeviceWhoseLineCannotBeMadeIsParked) {
  FileWay way(outbox_,
              "plant",
              {.export_dir = folder_.path() / "out",
               .work_dir = folder_.path(),
               .parameters = {{"ThingName", "{nothing}"}}});
  EXPECT_EQ(way.step().parked, 1200U);
  EXPECT_TRUE(way.step().is_idle);
}

TEST(JitWayTest, HandsOverOnlyWhenTheCaIsReady) {
  FakeOutbox outbox(10);
  bool is_ready = false;
  JitWay way(outbox, "plant", [&is_ready](const std::string&) -> Result<void> {
    if (is_ready) return {};
    return fail(ErrorCode::AwsNotFound, "no CA");
  });
  EXPECT_TRUE(way.step().hold.has_value());
  EXPECT_TRUE(outbox.booked.empty());
  is_ready = true;
  EXPECT_EQ(way.step().registered, 10U);
  EXPECT_TRUE(way.step().is_idle);
}

TEST(JitWayTest, AsksForTheCaOfEachDevice) {
  FakeOutbox outbox(10);
  for (uint64_t id = 1; id <= 4; ++id) outbox.items.at(id).issuer_der = {0x31};
  for (uint64_t id = 5; id <= 10; ++id) outbox.items.at(id).issuer_der = {0x32};
  std::vector<std::string> asked;
  JitWay way(outbox, "plant", [&asked](const std::string& ca_id) -> Result<void> {
    asked.push_back(ca_id);
    return {};
  });
  EXPECT_EQ(way.step().registered, 10U);
  EXPECT_EQ(asked, (std::vector{issuer_id(outbox.items.at(1)), issuer_id(outbox.items.at(10))}));
}

TEST(JitWayTest, AsksNothingOfAwsWhileNothingWaits) {
  FakeOutbox outbox(0);
  int calls = 0;
  JitWay way(outbox, "plant", [&calls](const std::string&) -> Result<void> {
    ++calls;
    return {};
  });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(way.step().is_idle);
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace linesign
