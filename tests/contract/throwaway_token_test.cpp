// A throwaway token is a real one: made by PKCS#11 and the key ceremony, safe from being rewritten,
// and never made where a token is already.
#include "hsm/sizing/throwaway_token.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "hsm/pkcs11/pin_file.h"
#include "hsm/pkcs11/signing_token.h"
#include "hsm/signer/softhsm_folder.h"
#include "hsm/signer/startup.h"
#include "hsm/x509/ca_certificate.h"
#include "tests/support/softhsm.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

class ThrowawayTokenTest : public testing::Test {
 protected:
  ~ThrowawayTokenTest() override {
    if (!made_.folder.empty()) static_cast<void>(remove_throwaway_token(made_).has_value());
    ::unsetenv("SOFTHSM2_CONF");
  }

  std::filesystem::path folder() const { return parent_.path() / "token"; }

  void make(KeyType type = KeyType::EcP256) {
    auto made = make_throwaway_token({.folder = folder(), .ca_key = type});
    ASSERT_TRUE(made.has_value()) << made.error().to_string();
    made_ = std::move(*made);
  }

  static mode_t mode_of(const std::filesystem::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }

  TempDir parent_;
  ThrowawayToken made_;
};

class ThrowawayTokenOfType : public ThrowawayTokenTest,
                             public testing::WithParamInterface<KeyType> {};

TEST_P(ThrowawayTokenOfType, SignsForItsCertificate) {
  make(GetParam());
  const auto ca = CaCertificate::load(made_.ca_certificate);
  ASSERT_TRUE(ca.has_value()) << ca.error().to_string();
  EXPECT_EQ(ca->key_type(), GetParam());
  // The last second belongs to the validity (RFC 5280 section 4.1.2.5).
  EXPECT_EQ(ca->not_after() - ca->not_before() + std::chrono::seconds(1),
            std::chrono::days(30 * 365));
  const auto pin = read_pin_file(made_.token.pin_file);
  ASSERT_TRUE(pin.has_value());
  EXPECT_EQ(pin->size(), 24U);
  const auto token = SigningToken::open(made_.token.module,
                                        {made_.token.token_label, made_.token.token_serial},
                                        {made_.token.key_label, {}},
                                        GetParam(),
                                        *pin,
                                        1);
  ASSERT_TRUE(token.has_value()) << token.error().to_string();
  const auto key = token->make_signing_key();
  ASSERT_TRUE(key.has_value());
  const Bytes digest(static_cast<size_t>(EVP_MD_get_size(signature_digest(GetParam()))), 7);
  const auto signature = (*key)->sign(digest);
  ASSERT_TRUE(signature.has_value()) << signature.error().to_string();
  EXPECT_TRUE(SignatureVerifier::create(*ca)->verify(digest, *signature).has_value());
}

INSTANTIATE_TEST_SUITE_P(Types,
                         ThrowawayTokenOfType,
                         testing::Values(KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048),
                         [](const auto& row) {
                           std::string name(to_string(row.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(ThrowawayTokenTest, IsThereForItsOwnerOnlyAndCannotBeRewritten) {
  make();
  EXPECT_EQ(mode_of(made_.folder), 0700U);
  EXPECT_EQ(mode_of(made_.token.pin_file), 0400U);
  const auto tokens = find_softhsm_folder(made_.token.token_serial);
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->parent_path(), made_.folder / "tokens");
  EXPECT_FALSE(is_writable_by_mode(*tokens));
}

TEST_F(ThrowawayTokenTest, GivesTheLinesThatASignerReads) {
  make();
  const auto file = parent_.path() / "linesign.toml";
  std::ofstream(file) << made_.config_lines;
  const auto settings = load_signer_settings(file);
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  EXPECT_EQ(settings->token.token_serial, made_.token.token_serial);
  EXPECT_EQ(settings->token.pin_file, made_.token.pin_file);
  EXPECT_EQ(settings->ca_certificate, made_.ca_certificate);
}

TEST_F(ThrowawayTokenTest, IsNotMadeWhereOneIsAlready) {
  make();
  const auto second = make_throwaway_token({.folder = folder()});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::FileExists);
  EXPECT_TRUE(std::filesystem::exists(made_.ca_certificate)) << "and what is there stays";
}

TEST_F(ThrowawayTokenTest, LeavesNothingBehindWhenItCannotBeMade) {
  const auto made = make_throwaway_token({.folder = folder(), .module = "/nonexistent/module.so"});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code(), ErrorCode::HsmModuleLoad);
  EXPECT_FALSE(std::filesystem::exists(folder()));
}

TEST_F(ThrowawayTokenTest, IsNotRemovedWhenNoneWasMade) {
  EXPECT_EQ(remove_throwaway_token({}).error().code(), ErrorCode::InputInvalid);
}

TEST_F(ThrowawayTokenTest, IsRemovedWithAllThatItMadeAndNothingElse) {
  make();
  ASSERT_TRUE(remove_throwaway_token(made_).has_value());
  EXPECT_FALSE(std::filesystem::exists(folder()));
  make();
  std::ofstream(folder() / "mine") << "kept";
  ASSERT_TRUE(remove_throwaway_token(made_).has_value());
  EXPECT_TRUE(std::filesystem::exists(folder() / "mine"));
  EXPECT_FALSE(std::filesystem::exists(made_.token.pin_file));
}

}  // namespace
}  // namespace linesign
