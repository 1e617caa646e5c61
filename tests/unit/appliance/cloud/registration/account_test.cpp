// Ways direct and jit, the CA, and reconciling, against the double of AWS.
#include <thread>

#include <gmock/gmock.h>

#include "appliance/cloud/registration/reconcile.h"
#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"
#include "tests/unit/appliance/cloud/registration/account_fixture.h"

namespace linesign {
namespace {

using test::AccountTest;
using test::AwsDouble;
using testing::HasSubstr;

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

TEST_F(AccountTest, FiveBadOnesAreFailedAndTheOthersRegistered) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(30);
  for (int id = 4; id <= 8; ++id)
    aws_.control("faults",
                 fmt::format(R"({{"operation":"CreateThing","do":"error","times":null,)"
                             R"("code":"InvalidRequestException","message":"bad",)"
                             R"("contains":"/things/SN-{}"}})",
                             id));
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

TEST_F(AccountTest, ADeprecatedThingTypeFailsNobodyAtThePaceOfALineAndEverybodyGetsInAfterwards) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.direct.thing_type = "sensor";
  const auto make = [this](const char* what) {
    aws_.control("make",
                 fmt::format(R"({{"account":"{}","region":"{}",{}}})",
                             AwsDouble::kAccount,
                             AwsDouble::kRegion,
                             what));
  };
  make(R"("thing_types":["sensor"],"deprecated_thing_types":["sensor"])");
  make_devices(12);
  std::map<uint64_t, CloudItem> all = std::exchange(outbox_.items, {});
  const auto way = make_way(setup_, outbox_, connection_.get(), clock_);
  for (auto& [id, item] : all) {
    outbox_.items[id] = item;
    const WayStep step = way->step();
    ASSERT_TRUE(step.hold.has_value());
    EXPECT_EQ(step.hold->code(), ErrorCode::AwsRefused);
    EXPECT_THAT(step.hold->detail(), HasSubstr("deprecated"));
    EXPECT_FALSE(step.is_idle);
  }
  EXPECT_EQ(count(RegistrationState::Waiting), 12U);
  make(R"("thing_types":["sensor"])");
  while (!way->step().is_idle) EXPECT_EQ(count(RegistrationState::Parked), 0U);
  EXPECT_EQ(count(RegistrationState::Registered), 12U);
}

// A device certificate of somebody else's CA, for a thing of this name.
class OwnershipTest : public AccountTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(register_ca().has_value());
    make_devices(1);
    setup_.direct.issuers = {ca_.der()};
    setup_.direct.attributes = {{"serial", "{serial}"}};
    iot_.emplace(*connection_->session().iot());
  }
  // The ARN.
  std::string add_certificate(const test::SoftwareCa& ca, const std::string& name) {
    test::CaSpec leaf;
    leaf.subject = {{"CN", name}};
    leaf.extensions = {{"basicConstraints", "critical,CA:FALSE"}};
    leaf.issuer = &ca;
    leaf.not_before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) -
                      std::chrono::hours(2);
    return iot_
        ->register_certificate_without_ca(test::SoftwareCa(leaf).pem(),
                                          aws::CertificateStatus::Active)
        .value()
        .arn;
  }
  void make_thing(const std::string& attribute, const std::string& principal = "") {
    ASSERT_TRUE(
        iot_->create_thing({"SN-1", "", {{"serial", attribute}, {"site", "7"}}}).has_value());
    if (principal.empty()) return;
    ASSERT_TRUE(iot_->attach_thing_principal("SN-1", principal, true).has_value());
  }
  void expect_foreign() {
    const auto held = run(RunMode::Once);
    ASSERT_TRUE(held.has_value());
    EXPECT_EQ(held->code(), ErrorCode::AwsThingForeign);
    EXPECT_THAT(held->detail(), HasSubstr("thing SN-1"));
    EXPECT_EQ(count(RegistrationState::Registered), 0U);
  }
  std::vector<std::string> principals() { return iot_->list_thing_principals("SN-1")->items; }
  std::string our_arn() const {
    return fmt::format("arn:aws:iot:{}:{}:cert/{}",
                       AwsDouble::kRegion,
                       AwsDouble::kAccount,
                       to_hex(sha256(outbox_.items.at(1).certificate_der)));
  }

  std::optional<aws::IotClient> iot_;
};

