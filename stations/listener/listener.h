// Listener: the station port: accepts connections, runs TLS 1.3 and one Session per connection.
//
// One port serves two kinds of connection, told apart by ALPN: "linesign/1" demands a station
// certificate; "linesign-enroll/1" has none and allows a single EnrollRequest.
//
// Limits   ListenerSettings; a connection over max_sessions is closed at once
// Threads  the event loop's thread only
// Source   docs/station-protocol.md; RFC 8446
#ifndef LINESIGN_STATIONS_LISTENER_LISTENER_H_
#define LINESIGN_STATIONS_LISTENER_LISTENER_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "protocol/base/result.h"
#include "protocol/event/event_loop.h"
#include "stations/listener/station_service.h"

namespace linesign {

struct ListenerSettings {
  std::string address = "0.0.0.0:7443";  // host:port, [v6]:port; port 0 = any free one
  uint32_t window = 256;                 // unanswered requests per station
  uint32_t max_sessions = 2048;
  size_t max_output_bytes = 4 * 1024 * 1024;  // waiting for a station that does not read
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds hello_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds frame_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds idle_timeout = std::chrono::minutes(10);
  std::string software;  // "linesign/0.1.0" for Welcome
};

// DER and PEM as OpenSSL wants them; made by appliance/enrollment.
struct ListenerCredential {
  std::string certificate_pem;  // the appliance's server certificate, then the station CA
  std::string private_key_pem;
  std::string station_ca_pem;  // whom we trust to name stations
};

struct ListenerCounters {
  uint32_t sessions = 0;  // open now, enrolment included
  uint64_t accepted = 0;
  uint64_t refused_handshakes = 0;
  uint64_t requests = 0;
  uint64_t busy = 0;  // BUSY answers for requests over the window
};

class Listener final {
 public:
  // Binds and listens. ListenFailed with the address when it cannot.
  static Result<std::unique_ptr<Listener>> open(EventLoop& loop,
                                                StationService& service,
                                                const ListenerSettings& settings,
                                                const ListenerCredential& credential);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  uint16_t port() const;
  ListenerCounters counters() const;
  // How many sessions this station has open.
  uint32_t sessions_of(int64_t station_id) const;

  // Cuts every session of the station, now; its Goodbye says why.
  void close_station(int64_t station_id, const Error& reason);

  // No new connections; new requests on open ones are refused with Draining. Answers still go out.
  void begin_drain();
  // Are all answers written to their sockets?
  bool is_drained() const;

 private:
  class Implementation;
  explicit Listener(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace linesign

#endif  // LINESIGN_STATIONS_LISTENER_LISTENER_H_
