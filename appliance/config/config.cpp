#include "appliance/config/config.h"

#include <sys/un.h>

#include <array>
#include <system_error>

#include <fmt/format.h>

#include "appliance/cloud/targets/login_files.h"
#include "appliance/config/address.h"
#include "protocol/settings/settings_file.h"

namespace linesign {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::string_view, 5> kLogLevels = {"trace", "debug", "info", "warn", "error"};
constexpr size_t kDefaultLogLevel = 2;
constexpr size_t kMaxSocketPathBytes = sizeof(sockaddr_un::sun_path) - 1;

Result<uint32_t> read_count(const SettingsTable& table,
                            std::string_view key,
                            Range<int64_t> range,
                            uint32_t fallback) {
  LS_TRY(const int64_t value, table.integer(key, range, fallback));
  return static_cast<uint32_t>(value);
}

// For durations where a part of a second means nothing.
Result<seconds> read_seconds(const SettingsTable& table,
                             std::string_view key,
                             Range<milliseconds> range,
                             seconds fallback) {
  LS_TRY(const milliseconds value, table.duration(key, range, fallback));
  if (value % seconds(1) != milliseconds(0))
    return fail(table.error_at(key, ErrorCode::ConfigRange, "expected whole seconds"));
  return std::chrono::duration_cast<seconds>(value);
}

Result<void> check_interface(const SettingsTable& table,
                             std::string_view key,
                             const Address& address) {
  if (!lacks_interface(address.host)) return {};
  return fail(table.error_at(
      key,
      ErrorCode::ConfigRange,
      fmt::format("a link-local address needs its network interface, as in \"[{}%eth0]:{}\"",
                  address.host,
                  address.port)));
}

Result<ListenerSettings> read_listener(const SettingsTable& table) {
  ListenerSettings listener;
  const Range<milliseconds> timeouts = {milliseconds(100), minutes(10)};
  LS_TRY(listener.address, table.text("listen", listener.address));
  const auto address = parse_address(listener.address);
  if (!address.has_value())
    return fail(table.error_at("listen",
                               ErrorCode::ConfigRange,
                               R"(expected an address such as "0.0.0.0:7443" or "[::]:7443")"));
  LS_CHECK(check_interface(table, "listen", *address));
  LS_TRY(listener.window, read_count(table, "window", {1, 65536}, listener.window));
  LS_TRY(listener.max_sessions,
         read_count(table, "max_sessions", {1, 100000}, listener.max_sessions));
  LS_TRY(
      listener.max_sessions_per_station,
      read_count(table, "max_sessions_per_station", {1, 1000}, listener.max_sessions_per_station));
  LS_TRY(listener.handshake_timeout,
         table.duration("handshake_timeout", timeouts, listener.handshake_timeout));
  LS_TRY(listener.hello_timeout, table.duration("hello_timeout", timeouts, listener.hello_timeout));
  LS_TRY(listener.frame_timeout, table.duration("frame_timeout", timeouts, listener.frame_timeout));
  LS_TRY(
      listener.idle_timeout,
      table.duration("idle_timeout", {milliseconds(100), hours(24 * 30)}, listener.idle_timeout));
  return listener;
}

// An empty one means the listen address, which the daemon knows only after it is bound.
Result<std::string> read_advertise(const SettingsTable& table) {
  LS_TRY(const std::string text, table.text("advertise", ""));
  if (text.empty()) return text;
  const auto address = parse_address(text);
  if (!address.has_value() || address->port == 0 || is_wildcard(address->host))
    return fail(table.error_at("advertise",
                               ErrorCode::ConfigRange,
                               "expected an address that stations can connect to, such as "
                               "\"linesign.plant.example:7443\" or \"[2001:db8::1]:7443\""));
  LS_CHECK(check_interface(table, "advertise", *address));
  return text;
}

Result<StationsSettings> read_stations(const SettingsTable& table) {
  StationsSettings stations;
  LS_TRY(stations.listener, read_listener(table));
  LS_TRY(stations.advertise, read_advertise(table));
  LS_TRY(stations.credential_dir, table.path("credential_dir", "station-ca"));
  LS_TRY(
      stations.token_lifetime,
      read_seconds(table, "token_lifetime", {seconds(1), hours(24 * 30)}, stations.token_lifetime));
  LS_TRY(stations.certificate_validity,
         read_seconds(table,
                      "certificate_validity",
                      {seconds(1), days(365 * 20)},
                      stations.certificate_validity));
  return stations;
}

Result<IssuanceSettings> read_issuance(const SettingsTable& table) {
  IssuanceSettings issuance;
  LS_TRY(issuance.max_in_flight,
         read_count(table, "max_in_flight", {1, 1048576}, issuance.max_in_flight));
  LS_TRY(issuance.min_free_bytes,
         table.size_bytes("min_free", {0, 1ULL << 50}, issuance.min_free_bytes));
  LS_TRY(issuance.max_clock_step_back,
         read_seconds(
             table, "max_clock_step_back", {seconds(0), hours(24)}, issuance.max_clock_step_back));
  LS_TRY(
      issuance.max_clock_ahead,
      read_seconds(table, "max_clock_ahead", {days(1), days(365 * 20)}, issuance.max_clock_ahead));
  return issuance;
}

Result<AdminSettings> read_admin(const SettingsTable& table) {
  AdminSettings admin;
  LS_TRY(admin.socket, table.path("socket", "admin.sock"));
  if (admin.socket.string().size() > kMaxSocketPathBytes)
    return fail(table.error_at("socket",
                               ErrorCode::ConfigRange,
                               fmt::format("{}: the path of a socket has at most {} bytes",
                                           admin.socket.string(),
                                           kMaxSocketPathBytes)));
  return admin;
}

Result<DaemonSettings> read_daemon(const SettingsTable& table) {
  DaemonSettings daemon;
  LS_TRY(daemon.drain_timeout,
         table.duration("drain_timeout", {milliseconds(0), minutes(10)}, daemon.drain_timeout));
  LS_TRY(daemon.user, table.text("user", ""));
  LS_TRY(const size_t level, table.choice("log_level", kLogLevels, kDefaultLogLevel));
  daemon.log_level = kLogLevels.at(level);
  return daemon;
}

}  // namespace