TEST_F(OwnershipTest, AThingOfSomebodyElseIsLeftAlone) {
  const test::SoftwareCa other = test::make_ca();
  const std::string theirs = add_certificate(other, "SN-1");
  make_thing("theirs", theirs);
  expect_foreign();
  EXPECT_THAT(principals(), testing::ElementsAre(theirs));
  EXPECT_EQ(iot_->describe_thing("SN-1")->thing.attributes.at("serial"), "theirs");
}

TEST_F(OwnershipTest, AThingOfTheSameFormWithACertificateOfSomebodyElseIsLeftAlone) {
  setup_.direct.attributes = {{"serial", "same"}, {"site", "7"}};
  const test::SoftwareCa other = test::make_ca();
  const std::string theirs = add_certificate(other, "SN-1");
  make_thing("same", theirs);
  expect_foreign();
  EXPECT_THAT(principals(), testing::ElementsAre(theirs));
}

TEST_F(OwnershipTest, AThingOfAnotherDeviceOfOurCaIsLeftAlone) {
  make_thing("theirs", add_certificate(ca_, "SN-2"));
  expect_foreign();
}

TEST_F(OwnershipTest, AnEmptyThingOfAnotherFormIsLeftAlone) {
  make_thing("theirs");
  expect_foreign();
}

TEST_F(OwnershipTest, AThingIsAdoptedWhereThatIsSaid) {
  setup_.direct.existing_things = ExistingThings::Adopt;
  const test::SoftwareCa other = test::make_ca();
  const std::string theirs = add_certificate(other, "SN-1");
  make_thing("theirs", theirs);
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_THAT(principals(), testing::UnorderedElementsAre(theirs, our_arn()));
  const aws::Thing thing = iot_->describe_thing("SN-1")->thing;
  EXPECT_NE(thing.attributes.at("serial"), "theirs");
  EXPECT_EQ(thing.attributes.at("site"), "7") << "what others wrote stays";
}

TEST_F(OwnershipTest, ADeviceThatIsMadeAgainGetsItsThingAndItsOldCertificateIsSwitchedOff) {
  aws_.control("settings", R"({"detach_seconds":0})");
  const std::string old = add_certificate(ca_, "SN-1");
  make_thing("before", old);
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 1U);
  EXPECT_THAT(principals(), testing::ElementsAre(our_arn()));
  EXPECT_NE(iot_->describe_thing("SN-1")->thing.attributes.at("serial"), "before");
  const auto its = iot_->describe_certificate(old.substr(old.rfind('/') + 1));
  EXPECT_EQ(its->summary.status, aws::CertificateStatus::Inactive);
}

TEST_F(OwnershipTest, ADeviceWhoseAttributesChangedSinceItsRegistrationIsItself) {
  EXPECT_FALSE(run(RunMode::Once).has_value());
  outbox_.items.at(1).state = RegistrationState::Waiting;
  outbox_.items.at(1).steps = 0;
  setup_.direct.attributes = {{"serial", "other"}};
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 1U);
  EXPECT_EQ(iot_->describe_thing("SN-1")->thing.attributes.at("serial"), "other");
}

TEST_F(AccountTest, AnotherIdInAnAnswerIsAskedForAgainAndBelievedByNobody) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(3);
  aws_.control("faults",
               fmt::format(R"({{"operation":"RegisterCertificate","do":"replace",)"
                           R"("members":{{"certificateId":"{}"}}}})",
                           std::string(64, 'e')));
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 3U);
  EXPECT_EQ(in_account("certificates"), 3U);
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

TEST_F(AccountTest, ThrottledToOneASecondNothingIsLostOrParked) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(4);
  aws_.control("throttle", R"({"operation":"CreateThing","tps":1,"burst":1})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  aws_.control("throttle", R"({"operation":"CreateThing","tps":null})");
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
  EXPECT_EQ(in_account("things"), 4U);
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
      reconcile(outbox_, *iot, {"plant", {"default"}}, [&](Difference, const std::string& line) {
        lines.push_back(line);
      });
  ASSERT_TRUE(counts.has_value());
  EXPECT_EQ(counts->same, 8U);
  EXPECT_EQ(counts->not_in_account, 1U);
  EXPECT_EQ(counts->not_in_ledger, 1U);
  EXPECT_EQ(counts->not_booked, 1U);
  EXPECT_EQ(lines.size(), 3U);
}

