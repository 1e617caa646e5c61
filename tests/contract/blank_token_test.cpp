// A token is set up only where there is none: never over a token that somebody uses.
#include <gtest/gtest.h>

#include "hsm/pkcs11/token_session.h"
#include "hsm/pkcs11/token_setup.h"
#include "tests/support/softhsm.h"

namespace linesign {
namespace {

BlankTokenSetup setup(const std::string& manufacturer = "SoftHSM project") {
  BlankTokenSetup wanted;
  wanted.label = "new";
  wanted.manufacturer = manufacturer;
  wanted.officer_pin = SecretBytes(to_bytes("11111111"));
  wanted.user_pin = SecretBytes(to_bytes("22222222"));
  return wanted;
}

TEST(BlankToken, IsSetUpWithLabelAndPin) {
  const test::SoftHsm hsm;
  {
    auto module = Module::load(test::SoftHsm::module());
    ASSERT_TRUE(module.has_value());
    const auto done = set_up_blank_token(*module, setup());
    ASSERT_TRUE(done.has_value()) << done.error().to_string();
  }
  const auto module = Module::load(test::SoftHsm::module());
  const auto slot = Slot::find(*module, {"new", ""});
  ASSERT_TRUE(slot.has_value()) << slot.error().to_string();
  EXPECT_NE(slot->token().flags & CKF_USER_PIN_INITIALIZED, 0U);
  auto session = TokenSession::open(*slot, Access::ReadOnly);
  ASSERT_TRUE(session.has_value());
  EXPECT_TRUE(session->login(SecretBytes(to_bytes("22222222"))).has_value());
}

TEST(BlankToken, IsNotTouchedBesideATokenThatIsInUse) {
  test::SoftHsm hsm;
  hsm.add_token("line");
  const std::string before = hsm.fingerprint();
  const auto module = Module::load(test::SoftHsm::module());
  const auto refused = set_up_blank_token(*module, setup());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::InputInvalid);
  EXPECT_NE(refused.error().detail().find("'line'"), std::string::npos);
  EXPECT_EQ(hsm.fingerprint(), before);
}

TEST(BlankToken, IsNotTouchedWhenItIsOfAnotherMaker) {
  const test::SoftHsm hsm;
  const auto module = Module::load(test::SoftHsm::module());
  const auto refused = set_up_blank_token(*module, setup("Another maker"));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::InputInvalid);
}

}  // namespace
}  // namespace linesign
