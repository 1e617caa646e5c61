#include "appliance/config/config.h"

#include <unistd.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* kFile = "/plant/linesign.toml";
constexpr std::string_view kMinimum =
    "[hsm]\n"
    "module = \"/usr/lib/p11.so\"\n"
    "token_label = \"line\"\n"
    "key_label = \"device-ca\"\n";
constexpr std::string_view kPinFile = "pin_file = \"pin\"\n";

Result<Config> read(const std::string& text) {
  LS_TRY(const SettingsFile settings, SettingsFile::parse(text, kFile));
  return read_config(settings, kFile);
}

// The smallest file that is complete, and more lines after it; the first of those is line 6.
Result<Config> read_with(std::string_view more) {
  return read(std::string(kMinimum) + std::string(kPinFile) + std::string(more));
}

TEST(ManifestSettingsTest, TheKeyLiesInTheTokenOfTheCaUnlessAnotherIsNamed) {
  const std::string hsm =
      "[hsm]\nmodule = \"/usr/lib/m.so\"\ntoken_label = \"line\"\nkey_label = \"device-ca\"\n"
      "pin_file = \"pin\"\n";
  const auto read = [&](const std::string& more) {
    const auto settings = SettingsFile::parse(hsm + more, kFile);
    return read_config(settings.value(), kFile);
  };
  const auto same = read("");
  ASSERT_TRUE(same.has_value()) << same.error().to_string();
  EXPECT_EQ(same->manifest.token.token_label, "line");
  EXPECT_EQ(same->manifest.token.key_label, "manifest");
  EXPECT_EQ(same->manifest.certificate, "/plant/manifest.pem");
  const auto other = read(
      "[manifest]\nuri = \"pkcs11:token=office;object=audit\"\nmodule = \"/usr/lib/o.so\"\n"
      "pin_file = \"office-pin\"\n");
  ASSERT_TRUE(other.has_value()) << other.error().to_string();
  EXPECT_EQ(other->manifest.token.token_label, "office");
  EXPECT_EQ(other->manifest.token.key_label, "audit");
  EXPECT_EQ(other->manifest.token.pin_file, "/plant/office-pin");
  EXPECT_EQ(read("[manifest]\nmodule = \"/usr/lib/o.so\"\n").error().code(),
            ErrorCode::ConfigMissing);
}

TEST(Config, FillsInEveryDefault) {
  const auto config = read_with("");
  ASSERT_TRUE(config.has_value()) << config.error().to_string();
  EXPECT_EQ(config->file, kFile);
  EXPECT_EQ(config->signer.token.module, "/usr/lib/p11.so");
  EXPECT_EQ(config->signer.token.pin_file, "/plant/pin");
  EXPECT_EQ(config->signer.ca_certificate, "/plant/ca.pem");
  EXPECT_EQ(config->signer.signers, 0);
  EXPECT_EQ(config->stations.listener.address, "0.0.0.0:7443");
  EXPECT_EQ(config->stations.listener.window, 256U);
  EXPECT_EQ(config->stations.listener.idle_timeout, 10min);
  EXPECT_EQ(config->stations.advertise, "");
  EXPECT_EQ(config->stations.credential_dir, "/plant/station-ca");
  EXPECT_EQ(config->stations.token_lifetime, 24h);
  EXPECT_EQ(config->stations.certificate_validity, 730 * 24h);
  EXPECT_EQ(config->issuance.max_in_flight, 4096U);
  EXPECT_EQ(config->issuance.min_free_bytes, 256ULL << 20);
  EXPECT_EQ(config->issuance.max_clock_step_back, 2min);
  EXPECT_EQ(config->issuance.max_clock_ahead, 30 * 24h);
  EXPECT_EQ(config->ledger.directory, "/plant/ledger");
  EXPECT_EQ(config->admin.socket, "/plant/admin.sock");
  EXPECT_EQ(config->daemon.drain_timeout, 10s);
  EXPECT_EQ(config->daemon.log_level, "info");
  EXPECT_EQ(config->aws.state_dir, "/plant/uploader");
  EXPECT_TRUE(config->aws.targets.empty());
}

