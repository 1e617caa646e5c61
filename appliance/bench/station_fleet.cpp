#include "appliance/bench/station_fleet.h"

#include <optional>
#include <string>

#include <fmt/format.h>

#include "appliance/bench/cancel.h"
#include "appliance/bench/parallel.h"
#include "protocol/base/secret.h"

namespace linesign::bench {
namespace {

std::string name_of(size_t station) { return fmt::format("bench-{:04}", station + 1); }

Result<std::string> invite(const AdminClient& admin, const std::string& name) {
  auto token = admin.add_station(name);
  if (token.has_value() || token.error().code() != ErrorCode::StationExists) return token;
  LS_TRY([[maybe_unused]] const StationRecord revoked, admin.revoke_station(name));
  return admin.add_station(name);
}

Result<StationCredential> enroll(const AdminClient& admin,
                                 const std::string& name,
                                 const std::filesystem::path& folder) {
  LS_TRY(std::string token, invite(admin, name));
  auto credential = enroll_station(token, folder);
  wipe(std::span(reinterpret_cast<uint8_t*>(token.data()), token.size()));
  if (!credential.has_value()) return fail(credential.error().with_context(name));
  return credential;
}

}  // namespace

Result<std::vector<StationCredential>> enroll_fleet(
    const AdminClient& admin,
    const FleetSettings& settings,
    const std::function<void(size_t done)>& on_progress) {
  std::vector<StationCredential> fleet(settings.stations);
  const auto enroll_one = [&](size_t i) -> Result<void> {
    LS_CHECK(check_cancelled(settings.cancel_descriptor));
    const std::string name = name_of(i);
    LS_TRY(fleet[i], enroll(AdminClient(admin), name, settings.folder / name));
    return {};
  };
  LS_CHECK(for_each_in_parallel(settings.stations, settings.threads, enroll_one, on_progress));
  return fleet;
}

Result<void> revoke_fleet(const AdminClient& admin, size_t stations) {
  std::optional<Error> first;
  for (size_t i = 0; i < stations; ++i) {
    auto revoked = admin.revoke_station(name_of(i));
    const bool is_gone =
        revoked.has_value() || revoked.error().code() == ErrorCode::StationNotFound;
    if (!is_gone && !first) first = std::move(revoked).error();
  }
  if (first) return fail(std::move(*first));
  return {};
}

}  // namespace linesign::bench
