// What linesign expects of a token, and what it refuses: on SoftHSM2.
#include <gtest/gtest.h>

#include "hsm/pkcs11/key_generation.h"
#include "hsm/pkcs11/recovery.h"
#include "hsm/pkcs11/signing_token.h"
#include "tests/contract/ceremony_fixture.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

using test::kKeyLabel;
using test::kTokenLabel;
using test::SoftHsm;

class Token : public test::CeremonyFixture {
 protected:
  static ErrorCode find_code(const TokenSelector& wanted) {
    const auto module = Module::load(SoftHsm::module());
    if (!module) return module.error().code();
    const auto slot = Slot::find(*module, wanted);
    return slot ? ErrorCode::Internal : slot.error().code();
  }

  void make_key(const std::string& label = kKeyLabel, KeyType type = KeyType::EcP256) {
    auto token = open_token();
    ASSERT_TRUE(token.has_value()) << token.error().to_string();
    const auto key = generate_ca_key(token->session(), type, label);
    ASSERT_TRUE(key.has_value()) << key.error().to_string();
  }

  void expect_refused(ErrorCode code, const std::string& words) {
    const auto token = open_signing_token();
    ASSERT_FALSE(token.has_value());
    EXPECT_EQ(token.error().code(), code) << token.error().to_string();
    EXPECT_NE(token.error().detail().find(words), std::string::npos) << token.error().to_string();
  }

  // Like generate_ca_key, but for what `change` does to the private key's template.
  template <typename Change>
  void make_key_with(Change change) {
    auto token = open_token();
    ASSERT_TRUE(token.has_value());
    const Bytes id(20, 7);
    ObjectTemplate public_key;
    public_key.flag(CKA_TOKEN, true)
        .flag(CKA_VERIFY, true)
        .text(CKA_LABEL, kKeyLabel)
        .bytes(CKA_ID, id)
        .bytes(CKA_EC_PARAMS, *from_hex("06082a8648ce3d030107"));
    ObjectTemplate private_key;
    private_key.flag(CKA_TOKEN, true)
        .flag(CKA_PRIVATE, true)
        .flag(CKA_SIGN, true)
        .text(CKA_LABEL, kKeyLabel)
        .bytes(CKA_ID, id);
    change(private_key);
    const auto made =
        token->session().generate_key_pair(CKM_EC_KEY_PAIR_GEN, public_key, private_key);
    ASSERT_TRUE(made.has_value()) << made.error().to_string();
  }
};

TEST_F(Token, IsFoundByLabelOrSerialOrBoth) {
  const auto module = Module::load(SoftHsm::module());
  ASSERT_TRUE(module.has_value());
  for (const TokenSelector& wanted :
       {TokenSelector{kTokenLabel, ""}, {"", serial_}, {kTokenLabel, serial_}}) {
    const auto slot = Slot::find(*module, wanted);
    ASSERT_TRUE(slot.has_value()) << slot.error().to_string();
    EXPECT_EQ(slot->token().serial, serial_);
    EXPECT_EQ(slot->token().label, kTokenLabel);
  }
}

TEST_F(Token, IsNotFoundByHalfARightName) {
  EXPECT_EQ(find_code({"other", ""}), ErrorCode::HsmTokenNotFound);
  EXPECT_EQ(find_code({kTokenLabel, "0000"}), ErrorCode::HsmTokenNotFound);
  EXPECT_EQ(find_code({"lin", serial_}), ErrorCode::HsmTokenNotFound);
}

TEST_F(Token, IsAmbiguousWhenTwoHaveTheLabel) {
  hsm_.add_token(kTokenLabel);
  EXPECT_EQ(find_code({kTokenLabel, ""}), ErrorCode::HsmTokenAmbiguous);
  EXPECT_EQ(find_code({kTokenLabel, serial_}), ErrorCode::Internal) << "the serial number decides";
}