// Each test with one of these: devices 1 to 4 of a former CA, 5 to 8 of the present one.
class AfterAChangeOfTheCa : public AccountTest {
 protected:
  AfterAChangeOfTheCa() {
    EXPECT_TRUE(register_ca().has_value());
    auto iot = connection_->session().iot();
    EXPECT_TRUE(CaRegistrar(*iot).ensure(wish_for(former_.certificate()), "").has_value());
    make_devices(1, 4, former_);
    make_devices(5, 8, ca_);
  }
  Result<ReconcileCounts> compare(const ReconcilePlan& plan) {
    lines_.clear();
    auto iot = connection_->session().iot();
    return reconcile(outbox_, *iot, plan, [this](Difference, const std::string& line) {
      lines_.push_back(line);
    });
  }
  void call(const std::string& method, const std::string& fault) {
    aws_.control("faults", fmt::format(R"({{"operation":"{}",{}}})", method, fault));
  }
  std::string id_of(uint64_t id) { return to_hex(sha256(outbox_.items.at(id).certificate_der)); }

  test::SoftwareCa former_ = test::make_ca();
  std::vector<std::string> lines_;
};

TEST_F(AfterAChangeOfTheCa, DevicesOfBothAreRegisteredAndReconciled) {
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 8U);
  const auto counts = compare({"plant", {"default"}});
  ASSERT_TRUE(counts.has_value()) << counts.error().to_string();
  EXPECT_EQ(counts->same, 8U);
  EXPECT_EQ(counts->differences(), 0U);
}

TEST_F(AfterAChangeOfTheCa, DevicesOfAFormerCaAreComparedThoughItIsDeleted) {
  EXPECT_FALSE(run(RunMode::Once).has_value());
  auto iot = connection_->session().iot();
  ASSERT_TRUE(CaRegistrar(*iot).remove(wish_for(former_.certificate()).id).has_value());
  EXPECT_EQ(compare({"plant", {"default"}})->same, 8U);
}

TEST_F(AfterAChangeOfTheCa, TheCaThatIsMissingIsNamed) {
  auto iot = connection_->session().iot();
  const std::string former_id = wish_for(former_.certificate()).id;
  ASSERT_TRUE(CaRegistrar(*iot).remove(former_id).has_value());
  for (const WayKind way : {WayKind::Direct, WayKind::Bulk}) {
    setup_.way = way;
    const auto held = run(RunMode::Once);
    ASSERT_TRUE(held.has_value());
    EXPECT_EQ(held->code(), ErrorCode::AwsNotFound);
    EXPECT_THAT(held->detail(), HasSubstr("register-ca (of a former CA with --ca " + former_id));
    EXPECT_EQ(count(RegistrationState::Parked), 0U);
  }
}

TEST_F(AfterAChangeOfTheCa, EachCertificateIsSentWithItsOwnCa) {
  setup_.direct.send_ca = true;
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 8U) << "AWS refuses one with another CA";
}

TEST_F(AfterAChangeOfTheCa, BulkLinesHoldTheCaOfEachCertificate) {
  setup_.way = WayKind::Bulk;
  setup_.bulk.parameters["Ca"] = "{ca_certificate_pem}";
  std::string body = test::kBulkTemplate;
  body.insert(body.find(R"("CertificatePem":{"Type")"), R"("Ca":{"Type":"String"},)");
  body.insert(body.find(R"("CertificatePem":{"Ref")"), R"("CACertificatePem":{"Ref":"Ca"},)");
  setup_.bulk.template_body = body;
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 8U);
}

TEST_F(AfterAChangeOfTheCa, WhatIsThrottledIsAskedAgain) {
  EXPECT_FALSE(run(RunMode::Once).has_value());
  call("ListCertificatesByCA", R"("do":"error","code":"ThrottlingException","times":7)");
  EXPECT_EQ(compare({"plant", {"default"}}).error().code(), ErrorCode::AwsThrottled)
      << "nobody waits";
  ReconcilePlan plan{"plant", {"default"}};
  int waits = 0;
  plan.wait = [&](std::chrono::milliseconds) { return ++waits > 0; };
  const auto counts = compare(plan);
  ASSERT_TRUE(counts.has_value()) << counts.error().to_string();
  EXPECT_EQ(counts->same, 8U);
  EXPECT_GT(waits, 0);
}

