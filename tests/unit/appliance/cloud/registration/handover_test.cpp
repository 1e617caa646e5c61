#include "appliance/cloud/registration/handover.h"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"
#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

using test::FakeOutbox;

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
  // As a kill between the last booking and the end leaves it.
  std::ofstream list(folder_.path() / "plant.handover");
  list << "1\n1000\n";
  for (int id = 1; id <= 1000; ++id) list << id << '\n';
  list.close();
  for (uint64_t id = 501; id <= 1000; ++id) outbox_.items[id].state = RegistrationState::Waiting;
  FileWay second = make();
  EXPECT_EQ(second.step().registered, 200U) << "only what was in no file";
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "out/plant-1001-1200.ndjson"));
  EXPECT_EQ(outbox_.items[700].state, RegistrationState::HandedOver);
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
  JitWay way(outbox, "plant", [&is_ready]() -> Result<void> {
    if (is_ready) return {};
    return fail(ErrorCode::AwsNotFound, "no CA");
  });
  EXPECT_TRUE(way.step().hold.has_value());
  EXPECT_TRUE(outbox.booked.empty());
  is_ready = true;
  EXPECT_EQ(way.step().registered, 10U);
  EXPECT_TRUE(way.step().is_idle);
}

TEST(JitWayTest, AsksNothingOfAwsWhileNothingWaits) {
  FakeOutbox outbox(0);
  int calls = 0;
  JitWay way(outbox, "plant", [&calls]() -> Result<void> {
    ++calls;
    return {};
  });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(way.step().is_idle);
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace linesign
