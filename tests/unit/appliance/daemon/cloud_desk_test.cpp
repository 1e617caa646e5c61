// From the client's call to the ledger's file and back, with everything real between them.
#include "appliance/daemon/cloud_desk.h"

#include <gmock/gmock.h>

#include "appliance/admin/client/cloud_client.h"
#include "appliance/admin/server/admin_server.h"
#include "hsm/x509/csr.h"
#include "tests/support/fake_admin_service.h"
#include "tests/support/loop_thread.h"
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

using ::testing::ElementsAre;
using testing::filled;
using ::testing::IsEmpty;
using testing::kNow;
using testing::Request;
using testing::signature_of;

constexpr const char* kTarget = "production-eu";

AwsConfig config_with_one_target() {
  AwsConfig config;
  TargetConfig target;
  target.name = kTarget;
  target.account = "123456789012";
  target.region = "eu-central-1";
  config.targets = {target};
  config.targets_of_default_order = {kTarget};
  return config;
}

// An appliance that has nothing but an outbox.
class OutboxService final : public AdminService {
 public:
  OutboxService(const Clock& clock, GroupCommit& ledger, DeviceIdRules& rules)
      : cloud_(clock, ledger, rules) {}
  void status(std::function<void(Result<ApplianceStatus>)> reply) override {
    reply(ApplianceStatus());
  }
  void add_station(std::string /*name*/, std::function<void(Result<std::string>)> reply) override {
    reply(fail(ErrorCode::Internal));
  }
  void list_stations(std::function<void(Result<std::vector<StationListEntry>>)> reply) override {
    reply(std::vector<StationListEntry>());
  }
  void revoke_station(std::string /*name*/,
                      std::function<void(Result<StationRecord>)> reply) override {
    reply(fail(ErrorCode::Internal));
  }
  void confirm_clock(bool /*is_back*/, std::function<void(Result<ClockEvent>)> reply) override {
    reply(fail(ErrorCode::Internal));
  }
  void trust_hsm(std::function<void(Result<uint64_t>)> reply) override {
    reply(fail(ErrorCode::Internal));
  }
  CloudService& cloud() override { return cloud_; }

 private:
  CloudDesk cloud_;
};

class CloudDeskTest : public testing::LedgerTest {
 protected:
  void SetUp() override {
    LedgerTest::SetUp();
    if (HasFatalFailure()) return;
    for (uint64_t number = 1; number <= 3; ++number) issue(number);
    loop_.on_loop([this] {
      group_ = GroupCommit::start(loop_.loop(), settings(), std::move(ledger_), {});
      service_.emplace(clock_, *group_, rules_);
      auto server = AdminServer::start(loop_.loop(), *service_, {.socket = socket()});
      ASSERT_TRUE(server.has_value()) << server.error().to_string();
      server_ = std::move(*server);
    });
  }
  void TearDown() override {
    loop_.on_loop([this] {
      server_.reset();
      service_.reset();
      group_.reset();
    });
  }

  std::filesystem::path socket() const { return folder_.path() / "admin.sock"; }
  CloudClient client() const { return AdminClient(socket(), std::chrono::seconds(30)).cloud(); }

  SystemClock clock_;
  LoopThread loop_;
  std::unique_ptr<GroupCommit> group_;
  DeviceIdRules rules_{config_with_one_target().targets};
  std::optional<OutboxService> service_;
  std::unique_ptr<AdminServer> server_;
};

TEST_F(CloudDeskTest, RulesOfATargetHoldForAnOrderWhileItGoesThere) {
  const auto may_be = [this](std::string_view id) {
    bool may = false;
    loop_.on_loop([&] { may = rules_.check("default", id).has_value(); });
    return may;
  };
  EXPECT_TRUE(may_be("SN.1"));
  ASSERT_TRUE(client().set_plan(plan_of(config_with_one_target())).has_value());
  EXPECT_FALSE(may_be("SN.1"));
  EXPECT_TRUE(may_be("SN-1"));
  ASSERT_TRUE(client().set_feed({"default", kTarget}, false).has_value());
  EXPECT_TRUE(may_be("SN.1"));
  ASSERT_TRUE(client().set_feed({"default", kTarget}, true).has_value());
  EXPECT_FALSE(may_be("SN.1"));
}

