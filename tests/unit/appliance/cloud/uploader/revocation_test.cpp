#include "appliance/cloud/uploader/revocation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/appliance/cloud/aws/fakes.h"
#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

using aws::CertificateStatus;
using aws::test::answer;
using aws::test::World;
using test::FakeOutbox;
using testing::HasSubstr;

class RevocationTest : public testing::Test {
 protected:
  RevocationTest() : outbox_(5) {
    for (auto& [id, item] : outbox_.items) item.serial.fill(static_cast<uint8_t>(id));
    outbox_.items.at(2).state = RegistrationState::Registered;
    outbox_.items.at(4).device_id = "SN-2";  // of another order, or made again
  }
  std::vector<RevocationStep> plan(const RevocationWish& wish) {
    return plan_revocation(outbox_, wish, {"plant"}).value();
  }
  static RevocationWish device(const std::string& id) {
    RevocationWish wish;
    wish.device_id = id;
    return wish;
  }
  Result<std::string> run(const std::string& before, CertificateStatus wanted) {
    world_.transport.then(
        answer(200,
               fmt::format(R"({{"certificateDescription":{{"certificateId":"{}","status":"{}"}}}})",
                           std::string(64, 'a'),
                           before)));
    aws::IotClient iot(world_.parts(), aws::test::endpoint_of(aws::Service::Iot));
    RevocationStep step;
    step.target = "plant";
    step.certificate_id = std::string(64, 'a');
    return revoke(iot, step, wanted);
  }

  FakeOutbox outbox_;
  World world_;
};

TEST_F(RevocationTest, FindsEveryCertificateOfADevice) {
  const auto steps = plan(device("SN-2"));
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].number, 2U);
  EXPECT_TRUE(steps[0].is_there);
  EXPECT_THAT(to_line(steps[0], CertificateStatus::Revoked), HasSubstr("becomes REVOKED"));
  EXPECT_EQ(steps[1].number, 4U);
  EXPECT_FALSE(steps[1].is_there);
  EXPECT_THAT(to_line(steps[1], CertificateStatus::Revoked), HasSubstr("not registered here yet"));
}

TEST_F(RevocationTest, FindsOneCertificateByItsSerial) {
  RevocationWish wish;
  wish.serial = outbox_.items.at(2).serial;
  const auto steps = plan(wish);
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].number, 2U);
}

TEST_F(RevocationTest, AHalfRegisteredOneMayBeThere) {
  outbox_.items.at(4).steps = kStepCertificate;
  EXPECT_TRUE(plan(device("SN-2")).at(1).is_there);
}

TEST_F(RevocationTest, SaysThatThereIsNone) {
  const auto steps = plan_revocation(outbox_, device("SN-9"), {"plant"});
  EXPECT_EQ(steps.error().code(), ErrorCode::DeviceUnknown);
}

TEST_F(RevocationTest, SwitchesAnActiveOneOff) {
  const auto done = run("ACTIVE", CertificateStatus::Inactive);
  ASSERT_TRUE(done.has_value());
  EXPECT_THAT(*done, HasSubstr("was ACTIVE, is now INACTIVE"));
  EXPECT_THAT(world_.transport.requests.back().url.query, HasSubstr("newStatus=INACTIVE"));
}

TEST_F(RevocationTest, NeverMakesARevokedOneInactive) {
  EXPECT_THAT(*run("REVOKED", CertificateStatus::Inactive), HasSubstr("is already REVOKED"));
  EXPECT_EQ(world_.transport.requests.size(), 1U);
  EXPECT_THAT(*run("INACTIVE", CertificateStatus::Revoked), HasSubstr("is now REVOKED"));
}

}  // namespace
}  // namespace linesign
