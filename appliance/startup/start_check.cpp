#include "appliance/startup/start_check.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "appliance/enrollment/station_ca.h"
#include "hsm/x509/certificate_builder.h"
#include "protocol/base/expiry.h"
#include "protocol/base/file.h"
#include "protocol/base/private_file.h"

namespace linesign {
namespace {

using Findings = std::vector<StartFinding>;

constexpr uint64_t kMebibyte = 1024ULL * 1024;
constexpr std::string_view kDatabaseMagic = "SQLite format 3";
constexpr size_t kDatabaseHeaderBytes = 100;
constexpr size_t kApplicationIdAt = 68;  // https://www.sqlite.org/fileformat.html section 1.3

// The key that names the file comes first.
void add(Findings& findings, StartGravity gravity, std::string_view key, const Error& error) {
  findings.push_back({gravity, error.with_context(std::string(key))});
}

void check_ca(Findings& findings, const Config& config, UnixTime now) {
  constexpr std::string_view kKey = "[ca] certificate";
  const auto& file = config.signer.ca_certificate;
  const auto ca = CaCertificate::load(file);
  if (!ca.has_value()) return add(findings, StartGravity::Fatal, kKey, ca.error());
  if (const auto builder = CertificateBuilder::create(config.signer.profile, *ca);
      !builder.has_value())
    add(findings, StartGravity::Fatal, "[profile]", builder.error());
  if (now < ca->not_before())
    add(findings,
        StartGravity::Obstacle,
        kKey,
        Error(ErrorCode::CaExpired,
              fmt::format("{}: valid only from {}; the clock says {}",
                          file.string(),
                          to_iso8601(ca->not_before()),
                          to_iso8601(now))));
  if (now >= ca->not_after())
    return add(findings,
               StartGravity::Obstacle,
               kKey,
               Error(ErrorCode::CaExpired,
                     fmt::format("{}: ended at {}", file.string(), to_iso8601(ca->not_after()))));
  for (ExpiryWarning& warning : expiry_warnings(ca_expiry(*ca, config.signer.profile, now), now))
    add(findings,
        StartGravity::Warning,
        kKey,
        Error(ErrorCode::CaExpired, file.string() + ": " + std::move(warning.sentence)));
}

// In a folder that signers of another user may enter, and this one may not.
bool is_for_signers_only(const std::filesystem::path& file, const SignerSettings& signer) {
  struct stat ignored {};
  return !signer.user.empty() && ::lstat(file.c_str(), &ignored) != 0 && errno == EACCES;
}

// Not opened: linesignd never sees the PIN.
void check_token(Findings& findings, const SignerSettings& signer) {
  const TokenSettings& token = signer.token;
  std::error_code ignored;
  if (token.module.has_parent_path() && !std::filesystem::exists(token.module, ignored) &&
      !is_for_signers_only(token.module, signer))
    add(findings,
        StartGravity::Obstacle,
        "[hsm] module",
        Error(ErrorCode::HsmModuleLoad, token.module.string() + ": " + errno_text(ENOENT)));
  // A credential of systemd is there only inside of the unit.
  if (token.pin_file.string().starts_with("$CREDENTIALS_DIRECTORY")) return;
  if (const auto pin = check_private_file(token.pin_file);
      !pin.has_value() && !is_for_signers_only(token.pin_file, signer))
    add(findings,
        StartGravity::Obstacle,
        "[hsm] pin_file",
        Error(ErrorCode::HsmPinFile, pin.error().detail()));
}

// Where the start makes a folder, the first one above it that is there must take it.
Result<void> check_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::path there = folder;
  while (!std::filesystem::exists(there, ignored) && there.has_relative_path())
    there = there.parent_path();
  if (there.empty()) there = ".";
  if (!std::filesystem::is_directory(there, ignored))
    return fail(ErrorCode::Io, there.string() + ": not a folder");
  if (::access(there.c_str(), W_OK | X_OK) != 0)
    return fail(
        ErrorCode::Io,
        fmt::format("{}: this user cannot write there ({})", there.string(), errno_text(errno)));
  return {};
}

void check_station_ca(Findings& findings, const std::filesystem::path& folder, UnixTime now) {
  constexpr std::string_view kKey = "[stations] credential_dir";
  if (const auto usable = check_folder(folder); !usable.has_value())
    return add(findings, StartGravity::Fatal, kKey, usable.error());
  const auto ends_at = StationCa::examine(folder);
  if (!ends_at.has_value()) return add(findings, StartGravity::Fatal, kKey, ends_at.error());
  if (!ends_at->has_value() || !expiry_warning(**ends_at, now).has_value()) return;
  add(findings,
      **ends_at <= now ? StartGravity::Obstacle : StartGravity::Warning,
      kKey,
      Error(ErrorCode::CaExpired,
            fmt::format("{}: the station CA {}", folder.string(), expiry_text(**ends_at, now))));
}

// A database that is younger than its first checkpoint is empty: all is in its log.
bool is_foreign(ByteView header) {
  if (header.size() < kDatabaseHeaderBytes) return !header.empty();
  if (!as_text(header).starts_with(kDatabaseMagic)) return true;
  uint32_t application = 0;
  for (size_t i = 0; i < sizeof application; ++i)
    application = application << 8 | header[kApplicationIdAt + i];
  return application != kLedgerApplicationId && application != 0;
}

void check_ledger(Findings& findings, const Config& config) {
  constexpr std::string_view kKey = "[ledger] directory";
  const auto& folder = config.ledger.directory;
  if (const auto usable = check_folder(folder); !usable.has_value())
    return add(findings,
               StartGravity::Fatal,
               kKey,
               Error(ErrorCode::LedgerUnavailable, usable.error().detail()));
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored)) return;
  if (const auto room = check_disk(folder, config.issuance.min_free_bytes); !room.has_value())
    add(findings, StartGravity::Obstacle, kKey, room.error());
  const auto database = folder / kLedgerFileName;
  if (!std::filesystem::exists(database, ignored)) return;
  std::string header(kDatabaseHeaderBytes, '\0');
  std::ifstream file(database, std::ios::binary);
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  header.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (file.bad() || !file.is_open())
    return add(findings,
               StartGravity::Fatal,
               kKey,
               Error(ErrorCode::LedgerUnavailable, database.string() + ": cannot be read"));
  if (is_foreign(as_bytes(header)))
    add(findings,
        StartGravity::Fatal,
        kKey,
        Error(ErrorCode::LedgerCorrupt, database.string() + ": not a ledger of linesign"));
}

}  // namespace

