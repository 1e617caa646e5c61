// AdminClient: asks linesignd over its admin socket.
//
// Errors   AdminUnavailable when nobody answers, with what was seen: whether somebody listens, who,
//          and whether it is stopped, and that an order may still take effect; AdminNotPermitted;
//          otherwise the error that linesignd gave
// Limits   each call waits for `timeout` to connect and for each part of the exchange, so that a
//          long answer may take longer as long as it comes. linesignd itself gives up sooner. A
//          call that linesignd did not take is repeated for as long, with pauses
// Threads  one call at a time; each call has a connection of its own
#ifndef LINESIGN_APPLIANCE_ADMIN_CLIENT_ADMIN_CLIENT_H_
#define LINESIGN_APPLIANCE_ADMIN_CLIENT_ADMIN_CLIENT_H_

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/admin/api/admin_service.h"
#include "protocol/base/result.h"

namespace Poco {  // NOLINT(readability-identifier-naming): a name of that library
class Exception;
}

namespace linesign {

class CloudClient;

class AdminClient final {
 public:
  static constexpr std::chrono::milliseconds kTimeout{5000};
  // For what may make linesignd count or move many rows: longer than linesignd itself waits.
  static constexpr std::chrono::milliseconds kCloudTimeout{15000};

  explicit AdminClient(std::filesystem::path socket, std::chrono::milliseconds timeout = kTimeout)
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
  // What is known of a call that failed.
  struct Course {
    bool is_connected = false;
    bool is_unread = false;  // linesignd closed before it had read the request
  };
  Result<std::string> try_exchange(const std::string& method,
                                   const std::string& path,
                                   const std::string& body,
                                   Course& course) const;
  Result<std::string> repeat_exchange(const std::string& method,
                                      const std::string& path,
                                      const std::string& body,
                                      Course& course) const;
  // A call that changes something. `where`: how to see whether it did, if no answer tells.
  Result<std::string> order(const std::string& path,
                            const std::string& body,
                            std::string_view where) const;
  // `peer`: the process at the other end, once there is a connection.
  Error why_unavailable(const Poco::Exception& exception, std::optional<int> peer) const;

  std::filesystem::path socket_;
  std::chrono::milliseconds timeout_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_CLIENT_ADMIN_CLIENT_H_