TEST_F(CloudDeskTest, BringsCertificatesFromTheLedgerToRegistered) {
  EXPECT_EQ(client().claim(kTarget, 0, 10).error().code(), ErrorCode::CloudTargetUnknown);
  ASSERT_TRUE(client().set_plan(plan_of(config_with_one_target())).has_value());
  const auto items = client().claim(kTarget, 0, 10);
  ASSERT_TRUE(items.has_value()) << items.error().to_string();
  ASSERT_EQ(items->size(), 3U);
  std::vector<CloudBooking> bookings(3);
  for (size_t i = 0; i < 3; ++i) {
    bookings[i].issuance_id = (*items)[i].issuance_id;
    bookings[i].state = RegistrationState::Registered;
    bookings[i].certificate_id = sha256((*items)[i].certificate_der);
  }
  bookings[1].certificate_id = filled<32>(9, 9);
  bookings[2].state = RegistrationState::Parked;
  const auto booked = client().book(kTarget, bookings);
  ASSERT_TRUE(booked.has_value()) << booked.error().to_string();
  EXPECT_EQ(booked->booked, 2U);
  EXPECT_EQ(booked->refused.size(), 1U);
  const auto left = client().claim(kTarget, 0, 10);
  ASSERT_EQ(left->size(), 1U);
  EXPECT_EQ(left->front().issuance_id, 2U);
  EXPECT_EQ(client().release_all(kTarget, std::nullopt).value(), 1U);
  const auto status = client().status();
  ASSERT_EQ(status->size(), 1U);
  EXPECT_EQ(status->front().registered, 1U);
  EXPECT_EQ(status->front().waiting, 2U);
  EXPECT_EQ(client().registrations(kTarget, std::nullopt, 0, 10)->registrations.size(), 3U);
  EXPECT_EQ(client().certificates("default", 0, 10)->certificates.size(), 3U);
}

TEST_F(CloudDeskTest, LeadsABulkTaskThroughItsLife) {
  ASSERT_TRUE(client().set_plan(plan_of(config_with_one_target())).has_value());
  const auto task = client().create_task(kTarget, "linesign/1.json");
  ASSERT_TRUE(task.has_value()) << task.error().to_string();
  EXPECT_EQ(client().fill_task(task->id, 2)->lines, 2U);
  EXPECT_EQ(client().task_items(task->id, 0, 10)->size(), 2U);
  EXPECT_EQ(client().update_task(task->id, {.state = BulkTaskState::Uploaded})->state,
            BulkTaskState::Uploaded);
  EXPECT_EQ(client().open_tasks(kTarget)->size(), 1U);
  EXPECT_EQ(client().return_task_items(task->id, 10).value(), 2U);
  EXPECT_TRUE(client().update_task(task->id, {.state = BulkTaskState::Failed}).has_value());
  EXPECT_THAT(*client().open_tasks(kTarget), IsEmpty());
  EXPECT_EQ(client().claim(kTarget, 0, 10)->size(), 3U);
}

TEST_F(CloudDeskTest, StopsAndStartsAFeed) {
  AwsConfig config = config_with_one_target();
  config.targets_of_default_order.clear();
  ASSERT_TRUE(client().set_plan(plan_of(config)).has_value());
  EXPECT_THAT(*client().claim(kTarget, 0, 10), IsEmpty());
  ASSERT_TRUE(client().set_feed({"default", kTarget}, true).has_value());
  EXPECT_EQ(client().claim(kTarget, 0, 10)->size(), 3U);
}

TEST(CloudPlanOfConfig, ATargetThatWasAnotherAccountIsLeftOutAndTheOthersStay) {
  CloudPlan plan{{{"eu", "123456789012", "eu-west-1"},
                  {"us", "123456789012", "us-east-1"},
                  {"new", "123456789012", "eu-west-1"}},
                 {{"default", "eu"}, {"default", "us"}}};
  std::vector<CloudTargetStatus> known(2);
  known[0].target = {"eu", "123456789012", "eu-west-1"};
  known[1].target = {"us", "999988887777", "us-east-1"};
  const auto moved = take_moved(plan, known);
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_EQ(moved[0].name, "us");
  EXPECT_EQ(plan.targets.size(), 2U);
  ASSERT_EQ(plan.feeds.size(), 1U);
  EXPECT_EQ(plan.feeds[0].target, "eu");
}

TEST(CloudPlanOfConfig, NamesTargetsAndWhereTheDefaultOrderGoes) {
  const CloudPlan plan = plan_of(config_with_one_target());
  ASSERT_EQ(plan.targets.size(), 1U);
  EXPECT_EQ(plan.targets[0].name, kTarget);
  EXPECT_EQ(plan.targets[0].account, "123456789012");
  EXPECT_EQ(plan.targets[0].region, "eu-central-1");
  ASSERT_EQ(plan.feeds.size(), 1U);
  EXPECT_EQ(plan.feeds[0].order_id, "default");
  EXPECT_EQ(plan.feeds[0].target, kTarget);
  EXPECT_THAT(plan_of({}).targets, IsEmpty());
}

}  // namespace
}  // namespace linesign
