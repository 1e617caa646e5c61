#include "hsm/signer/settings.h"

#include <stdlib.h>

#include <gtest/gtest.h>

namespace linesign {
namespace {

constexpr const char* kMinimal = R"(
[hsm]
module = "/usr/lib/softhsm/libsofthsm2.so"
token_label = "line"
key_label = "device-ca"
pin_file = "pin"
)";

Result<SignerSettings> read(const std::string& text) {
  LS_TRY(const SettingsFile file, SettingsFile::parse(text, "/etc/linesign/linesign.toml"));
  LS_TRY(SignerSettings settings, read_signer_settings(file.root()));
  LS_CHECK(file.check_all_known());
  return settings;
}

void expect_error(const std::string& text, ErrorCode code, const std::string& words) {
  const auto settings = read(text);
  ASSERT_FALSE(settings.has_value());
  EXPECT_EQ(settings.error().code(), code) << settings.error().to_string();
  EXPECT_NE(settings.error().detail().find(words), std::string::npos)
      << settings.error().to_string();
}

TEST(SignerSettingsReader, FillsInDefaults) {
  const auto settings = read(kMinimal);
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  EXPECT_EQ(settings->token.module, "/usr/lib/softhsm/libsofthsm2.so");
  EXPECT_EQ(settings->token.token_label, "line");
  EXPECT_EQ(settings->token.key_label, "device-ca");
  EXPECT_EQ(settings->token.pin_file, "/etc/linesign/pin");
  EXPECT_EQ(settings->signers, 0);
  EXPECT_EQ(settings->threads_per_signer, 1);
  EXPECT_EQ(settings->login_lock, "/etc/linesign/signer-login.lock");
  EXPECT_EQ(settings->ca_certificate, "/etc/linesign/ca.pem");
  EXPECT_EQ(settings->profile.preset, "aws-iot-device");
}

TEST(SignerSettingsReader, RemembersPinsWhereTheOneUserOfTheServiceWritesAnyway) {
  EXPECT_EQ(read(kMinimal)->pin_memory, "/etc/linesign/station-ca/pin-memory");
  const std::string moved = "[stations]\ncredential_dir = \"/var/lib/linesign/station-ca\"\n";
  EXPECT_EQ(read(kMinimal + moved)->pin_memory, "/var/lib/linesign/station-ca/pin-memory");
}

TEST(SignerSettingsReader, RemembersNoPinsOfAnotherUserInTheFolderOfLinesignd) {
  const std::string users = std::string(kMinimal) + "user = \"linesign-signer\"\n";
  EXPECT_EQ(read(users)->pin_memory, "/etc/linesign/pin-memory");
  const std::string named = "pin_memory = \"/var/lib/linesign/signer/pin-memory\"\n";
  EXPECT_EQ(read(users + named)->pin_memory, "/var/lib/linesign/signer/pin-memory");
  EXPECT_EQ(read(kMinimal + named)->pin_memory, "/var/lib/linesign/signer/pin-memory");
}

TEST(SignerSettingsReader, ReadsEveryKey) {
  const auto settings = read(std::string(kMinimal) + R"(
token_serial = "0123456789abcdef"
key_id = "01FE"
signers = 3
threads_per_signer = 4
sign_timeout = "500ms"
start_timeout = "20s"
login_lock = "/run/linesign/login.lock"
user = "linesign-signer"
module_paths = ["/opt/vendor/state", "state"]
module_network = true
require_protections = true
[ca]
certificate = "/var/lib/linesign/ca.pem"
)");
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  EXPECT_EQ(settings->token.token_serial, "0123456789abcdef");
  EXPECT_EQ(settings->token.key_id_hex, "01fe");
  EXPECT_EQ(settings->signers, 3);
  EXPECT_EQ(settings->threads_per_signer, 4);
  EXPECT_EQ(settings->sign_timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(settings->start_timeout, std::chrono::seconds(20));
  EXPECT_EQ(settings->login_lock, "/run/linesign/login.lock");
  EXPECT_EQ(settings->user, "linesign-signer");
  EXPECT_EQ(settings->module_paths,
            (std::vector<std::filesystem::path>{"/opt/vendor/state", "/etc/linesign/state"}));
  EXPECT_TRUE(settings->module_network);
  EXPECT_TRUE(settings->require_protections);
  EXPECT_EQ(settings->ca_certificate, "/var/lib/linesign/ca.pem");
}

TEST(SignerSettingsReader, RefusesACredentialThatAnotherUserCannotRead) {
  expect_error(
      "[hsm]\nmodule = \"/m.so\"\ntoken_label = \"t\"\nkey_label = \"k\"\n"
      "pin_credential = \"pin\"\nuser = \"linesign-signer\"\n",
      ErrorCode::ConfigConflict,
      "hsm.pin_credential");
}

TEST(SignerSettingsReader, TakesAUriForTokenAndKey) {
  const auto settings = read(R"(
[hsm]
uri = "pkcs11:token=line;serial=12;object=device-ca;id=%01?module-path=/lib/m.so&pin-source=/pin"
)");
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  EXPECT_EQ(settings->token.module, "/lib/m.so");
  EXPECT_EQ(settings->token.token_label, "line");
  EXPECT_EQ(settings->token.token_serial, "12");
  EXPECT_EQ(settings->token.key_label, "device-ca");
  EXPECT_EQ(settings->token.key_id_hex, "01");
  EXPECT_EQ(settings->token.pin_file, "/pin");
}

TEST(SignerSettingsReader, PrefersItsOwnModuleAndPinFileToTheUris) {
  const auto settings = read(R"(
[hsm]
uri = "pkcs11:token=line;object=device-ca?module-path=/lib/m.so&pin-source=/pin"
module = "/lib/other.so"
pin_file = "/other-pin"
)");
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  EXPECT_EQ(settings->token.module, "/lib/other.so");
  EXPECT_EQ(settings->token.pin_file, "/other-pin");
}

TEST(SignerSettingsReader, RefusesAUriBesideItsParts) {
  expect_error(std::string(kMinimal) + "uri = \"pkcs11:token=other;object=x\"\n",
               ErrorCode::ConfigConflict,
               "hsm.token_label");
}

TEST(SignerSettingsReader, RefusesABadUriWithTheReason) {
  expect_error(
      "[hsm]\nuri = \"pkcs11:token=a?pin-value=1234\"\n", ErrorCode::ConfigRange, "pin-value");
}

TEST(SignerSettingsReader, FindsACredentialInTheFolderOfSystemd) {
  ::setenv("CREDENTIALS_DIRECTORY", "/run/credentials/linesignd.service", 1);
  const auto settings = read(R"(
[hsm]
module = "/lib/m.so"
token_label = "line"
key_label = "device-ca"
pin_credential = "hsm-pin"
)");
  ::unsetenv("CREDENTIALS_DIRECTORY");
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  EXPECT_EQ(settings->token.pin_file, "/run/credentials/linesignd.service/hsm-pin");
}

TEST(SignerSettingsReader, RefusesACredentialThatIsAPath) {
  expect_error(
      "[hsm]\nmodule = \"/m\"\ntoken_label = \"l\"\nkey_label = \"k\"\n"
      "pin_credential = \"../pin\"\n",
      ErrorCode::ConfigRange,
      "pin_credential");
}

TEST(SignerSettingsReader, RefusesTwoPlacesForThePin) {
  expect_error(std::string(kMinimal) + "pin_credential = \"hsm-pin\"\n",
               ErrorCode::ConfigConflict,
               "exclude");
}

TEST(SignerSettingsReader, NamesWhatIsMissing) {
  expect_error("[hsm]\ntoken_label = \"l\"\nkey_label = \"k\"\npin_file = \"p\"\n",
               ErrorCode::ConfigMissing,
               "hsm.module");
  expect_error("[hsm]\nmodule = \"/m\"\nkey_label = \"k\"\npin_file = \"p\"\n",
               ErrorCode::ConfigMissing,
               "hsm.token_label");
  expect_error("[hsm]\nmodule = \"/m\"\ntoken_label = \"l\"\npin_file = \"p\"\n",
               ErrorCode::ConfigMissing,
               "hsm.key_label");
  expect_error("[hsm]\nmodule = \"/m\"\ntoken_label = \"l\"\nkey_label = \"k\"\n",
               ErrorCode::ConfigMissing,
               "hsm.pin_file");
}

TEST(SignerSettingsReader, HoldsItsRanges) {
  expect_error(std::string(kMinimal) + "signers = 257\n", ErrorCode::ConfigRange, "hsm.signers");
  expect_error(std::string(kMinimal) + "threads_per_signer = 17\n",
               ErrorCode::ConfigRange,
               "hsm.threads_per_signer");
  expect_error(std::string(kMinimal) + "sign_timeout = \"1ms\"\n",
               ErrorCode::ConfigRange,
               "hsm.sign_timeout");
  expect_error(std::string(kMinimal) + "key_id = \"xyz\"\n", ErrorCode::ConfigRange, "hsm.key_id");
}

TEST(SignerSettingsReader, LeavesNoKeyUnknown) {
  expect_error(std::string(kMinimal) + "colour = 1\n", ErrorCode::ConfigUnknownKey, "colour");
}

}  // namespace
}  // namespace linesign
