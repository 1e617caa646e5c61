#include "appliance/cloud/registration/pending_devices.h"

#include <gtest/gtest.h>

#include "appliance/cloud/manifest/device_fields.h"
#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

using test::FakeOutbox;

TEST(PendingDevicesTest, AreCountedByTheCaThatSignedThem) {
  FakeOutbox outbox(1100);
  for (auto& [id, item] : outbox.items) item.issuer_der = {static_cast<uint8_t>(id <= 600 ? 1 : 2)};
  const std::string former = issuer_id(outbox.items.at(1));
  const std::string present = issuer_id(outbox.items.at(1100));
  outbox.items.at(1).state = RegistrationState::Registered;
  outbox.items.at(2).state = RegistrationState::HandedOver;
  outbox.items.at(3).state = RegistrationState::Parked;
  const BulkTask task = outbox.create_task("plant", "key").value();
  ASSERT_TRUE(outbox.fill_task(task.id, 10).has_value());

  const auto pending = count_pending(outbox, "plant", 5000);
  ASSERT_TRUE(pending.has_value()) << pending.error().to_string();
  EXPECT_TRUE(pending->is_all);
  EXPECT_EQ(pending->by_ca.at(former), 598U) << "with those that have failed or are in a task";
  EXPECT_EQ(pending->by_ca.at(present), 500U);

  const auto some = count_pending(outbox, "plant", 400);
  EXPECT_FALSE(some->is_all);
  EXPECT_FALSE(some->by_ca.contains(present));
}

TEST(PendingDevicesTest, OfAnIdleTargetAreNone) {
  FakeOutbox outbox(3);
  for (auto& [id, item] : outbox.items) item.state = RegistrationState::Registered;
  EXPECT_TRUE(count_pending(outbox, "plant", 10)->by_ca.empty());
}

}  // namespace
}  // namespace linesign
