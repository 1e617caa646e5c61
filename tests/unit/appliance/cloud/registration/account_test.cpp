// Registration against the double of AWS, with an outbox in memory.
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/cloud/registration/reconcile.h"
#include "appliance/cloud/registration/target_loop.h"
#include "appliance/cloud/registration/target_setup.h"
#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"
#include "tests/support/aws_connection.h"
#include "tests/support/software_ca.h"
#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

using test::AwsDouble;
using test::FakeOutbox;
using test::SoftwareCa;
using testing::HasSubstr;

constexpr const char* kTemplate =
    R"({"Parameters":{"ThingName":{"Type":"String"},"CertificatePem":{"Type":"String"}},)"
    R"("Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"ThingName"}},)"
    R"("OverrideSettings":{"AttributePayload":"MERGE","ThingTypeName":"REPLACE",)"
    R"("ThingGroups":"DO_NOTHING"}},)"
    R"("certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificatePem":)"
    R"({"Ref":"CertificatePem"},"Status":"ACTIVE"},"OverrideSettings":{"Status":"DO_NOTHING"}}}})";

// One double for all tests of this file: each makes a CA of its own.
AwsDouble& shared_double() {
  static AwsDouble process;
  return process;
}

// CAs that AWS can tell apart.
SoftwareCa make_ca() {
  static int number = 0;
  test::CaSpec spec;
  spec.subject = {{"CN", fmt::format("Device CA {}", ++number)}};
  spec.not_before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) -
                    std::chrono::hours(1);
  return SoftwareCa(spec);
}

class AccountTest : public testing::Test {
 protected:
  AccountTest()
      : ca_(make_ca()), outbox_(0), connection_(test::connect(aws_, {limiter_, clock_, pause_})) {
    setup_.name = "plant";
    setup_.account = AwsDouble::kAccount;
    setup_.region = AwsDouble::kRegion;
    setup_.orders = {"default"};
    setup_.ca = wish_for(ca_.certificate());
    setup_.direct.account = setup_.account;
    setup_.direct.region = setup_.region;
    setup_.direct.ca_id = setup_.ca.id;
    setup_.bulk.account = setup_.account;
    setup_.bulk.ca_id = setup_.ca.id;
    setup_.bulk.template_body = kTemplate;
    setup_.bulk.parameters = {{"ThingName", "{device_id}"},
                              {"CertificatePem", "{certificate_pem}"}};
    setup_.bulk.thing_name = "{device_id}";
    setup_.bulk.bucket = "manifests";
    setup_.bulk.prefix = "linesign/" + setup_.ca.id.substr(0, 8) + "/";
    setup_.bulk.role_arn = fmt::format("arn:aws:iam::{}:role/bulk", AwsDouble::kAccount);
    setup_.bulk.work_dir = folder_.path();
  }
  ~AccountTest() override { aws_.reset(); }

  void make_devices(uint64_t count) {
    for (uint64_t id = 1; id <= count; ++id) {
      test::CaSpec leaf;
      leaf.subject = {{"CN", fmt::format("SN-{}", id)}};
      leaf.extensions = {{"basicConstraints", "critical,CA:FALSE"}};
      leaf.issuer = &ca_;
      leaf.not_before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) -
                        std::chrono::hours(1);
      CloudItem item = test::make_item(id);
      item.certificate_der = SoftwareCa(leaf).der();
      outbox_.items[id] = item;
    }
  }

  Result<CaOutcome> register_ca() {
    auto iot = connection_->session().iot();
    return CaRegistrar(*iot).ensure(setup_.ca, "");
  }

  std::optional<Error> run(RunMode mode) {
    const auto way = make_way(setup_, outbox_, connection_.get(), clock_);
    TargetLoop loop({way.get(),
                     [this] { return connection_->check_credentials(); },
                     &pause_,
                     &clock_,
                     [](const std::optional<Error>&) {}});
    return loop.run(mode);
  }

  size_t count(RegistrationState state) const {
    size_t found = 0;
    for (const auto& [id, item] : outbox_.items) found += item.state == state ? 1 : 0;
    return found;
  }
  size_t in_account(const std::string& part) {
    return aws_.space().object(part).value().names().size();
  }

  AwsDouble& aws_ = shared_double();
  SystemClock clock_;
  aws::StoppablePause pause_;
  aws::RateLimiter limiter_{clock_};
  TempDir folder_;
  SoftwareCa ca_;
  FakeOutbox outbox_;
  std::unique_ptr<TargetConnection> connection_;
  TargetSetup setup_;
};