TEST(Config, ReadsEveryKeyOfTheAppliance) {
  const auto config = read_with(
      "[stations]\n"
      "listen = \"[::1]:0\"\n"
      "advertise = \"plant.example:7443\"\n"
      "credential_dir = \"/var/lib/linesign/station-ca\"\n"
      "window = 64\n"
      "max_sessions = 10\n"
      "max_sessions_per_station = 2\n"
      "handshake_timeout = \"1s\"\n"
      "hello_timeout = \"2s\"\n"
      "frame_timeout = \"3s\"\n"
      "idle_timeout = \"4s\"\n"
      "token_lifetime = \"1h\"\n"
      "certificate_validity = \"1y\"\n"
      "[issuance]\n"
      "max_in_flight = 100\n"
      "min_free = \"1GiB\"\n"
      "max_clock_step_back = \"0s\"\n"
      "max_clock_ahead = \"90d\"\n"
      "[ledger]\n"
      "directory = \"../data\"\n"
      "[admin]\n"
      "socket = \"run/a.sock\"\n"
      "[daemon]\n"
      "drain_timeout = \"500ms\"\n"
      "log_level = \"debug\"\n"
      "user = \"linesign\"\n"
      "[aws]\n"
      "targets_of_default_order = [\"eu\"]\n"
      "[[aws.target]]\n"
      "name = \"eu\"\n"
      "account = \"123456789012\"\n"
      "region = \"eu-west-1\"\n"
      "way = \"direct\"\n");
  ASSERT_TRUE(config.has_value()) << config.error().to_string();
  const ListenerSettings& listener = config->stations.listener;
  EXPECT_EQ(listener.address, "[::1]:0");
  EXPECT_EQ(listener.window, 64U);
  EXPECT_EQ(listener.max_sessions, 10U);
  EXPECT_EQ(listener.max_sessions_per_station, 2U);
  EXPECT_EQ(listener.handshake_timeout, 1s);
  EXPECT_EQ(listener.hello_timeout, 2s);
  EXPECT_EQ(listener.frame_timeout, 3s);
  EXPECT_EQ(listener.idle_timeout, 4s);
  EXPECT_EQ(config->stations.advertise, "plant.example:7443");
  EXPECT_EQ(config->stations.credential_dir, "/var/lib/linesign/station-ca");
  EXPECT_EQ(config->stations.token_lifetime, 1h);
  EXPECT_EQ(config->stations.certificate_validity, 365 * 24h);
  EXPECT_EQ(config->issuance.max_in_flight, 100U);
  EXPECT_EQ(config->issuance.min_free_bytes, 1ULL << 30);
  EXPECT_EQ(config->issuance.max_clock_step_back, 0s);
  EXPECT_EQ(config->issuance.max_clock_ahead, 90 * 24h);
  EXPECT_EQ(config->ledger.directory, "/data");
  EXPECT_EQ(config->admin.socket, "/plant/run/a.sock");
  EXPECT_EQ(config->daemon.drain_timeout, 500ms);
  EXPECT_EQ(config->daemon.log_level, "debug");
  EXPECT_EQ(config->daemon.user, "linesign");
  ASSERT_EQ(config->aws.targets.size(), 1U);
  EXPECT_EQ(config->aws.targets[0].region, "eu-west-1");
}

struct BadConfig {
  const char* name;
  const char* lines;
  ErrorCode code;
  const char* detail;
};

void PrintTo(const BadConfig& bad, std::ostream* out) { *out << bad.name; }

class ConfigError : public testing::TestWithParam<BadConfig> {};

TEST_P(ConfigError, NamesFileLineAndKey) {
  const auto config = read_with(GetParam().lines);
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().code(), GetParam().code);
  EXPECT_EQ(config.error().exit_code(), 78);
  EXPECT_EQ(config.error().detail(), std::string(kFile) + GetParam().detail);
}

