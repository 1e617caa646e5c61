// StationFleet: stations of the bench, enrolled at an appliance as real ones are.
//
// They are called bench-0001 and so on. One of that name that is there already is revoked first: it
// is what a bench left behind that was killed.
//
// Errors   those of AdminClient and of enroll_station(); Interrupted
// Threads  enroll() and revoke() start threads and end them
#ifndef LINESIGN_APPLIANCE_BENCH_STATION_FLEET_H_
#define LINESIGN_APPLIANCE_BENCH_STATION_FLEET_H_

#include <filesystem>
#include <functional>
#include <vector>

#include "appliance/admin/client/admin_client.h"
#include "protocol/base/result.h"
#include "stations/client/station_client.h"

namespace linesign::bench {

struct FleetSettings {
  size_t stations = 0;
  std::filesystem::path folder;  // for the credentials: one folder each in it
  unsigned threads = 4;          // each waits most of the time
  int cancel_descriptor = -1;
};

Result<std::vector<StationCredential>> enroll_fleet(
    const AdminClient& admin,
    const FleetSettings& settings,
    const std::function<void(size_t done)>& on_progress);

// So that nobody can use their credentials any more. Goes on after a failure and returns the first.
Result<void> revoke_fleet(const AdminClient& admin, size_t stations);

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_STATION_FLEET_H_