Result<Config> read_config(const SettingsFile& settings, const std::filesystem::path& file) {
  const SettingsTable root = settings.root();
  Config config;
  config.file = file;
  LS_TRY(config.signer, read_signer_settings(root));
  LS_TRY(config.manifest, read_manifest_settings(root, config.signer));
  LS_TRY(const SettingsTable stations, root.table("stations"));
  LS_TRY(config.stations, read_stations(stations));
  LS_TRY(const SettingsTable issuance, root.table("issuance"));
  LS_TRY(config.issuance, read_issuance(issuance));
  LS_TRY(const SettingsTable ledger, root.table("ledger"));
  LS_TRY(config.ledger.directory, ledger.path("directory", "ledger"));
  const auto apart = config.stations.credential_dir.lexically_relative(config.ledger.directory);
  if (!apart.empty() && *apart.begin() != "..")
    return fail(ledger.error_at("directory",
                                ErrorCode::ConfigConflict,
                                "credential_dir in [stations] must be outside of it: linesignd "
                                "records there how far the ledger is"));
  config.ledger.state_file = config.stations.credential_dir / "ledger-state.toml";
  config.ledger.in_use_mark = config.stations.credential_dir / "station-ca.key";
  LS_TRY(const SettingsTable admin, root.table("admin"));
  LS_TRY(config.admin, read_admin(admin));
  LS_TRY(const SettingsTable daemon, root.table("daemon"));
  LS_TRY(config.daemon, read_daemon(daemon));
  LS_TRY(config.aws, read_aws_config(root));
  LS_CHECK(settings.check_all_known());
  return config;
}

namespace {

struct LoadedConfig {
  SettingsFile settings;
  Config config;
};

Result<LoadedConfig> load(const std::filesystem::path& file) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(file, error).lexically_normal();
  if (error) return fail(ErrorCode::ConfigUnreadable, file.string() + ": " + error.message());
  LS_TRY(SettingsFile settings, SettingsFile::load(absolute));
  LS_TRY(Config config, read_config(settings, absolute));
  return LoadedConfig{std::move(settings), std::move(config)};
}

}  // namespace

Result<Config> load_config(const std::filesystem::path& file) {
  LS_TRY(LoadedConfig loaded, load(file));
  return std::move(loaded.config);
}

Result<Config> check_config(const std::filesystem::path& file) {
  LS_TRY(LoadedConfig loaded, load(file));
  LS_CHECK(check_login_files(loaded.settings.root(), loaded.config.aws));
  return std::move(loaded.config);
}

}  // namespace linesign