std::vector<StartFinding> check_start(const Config& config, UnixTime now) {
  Findings findings;
  check_ca(findings, config, now);
  check_token(findings, config.signer);
  check_station_ca(findings, config.stations.credential_dir, now);
  check_ledger(findings, config);
  return findings;
}

Result<void> check_disk(const std::filesystem::path& directory, uint64_t min_free_bytes) {
  struct statvfs disk {};
  if (::statvfs(directory.c_str(), &disk) != 0)
    return fail(ErrorCode::LedgerUnavailable, directory.string() + ": " + errno_text(errno));
  const uint64_t free_bytes = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (free_bytes >= min_free_bytes) return {};
  return fail(ErrorCode::LedgerDiskFull,
              fmt::format("{}: {} MiB free, issuance.min_free is {} MiB",
                          directory.string(),
                          free_bytes / kMebibyte,
                          min_free_bytes / kMebibyte));
}

ExpiryFigures ca_expiry(const CaCertificate& ca, const Profile& profile, UnixTime now) {
  ExpiryFigures figures;
  figures.certificates.push_back({"CA", ca.not_after(), days_left(ca.not_after(), now)});
  const auto validity =
      profile.no_expiry ? std::nullopt : std::optional<std::chrono::seconds>(profile.validity);
  figures.devices_cut_at = cut_at(ca.not_after(), validity, now);
  return figures;
}

}  // namespace linesign
