// AdminServer: HTTP and JSON for the operator's tools on a Unix domain socket.
//
// Shape    GET  /v1/status                  status
//          GET  /v1/stations                stations
//          POST /v1/stations {"name": ...}  {"token": ...}
//          POST /v1/stations/NAME/revoke    station
//          POST /v1/clock/confirm {"back"}  clock
//          POST /v1/hsm/trust               {"released": ...}
//          what linesign-uploader asks (/v1/cloud/..., /v1/ledger/...) is in cloud_routes.cpp
//          all shapes are in admin_json.h and cloud_json.h; a failure is {"error": error} with a
//          fitting HTTP status
// Limits   AdminServerSettings; kMaxRequestBytes in a body, kMaxBookingBytes in a booking's. At a
//          limit of connections the oldest that waits for its client gives way: half a request, or
//          an answer that nobody reads. A user with too many connections or calls in progress is
//          answered AdminBusy, and others are not held up; to revoke a station has a thread and a
//          bound of its own, and what is asked for the cloud has threads of its own
// Errors   AdminSocketInUse, ListenFailed, Io
// Threads  start() and the destructor on the event loop's thread, or when the loop does not run;
//          answers are made by threads of its own, which never touch the service
#ifndef LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_SERVER_H_
#define LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_SERVER_H_

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "appliance/admin/api/admin_service.h"
#include "protocol/base/process.h"
#include "protocol/base/result.h"
#include "protocol/event/event_loop.h"

namespace linesign {

struct AdminServerSettings {
  std::filesystem::path socket;
  // Of the event loop; shorter than AdminClient::kTimeout and kCloudTimeout, so that a client hears
  // that there is no answer instead of giving up.
  std::chrono::milliseconds reply_timeout = std::chrono::seconds(4);
  std::chrono::milliseconds cloud_reply_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds request_timeout = std::chrono::seconds(2);  // for a client's request
  std::chrono::milliseconds io_timeout = std::chrono::seconds(10);      // to read its answer
  int threads = 4;
  int cloud_threads = 4;
  size_t max_connections = 64;
  size_t max_connections_per_user = 32;
  size_t max_calls_per_user = 24;        // in progress
  size_t max_urgent_calls_per_user = 4;  // the same, of revoke
  size_t max_turned_away = 16;           // that hear AdminBusy, besides max_connections
  std::function<std::optional<uid_t>(int socket)> user_of = peer_user;
};

class AdminServer final {
 public:
  static constexpr size_t kMaxRequestBytes = 64 * 1024;
  // kMaxCloudItems of them, each with a reason in which every byte needs an escape.
  static constexpr size_t kMaxBookingBytes = 2 * 1024 * 1024;

  // Makes the socket, mode 0660. One that a dead daemon left behind is replaced, a live one is not.
  static Result<std::unique_ptr<AdminServer>> start(EventLoop& loop,
                                                    AdminService& service,
                                                    const AdminServerSettings& settings);
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;
  // Ends every call with an answer, joins the threads and removes the socket.
  ~AdminServer();

 private:
  class Implementation;
  explicit AdminServer(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_SERVER_H_