TEST_F(AccountTest, TheDirectWayRegistersEveryDeviceOnce) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(40);
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 40U);
  EXPECT_EQ(in_account("certificates"), 40U);
  EXPECT_EQ(in_account("things"), 40U);
}

TEST_F(AccountTest, EveryAnswerMayBeLostOnce) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(12);
  aws_.control("faults", R"({"service":"iot","operation":"*","do":"lose_reply","each":"call"})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 12U);
  EXPECT_EQ(in_account("certificates"), 12U);
}

TEST_F(AccountTest, FiveBadOnesAreParkedAndTheOthersRegistered) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(30);
  for (int id = 1; id <= 5; ++id)
    aws_.control("faults",
                 fmt::format(R"({{"operation":"CreateThing","do":"error","times":null,)"
                             R"("code":"InvalidRequestException","message":"bad",)"
                             R"("contains":"/things/SN-{}"}})",
                             id * 6));
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Parked), 5U);
  EXPECT_EQ(count(RegistrationState::Registered), 25U);
  EXPECT_THAT(outbox_.booked.at(6).reason, HasSubstr("bad"));
}

TEST_F(AccountTest, DevicesThatAPolicyExcludesDoNotKeepTheOthersWaiting) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(60);
  for (const int id : {1, 2})  // and with them 10 to 19, and 20 to 29
    aws_.control(
        "faults",
        fmt::format(R"({{"operation":"CreateThing","do":"error","times":null,"status":403,)"
                    R"("code":"UnauthorizedException","message":"not yours",)"
                    R"("contains":"/things/SN-{}"}})",
                    id));
  const auto way = make_way(setup_, outbox_, connection_.get(), clock_);
  int held = 0;
  for (int step = 0; step < 8; ++step) held += way->step().hold.has_value() ? 1 : 0;

  EXPECT_EQ(count(RegistrationState::Registered), 38U);
  EXPECT_EQ(count(RegistrationState::Parked), 0U) << "it may pass";
  EXPECT_GT(held, 0) << "and is told";
  EXPECT_GT(outbox_.items.at(1).attempts, 0U);
}

TEST_F(AccountTest, ASetUpThatAwsRefusesForEveryDeviceHoldsAndParksNobody) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(60);
  aws_.control("faults",
               R"({"operation":"CreateThing","do":"error","times":null,)"
               R"("code":"InvalidRequestException","message":"thing type is deprecated"})");
  const auto held = run(RunMode::Once);
  ASSERT_TRUE(held.has_value());
  EXPECT_THAT(held->detail(), HasSubstr("deprecated"));
  EXPECT_EQ(count(RegistrationState::Parked), 0U);
}

TEST_F(AccountTest, AnotherIdInAnAnswerIsParked) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(3);
  aws_.control("faults",
               fmt::format(R"({{"operation":"RegisterCertificate","do":"replace",)"
                           R"("members":{{"certificateId":"{}"}}}})",
                           std::string(64, 'e')));
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Parked), 1U);
  EXPECT_EQ(count(RegistrationState::Registered), 2U);
}

TEST_F(AccountTest, WithoutTheCaNobodyIsParked) {
  make_devices(20);
  const auto held = run(RunMode::Once);
  ASSERT_TRUE(held.has_value());
  EXPECT_THAT(held->detail(), HasSubstr("register-ca"));
  EXPECT_EQ(count(RegistrationState::Waiting), 20U);
}

TEST_F(AccountTest, ALoginPageHoldsAndParksNobody) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(5);
  aws_.control("settings", R"({"captive_portal":"html"})");
  const auto held = run(RunMode::Once);
  aws_.control("settings", R"({"captive_portal":""})");
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(held->code(), ErrorCode::AwsNotAws);
  EXPECT_EQ(count(RegistrationState::Waiting), 5U);
}

TEST_F(AccountTest, AClockThatIsTenMinutesOffDoesNotMatter) {
  aws_.control("settings", R"({"clock_skew":600})");
  const auto registered = register_ca();
  make_devices(5);
  const auto held = run(RunMode::Once);
  aws_.control("settings", R"({"clock_skew":0})");
  EXPECT_TRUE(registered.has_value());
  EXPECT_FALSE(held.has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 5U);
}