INSTANTIATE_TEST_SUITE_P(
    Config,
    ConfigError,
    testing::Values(
        BadConfig{"SignersAsText",
                  "signers = \"four\"\n",
                  ErrorCode::ConfigType,
                  ":6: hsm.signers: expected an integer from 0 to 256, found \"four\""},
        BadConfig{"ListenWithoutPort",
                  "[stations]\nlisten = \"0.0.0.0\"\n",
                  ErrorCode::ConfigRange,
                  ":7: stations.listen: expected an address such as \"0.0.0.0:7443\" or "
                  "\"[::]:7443\""},
        BadConfig{"AdvertiseWildcard",
                  "[stations]\nadvertise = \"0.0.0.0:7443\"\n",
                  ErrorCode::ConfigRange,
                  ":7: stations.advertise: expected an address that stations can connect to, such "
                  "as \"linesign.plant.example:7443\" or \"[2001:db8::1]:7443\""},
        BadConfig{"AdvertisePortZero",
                  "[stations]\nadvertise = \"host:0\"\n",
                  ErrorCode::ConfigRange,
                  ":7: stations.advertise: expected an address that stations can connect to, such "
                  "as \"linesign.plant.example:7443\" or \"[2001:db8::1]:7443\""},
        BadConfig{"AdvertiseLinkLocalWithoutInterface",
                  "[stations]\nadvertise = \"[fe80::1]:7443\"\n",
                  ErrorCode::ConfigRange,
                  ":7: stations.advertise: a link-local address needs its network interface, as in "
                  "\"[fe80::1%eth0]:7443\""},
        BadConfig{"ListenLinkLocalWithoutInterface",
                  "[stations]\nlisten = \"[FE80::1]:7443\"\n",
                  ErrorCode::ConfigRange,
                  ":7: stations.listen: a link-local address needs its network interface, as in "
                  "\"[FE80::1%eth0]:7443\""},
        BadConfig{"WindowZero",
                  "[stations]\nwindow = 0\n",
                  ErrorCode::ConfigRange,
                  ":7: stations.window: expected an integer from 1 to 65536, found 0"},
        BadConfig{"LifetimeInMilliseconds",
                  "[stations]\ntoken_lifetime = \"1500ms\"\n",
                  ErrorCode::ConfigRange,
                  ":7: stations.token_lifetime: expected whole seconds"},
        BadConfig{"MinFreeWithoutUnit",
                  "[issuance]\nmin_free = 1000\n",
                  ErrorCode::ConfigType,
                  ":7: issuance.min_free: expected a size from 0B to 1024TiB, a whole number with "
                  "its unit (B, KiB, MiB, GiB, TiB) in quotes, found 1000"},
        BadConfig{"DrainWithoutUnit",
                  "[daemon]\ndrain_timeout = \"10\"\n",
                  ErrorCode::ConfigType,
                  ":7: daemon.drain_timeout: expected a duration from 0ms to 10m, a whole number "
                  "with its unit (ms, s, m, h, d, y) in quotes, found \"10\""},
        BadConfig{"LogLevel",
                  "[daemon]\nlog_level = \"loud\"\n",
                  ErrorCode::ConfigRange,
                  ":7: daemon.log_level: expected one of \"trace\", \"debug\", \"info\", \"warn\", "
                  "\"error\", found \"loud\""},
        BadConfig{"UnknownKey",
                  "[daemon]\nlog_levl = \"info\"\n",
                  ErrorCode::ConfigUnknownKey,
                  ":7: daemon.log_levl: unknown key; did you mean \"log_level\"? Known here: "
                  "drain_timeout, log_level, user"},
        BadConfig{
            "UnknownTable",
            "[orders]\n",
            ErrorCode::ConfigUnknownKey,
            ":6: orders: unknown key. Known here: admin, aws, ca, daemon, hsm, issuance, ledger, "
            "manifest, profile, stations"},
        BadConfig{"UriBesideLabel",
                  "uri = \"pkcs11:token=line;object=device-ca\"\n",
                  ErrorCode::ConfigConflict,
                  ":3: hsm.token_label: not allowed beside uri, which names token and key"},
        BadConfig{"RecordInsideTheLedger",
                  "[stations]\ncredential_dir = \"ledger/station-ca\"\n[ledger]\n"
                  "directory = \"ledger\"\n",
                  ErrorCode::ConfigConflict,
                  ":9: ledger.directory: credential_dir in [stations] must be outside of it: "
                  "linesignd records there how far the ledger is"},
        BadConfig{"TwoPins",
                  "pin_credential = \"hsm-pin\"\n",
                  ErrorCode::ConfigConflict,
                  ":6: hsm.pin_credential: pin_file and pin_credential exclude each other"}),
    [](const auto& bad) { return std::string(bad.param.name); });

TEST(Config, InsistsOnAPin) {
  const auto config = read(std::string(kMinimum));
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().code(), ErrorCode::ConfigMissing);
  EXPECT_THAT(config.error().detail(), HasSubstr(":1: hsm.pin_file: "));
}

TEST(Config, RefusesASocketPathThatTheKernelCannotHold) {
  const auto config = read_with("[admin]\nsocket = \"/" + std::string(107, 's') + "\"\n");
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().code(), ErrorCode::ConfigRange);
  EXPECT_THAT(config.error().detail(), HasSubstr("at most 107 bytes"));
  EXPECT_TRUE(read_with("[admin]\nsocket = \"/" + std::string(106, 's') + "\"\n").has_value());
}

TEST(Config, NamesAFileThatIsNotThere) {
  const auto config = load_config("/nonexistent/linesign.toml");
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().code(), ErrorCode::ConfigUnreadable);
}

TEST(Config, MakesEveryPathAbsoluteWhereverTheFileIsNamedFrom) {
  const TempDir temp;
  const std::filesystem::path folder = std::filesystem::canonical(temp.path());
  std::ofstream(folder / "linesign.toml") << kMinimum << kPinFile;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder);

  const auto config = load_config("linesign.toml");

  std::filesystem::current_path(before);
  ASSERT_TRUE(config.has_value()) << config.error().to_string();
  EXPECT_EQ(config->file, folder / "linesign.toml");
  EXPECT_EQ(config->ledger.directory, folder / "ledger");
  EXPECT_EQ(config->signer.ca_certificate, folder / "ca.pem");
}

}  // namespace
}  // namespace linesign