TEST_F(AfterAChangeOfTheCa, ACloserLookFindsThingsAndPoliciesThatAreMissing) {
  auto iot = connection_->session().iot();
  const auto place = fmt::format(R"("account":"{}","region":"{}")", setup_.account, setup_.region);
  aws_.control("make",
               fmt::format(R"({{{},"policies":{{"device":"{{\"Version\":\"2012-10-17\",)"
                           R"(\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":\"iot:Connect\",)"
                           R"(\"Resource\":\"*\"}}]}}"}}}})",
                           place));
  setup_.direct.policy = "device";
  EXPECT_FALSE(run(RunMode::Once).has_value());
  ReconcilePlan plan{"plant", {"default"}};
  plan.closer_look = CloserLook{setup_.account, setup_.region, "{device_id}", "device"};
  EXPECT_EQ(compare(plan)->same, 8U);

  aws_.control(
      "forget",
      fmt::format(R"({{{},"things":["SN-2"],"policies_of":["{}"],"principals_of":["SN-4"]}})",
                  place,
                  id_of(3)));
  ASSERT_TRUE(
      iot->attach_thing_principal(
             "SN-5",
             fmt::format("arn:aws:iot:{}:{}:cert/{}", setup_.region, setup_.account, id_of(4)),
             false)
          .has_value());
  const auto counts = compare(plan);
  ASSERT_TRUE(counts.has_value()) << counts.error().to_string();
  EXPECT_EQ(counts->looked_closer, 8U);
  EXPECT_EQ(counts->without_thing, 2U);
  EXPECT_EQ(counts->without_policy, 1U);
  EXPECT_EQ(counts->with_other_certificate, 1U);
  const auto name = [&](uint64_t id) {
    return fmt::format("SN-{} (number {}, certificate {}) ", id, id, id_of(id));
  };
  EXPECT_EQ(lines_.at(0), name(2) + "has no thing SN-2 in the account");
  EXPECT_EQ(lines_.at(1), name(3) + "does not have the policy device");
  EXPECT_EQ(lines_.at(2), name(4) + "is not attached to its thing SN-4");
  EXPECT_EQ(lines_.at(3), name(5) + "shares its thing SN-5 with the certificate " + id_of(4));
  plan.devices = {"SN-3"};
  EXPECT_EQ(compare(plan)->differences(), 1U) << "only the one that is named";
}

TEST_F(AfterAChangeOfTheCa, WhatTheAccountLacksIsRepairedOnDemand) {
  EXPECT_FALSE(run(RunMode::Once).has_value());
  aws_.control("forget",
               fmt::format(R"({{"account":"{}","region":"{}","certificates":["{}","{}"]}})",
                           setup_.account,
                           setup_.region,
                           id_of(2),
                           id_of(7)));
  ReconcilePlan plan{"plant", {"default"}};
  EXPECT_EQ(compare(plan)->not_in_account, 2U);
  EXPECT_EQ(
      lines_.at(0),
      fmt::format("SN-2 (number 2, certificate {}) is registered by the ledger and not in the "
                  "account",
                  id_of(2)));
  DirectRegistrar registrar(*connection_->session().iot(), setup_.direct);
  plan.repair = [&](const CloudItem& item) -> Result<void> {
    if (registrar.run(item).booking.state == RegistrationState::Registered) return {};
    return fail(ErrorCode::AwsRefused, "not this one");
  };
  plan.devices = {"SN-7"};
  const auto one = compare(plan);
  EXPECT_EQ(one->repaired, 1U);
  EXPECT_EQ(one->not_in_account, 1U);
  plan.devices.clear();
  EXPECT_EQ(compare(plan)->repaired, 1U);
  EXPECT_EQ(compare(plan)->same, 8U);
}

TEST_F(AccountTest, ACertificateThatWasRegisteredWithoutItsCaIsNotMissing) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(2);
  setup_.direct.without_ca = true;
  EXPECT_FALSE(run(RunMode::Once).has_value());
  auto iot = connection_->session().iot();
  const auto counts =
      reconcile(outbox_, *iot, {"plant", {"default"}}, [](Difference, const std::string&) {});
  EXPECT_EQ(counts->same, 2U);
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
    ReconcilePlan plan{"plant", {"default"}, by_listing};
    const ReconcileCounts counts = reconcile(outbox_, *iot, plan, take).value();
    EXPECT_EQ(counts.same, 3U);
    EXPECT_EQ(counts.not_active, 2U);
    EXPECT_EQ(counts.differences(), 2U);
    EXPECT_EQ(lines.at(0),
              "SN-2 (number 2, certificate " + id_of(2) + ") is REVOKED in the account");
    EXPECT_EQ(lines.at(1),
              "SN-4 (number 4, certificate " + id_of(4) + ") is INACTIVE in the account");
    plan.may_be_inactive = true;
    EXPECT_EQ(reconcile(outbox_, *iot, plan, take).value().not_active, 1U)
        << "a target that registers INACTIVE";
  }
}

}  // namespace
}  // namespace linesign