TEST_F(AccountTest, AwsGoesAwayAndComesBack) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(10);
  aws_.control("settings", R"({"away":"close"})");
  {
    const std::jthread mender([this] {
      pause_.wait(std::chrono::milliseconds(1500));
      aws_.control("settings", R"({"away":""})");
    });
    EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  }
  EXPECT_EQ(count(RegistrationState::Registered), 10U);
  EXPECT_EQ(in_account("certificates"), 10U);
}

TEST_F(AccountTest, RegisteringTheCaAgainFindsNothingToDo) {
  const auto first = register_ca();
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(first->done.empty());
  EXPECT_EQ(first->now.mode, aws::CertificateMode::SniOnly);
  const auto second = register_ca();
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(second->done.empty());
  setup_.ca.mode = aws::CertificateMode::Default;
  EXPECT_EQ(register_ca().error().code(), ErrorCode::AwsConflict);
}

TEST_F(AccountTest, TheCaCanBeDeletedAndItsDeletionRepeated) {
  ASSERT_TRUE(register_ca().has_value());
  auto iot = connection_->session().iot();
  EXPECT_EQ(CaRegistrar(*iot).remove(setup_.ca.id)->done.size(), 2U);
  EXPECT_TRUE(CaRegistrar(*iot).remove(setup_.ca.id)->done.empty());
}

TEST_F(AccountTest, TheBulkWayBooksEveryLineAndParksTheBadOnes) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(60);
  aws_.control("settings", R"({"bulk_bad_lines":[3,9,27,28,60],"bulk_bad_tasks":1})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 55U);
  EXPECT_EQ(count(RegistrationState::Parked), 5U);
  EXPECT_EQ(outbox_.items.at(27).state, RegistrationState::Parked);
  EXPECT_EQ(in_account("certificates"), 55U);
}

TEST_F(AccountTest, TheBulkWayWaitsForATaskOfSomebodyElse) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(4);
  const std::string where =
      fmt::format(R"({{"account":"{}","region":"{}"}})", AwsDouble::kAccount, AwsDouble::kRegion);
  aws_.control("foreign-task", where);
  {
    const std::jthread mender([this, where] {
      pause_.wait(std::chrono::milliseconds(1200));
      aws_.control("end-foreign-task", where);
    });
    EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  }
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
}

TEST_F(AccountTest, ALineAtWhichAwsFailsIsTriedLaterAndLaterAndTold) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(3);
  aws_.control("settings", R"({"bulk_bad_lines":[1],"bulk_bad_code":"InternalFailureException"})");
  const auto held = run(RunMode::Once);
  ASSERT_TRUE(held.has_value()) << "a task with this line alone";
  EXPECT_EQ(held->code(), ErrorCode::AwsUnavailable);
  EXPECT_EQ(count(RegistrationState::Registered), 2U);
  EXPECT_EQ(count(RegistrationState::Waiting), 1U);
  EXPECT_EQ(outbox_.items.at(1).attempts, 1U) << "others got through in the first task";
  EXPECT_EQ(in_account("tasks"), 2U);
  aws_.control("settings", R"({"bulk_bad_lines":[],"bulk_bad_code":""})");
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 3U);
}

TEST_F(AccountTest, ABulkTaskOfWhichEveryLineIsRefusedParksNobody) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(12);
  aws_.control("settings", R"({"bulk_bad_lines":[1,2,3,4,5,6,7,8,9,10,11,12]})");
  const auto held = run(RunMode::Once);
  aws_.control("settings", R"({"bulk_bad_lines":[]})");
  ASSERT_TRUE(held.has_value());
  EXPECT_THAT(held->detail(), HasSubstr("all 12 lines"));
  EXPECT_EQ(count(RegistrationState::Parked), 0U);
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 12U);
}

TEST_F(AccountTest, ReportsThatCountFromZeroAreBookedRightly) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(6);
  aws_.control("settings", R"({"bulk_first_line":0,"bulk_bad_lines":[3],"bulk_bad_tasks":1})");
  EXPECT_FALSE(run(RunMode::Once).has_value());
  aws_.control("settings", R"({"bulk_first_line":1})");
  EXPECT_EQ(outbox_.items.at(3).state, RegistrationState::Parked);
  EXPECT_EQ(count(RegistrationState::Registered), 5U);
}

TEST_F(AccountTest, ALostStartOfABulkTaskStartsNoSecondOne) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(4);
  aws_.control("faults", R"({"operation":"StartThingRegistrationTask","do":"lose_reply"})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
  EXPECT_EQ(in_account("tasks"), 1U);
}

