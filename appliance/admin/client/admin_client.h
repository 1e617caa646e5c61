// AdminClient: asks linesignd over its admin socket.
//
// Errors   AdminUnavailable when nobody answers; AdminNotPermitted; otherwise the error that
//          linesignd gave
// Threads  one call at a time; each call has a connection of its own
#ifndef LINESIGN_APPLIANCE_ADMIN_CLIENT_ADMIN_CLIENT_H_
#define LINESIGN_APPLIANCE_ADMIN_CLIENT_ADMIN_CLIENT_H_

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/admin/api/admin_service.h"
#include "protocol/base/result.h"

namespace linesign {

class CloudClient;

class AdminClient final {
 public:
  explicit AdminClient(std::filesystem::path socket,
                       std::chrono::milliseconds timeout = std::chrono::seconds(15))
      : socket_(std::move(socket)), timeout_(timeout) {}

  Result<ApplianceStatus> status() const;
  Result<std::string> add_station(std::string_view name) const;  // the join token
  Result<std::vector<StationListEntry>> stations() const;
  Result<StationRecord> revoke_station(std::string_view name) const;
  Result<ClockEvent> confirm_clock(bool is_back) const;
  Result<uint64_t> trust_hsm() const;

  // What linesign-uploader asks: cloud_client.h.
  CloudClient cloud() const;

  // One call: what linesignd answers, or its error.
  Result<std::string> exchange(const std::string& method,
                               const std::string& path,
                               const std::string& body) const;

 private:
  std::filesystem::path socket_;
  std::chrono::milliseconds timeout_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_CLIENT_ADMIN_CLIENT_H_