TEST_F(Token, NamesAModuleThatCannotBeLoaded) {
  for (const char* path : {"/nonexistent/module.so", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"}) {
    const auto module = Module::load(path);
    ASSERT_FALSE(module.has_value());
    EXPECT_EQ(module.error().code(), ErrorCode::HsmModuleLoad);
    EXPECT_NE(module.error().detail().find(path), std::string::npos);
  }
}

TEST_F(Token, RefusesAWrongPin) {
  make_key();
  hsm_.write_pin("999999");
  expect_refused(ErrorCode::HsmPinRefused, "CKR_PIN_INCORRECT");
}

TEST_F(Token, OpensAgainAndAgainInOneProcess) {
  make_key();
  for (int i = 0; i < 3; ++i) {
    const auto token = open_signing_token();
    ASSERT_TRUE(token.has_value()) << token.error().to_string();
    EXPECT_TRUE(token->make_signing_key().has_value());
  }
}

class TokenKeyOfType : public Token, public testing::WithParamInterface<KeyType> {};

TEST_P(TokenKeyOfType, IsMadeSafeAndFoundAgain) {
  make_key(kKeyLabel, GetParam());
  auto token = open_token(Access::ReadOnly);
  ASSERT_TRUE(token.has_value());
  const auto key = find_ca_key(token->session(), {kKeyLabel, {}});
  ASSERT_TRUE(key.has_value()) << key.error().to_string();
  EXPECT_EQ(key->type, GetParam());
  EXPECT_EQ(key->id.size(), 20U);
  EXPECT_TRUE(check_key_attributes(*key).has_value());
  const auto public_key = read_public_key(token->session(), *key);
  ASSERT_TRUE(public_key.has_value()) << public_key.error().to_string();
}

INSTANTIATE_TEST_SUITE_P(Types,
                         TokenKeyOfType,
                         testing::Values(KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048),
                         [](const auto& row) {
                           std::string name(to_string(row.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(Token, NeverReplacesAKey) {
  make_key();
  auto token = open_token();
  ASSERT_TRUE(token.has_value());
  const auto second = generate_ca_key(token->session(), KeyType::EcP256, kKeyLabel);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::HsmKeyLabelTaken);
}

TEST_F(Token, SaysThatTheKeyIsNotThere) { expect_refused(ErrorCode::HsmKeyNotFound, kKeyLabel); }

TEST_F(Token, RefusesTwoKeysOfOneLabel) {
  make_key();
  hsm_.import_key(kTokenLabel, kKeyLabel, "01", test::make_key(KeyType::EcP256).get());
  expect_refused(ErrorCode::HsmKeyAmbiguous, "2 private keys");
}

TEST_F(Token, RefusesTwoKeysOfOneId) {
  make_key();
  std::string id;
  {
    auto token = open_token();
    ASSERT_TRUE(token.has_value());
    id = to_hex(find_ca_key(token->session(), {kKeyLabel, {}})->id);
  }
  hsm_.import_key(kTokenLabel, "another", id, test::make_key(KeyType::EcP256).get());
  expect_refused(ErrorCode::HsmKeyAmbiguous, id);
}

TEST_F(Token, RefusesAnImportedKey) {
  hsm_.import_key(kTokenLabel, kKeyLabel, "01", test::make_key(KeyType::EcP256).get());
  expect_refused(ErrorCode::HsmKeyUnsafe, "CKA_LOCAL");
}

TEST_F(Token, RefusesAnExtractableKey) {
  make_key_with(
      [](ObjectTemplate& key) { key.flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, true); });
  expect_refused(ErrorCode::HsmKeyUnsafe, "CKA_EXTRACTABLE is true");
}

TEST_F(Token, RefusesAKeyThatIsNotSensitive) {
  make_key_with(
      [](ObjectTemplate& key) { key.flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, false); });
  expect_refused(ErrorCode::HsmKeyUnsafe, "CKA_SENSITIVE is false");
}

TEST_F(Token, RefusesAKeyThatMayDoMoreThanSign) {
  make_key_with([](ObjectTemplate& key) {
    key.flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false).flag(CKA_UNWRAP, true);
  });
  expect_refused(ErrorCode::HsmKeyUnsafe, "CKA_UNWRAP is true");
}

TEST_F(Token, RefusesAKeyOfAnotherTypeThanTheCertificates) {
  make_key(kKeyLabel, KeyType::EcP384);
  expect_refused(ErrorCode::HsmKeyMismatch, "P-384");
}

TEST_F(Token, GivesTheErrorOfASignatureAfterTheLoginIsGone) {
  make_key();
  auto token = open_signing_token();
  ASSERT_TRUE(token.has_value()) << token.error().to_string();
  const auto key = token->make_signing_key();
  ASSERT_TRUE(key.has_value());
  ASSERT_TRUE((*key)->sign(Bytes(32, 1)).has_value());
  // As when a login expires.
  const auto module = Module::load(SoftHsm::module());
  ASSERT_TRUE(module.has_value());
  const auto slot = Slot::find(*module, {kTokenLabel, serial_});
  ASSERT_TRUE(slot.has_value());
  auto session = TokenSession::open(*slot, Access::ReadOnly);
  ASSERT_TRUE(session.has_value());
  ASSERT_TRUE(session->logout().has_value());
  const auto signature = (*key)->sign(Bytes(32, 1));
  ASSERT_FALSE(signature.has_value());
  EXPECT_EQ(recovery_of(signature.error().code()), Recovery::Restart)
      << signature.error().to_string();
}

}  // namespace
}  // namespace linesign