TEST_F(AccountTest, ANewProcessAfterEachStepOfABulkTaskGoesOn) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(10);
  bool is_idle = false;
  for (int steps = 0; steps < 100 && !is_idle; ++steps) {
    const WayStep step = make_way(setup_, outbox_, connection_.get(), clock_)->step();
    ASSERT_FALSE(step.hold.has_value()) << step.hold->to_string();
    pause_.wait(step.again_after);
    is_idle = step.is_idle;
  }
  EXPECT_EQ(count(RegistrationState::Registered), 10U);
  EXPECT_EQ(in_account("tasks"), 1U);
  EXPECT_EQ(outbox_.tasks.size(), 1U);
}

TEST_F(AccountTest, LinksThatExpiredAreAskedForAgain) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(4);
  aws_.control("settings", R"({"expired_reports":1})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
}

TEST_F(AccountTest, ReportsWithoutPositionsAreBookedByCertificate) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(20);
  aws_.control("settings", R"({"report_positions":false,"report_lines_per_link":7})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  aws_.control("settings", R"({"report_positions":true,"report_lines_per_link":10000})");
  EXPECT_EQ(count(RegistrationState::Registered), 20U);
}

TEST_F(AccountTest, ADeviceThatNoReportOfACompletedTaskNamesIsParked) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(6);
  // An error without the number of its line names nobody.
  aws_.control("settings",
               R"({"report_positions":false,"bulk_bad_lines":[2],"bulk_bad_tasks":100})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  aws_.control("settings", R"({"report_positions":true,"bulk_bad_lines":[],"bulk_bad_tasks":0})");
  EXPECT_EQ(count(RegistrationState::Registered), 5U);
  EXPECT_EQ(outbox_.items.at(2).state, RegistrationState::Parked);
  EXPECT_THAT(outbox_.booked.at(2).reason, HasSubstr("do not name"));
  EXPECT_EQ(outbox_.tasks.size(), 1U) << "another task would say no more";
}

TEST_F(AccountTest, AnUploadWhoseAnswerIsLostIsTakenForOurs) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(4);
  aws_.control("faults", R"({"operation":"PutObject","do":"lose_reply"})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
  EXPECT_EQ(outbox_.tasks.size(), 1U);
}

TEST_F(AccountTest, ThrottledToOneASecondNothingIsLostOrParked) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(4);
  aws_.control("throttle", R"({"operation":"CreateThing","tps":1,"burst":1})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  aws_.control("throttle", R"({"operation":"CreateThing","tps":null})");
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
  EXPECT_EQ(in_account("things"), 4U);
}

TEST_F(AccountTest, ABulkTaskIsNotStartedWithoutTheCa) {
  setup_.way = WayKind::Bulk;
  make_devices(20);
  const auto missing = run(RunMode::Once);
  ASSERT_TRUE(missing.has_value());
  EXPECT_THAT(missing->detail(), HasSubstr("not registered"));
  ASSERT_TRUE(register_ca().has_value());
  auto iot = connection_->session().iot();
  ASSERT_TRUE(CaRegistrar(*iot).deactivate(setup_.ca.id).has_value());
  EXPECT_THAT(run(RunMode::Once)->detail(), HasSubstr("not ACTIVE"));
  EXPECT_EQ(count(RegistrationState::Parked), 0U);
  ASSERT_TRUE(register_ca().has_value());
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 20U);
}

TEST_F(AccountTest, ABulkTaskWaitsForTheNewestOfItsCertificatesWhereverItStands) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(6);
  outbox_.items.at(2).committed_at = clock_.now() + std::chrono::hours(24);
  const auto held = run(RunMode::Once);
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(held->code(), ErrorCode::AwsClockSkew);
  EXPECT_EQ(run(RunMode::Once)->code(), ErrorCode::AwsClockSkew) << "by a new process as well";
  EXPECT_EQ(count(RegistrationState::Parked), 0U);
}

TEST_F(AccountTest, AFinishedTaskThatAwsHasForgottenIsRegisteredAgain) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  make_devices(4);
  const BulkTask task = outbox_.create_task("plant", "linesign/old.ndjson").value();
  ASSERT_TRUE(outbox_.fill_task(task.id, 10).has_value());
  BulkTaskChange change;
  change.state = BulkTaskState::Finished;
  change.aws_task_id = "11111111-2222-3333-4444-555555555555";
  ASSERT_TRUE(outbox_.update_task(task.id, change).has_value());
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
}

TEST_F(AccountTest, RegisteringTheCaForAnotherTargetLeavesTheOneThatUsesAutoRegistrationAlone) {
  setup_.ca.auto_registration = true;
  ASSERT_TRUE(register_ca().has_value());
  CaWish other = setup_.ca;
  other.auto_registration.reset();
  auto iot = connection_->session().iot();
  const auto done = CaRegistrar(*iot).ensure(other, "");
  ASSERT_TRUE(done.has_value());
  EXPECT_TRUE(done->done.empty());
  EXPECT_TRUE(check_jit_ca(connection_->session(), setup_.ca).has_value());
}

TEST_F(AccountTest, ATemplateThatIsNoLongerWantedIsTakenOffTheCa) {
  setup_.ca.auto_registration = true;
  setup_.ca.config.template_body =
      R"({"Parameters":{"AWS::IoT::Certificate::Id":{"Type":"String"}},"Resources":{)"
      R"("certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":)"
      R"({"Ref":"AWS::IoT::Certificate::Id"},"Status":"ACTIVE"}}}})";
  setup_.ca.config.role_arn = fmt::format("arn:aws:iam::{}:role/bulk", AwsDouble::kAccount);
  const auto registered = register_ca();
  ASSERT_TRUE(registered.has_value()) << registered.error().to_string();
  setup_.ca.config = {};
  EXPECT_EQ(check_jit_ca(connection_->session(), setup_.ca).error().code(), ErrorCode::AwsConflict);
  const auto adjusted = register_ca();
  ASSERT_TRUE(adjusted.has_value()) << adjusted.error().to_string();
  EXPECT_TRUE(adjusted->now.config.empty());
  EXPECT_TRUE(check_jit_ca(connection_->session(), setup_.ca).has_value());
}

TEST_F(AccountTest, ReconcilingFindsTheMissingAndTheForeignOne) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(10);
  EXPECT_FALSE(run(RunMode::Once).has_value());
  const CloudItem foreign = outbox_.items.at(10);
  outbox_.items.erase(10);  // the account has it, the ledger never issued it
  outbox_.items.at(9).state = RegistrationState::Waiting;
  make_devices(0);
  CloudItem missing = test::make_item(11);
  missing.state = RegistrationState::Registered;
  outbox_.items[11] = missing;
  auto iot = connection_->session().iot();
  std::vector<std::string> lines;
  const auto counts =
      reconcile(outbox_,
                *iot,
                {"plant", {"default"}, true, setup_.ca.id},
                [&](Difference, const std::string& line) { lines.push_back(line); });
  ASSERT_TRUE(counts.has_value());
  EXPECT_EQ(counts->same, 8U);
  EXPECT_EQ(counts->not_in_account, 1U);
  EXPECT_EQ(counts->not_in_ledger, 1U);
  EXPECT_EQ(counts->not_booked, 1U);
  EXPECT_EQ(lines.size(), 3U);
}

TEST_F(AccountTest, ReconcilingFindsCertificatesThatSomebodyRevokedOrSwitchedOff) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(5);
  EXPECT_FALSE(run(RunMode::Once).has_value());
  auto iot = connection_->session().iot();
  const auto id_of = [&](uint64_t id) {
    return to_hex(sha256(outbox_.items.at(id).certificate_der));
  };
  ASSERT_TRUE(iot->update_certificate(id_of(2), aws::CertificateStatus::Revoked).has_value());
  ASSERT_TRUE(iot->update_certificate(id_of(4), aws::CertificateStatus::Inactive).has_value());
  for (const bool by_listing : {true, false}) {
    std::vector<std::string> lines;
    const TakeDifference take = [&](Difference each, const std::string& line) {
      EXPECT_EQ(each, Difference::NotActive);
      lines.push_back(line);
    };
    ReconcilePlan plan{"plant", {"default"}, by_listing, setup_.ca.id};
    const ReconcileCounts counts = reconcile(outbox_, *iot, plan, take).value();
    EXPECT_EQ(counts.same, 3U);
    EXPECT_EQ(counts.not_active, 2U);
    EXPECT_EQ(counts.differences(), 2U);
    EXPECT_EQ(lines.at(0), id_of(2) + " is REVOKED in the account (number 2)");
    EXPECT_EQ(lines.at(1), id_of(4) + " is INACTIVE in the account (number 4)");
    plan.may_be_inactive = true;
    EXPECT_EQ(reconcile(outbox_, *iot, plan, take).value().not_active, 1U)
        << "a target that registers INACTIVE";
  }
}

}  // namespace
}  // namespace linesign
