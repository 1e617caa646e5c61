// Listener: the station port: accepts connections, runs TLS 1.3 and one Session per connection.
//
// One port serves two kinds of connection, told apart by ALPN: "linesign/1" demands a station
// certificate; "linesign-enroll/1" has none and allows a single EnrollRequest.
//
// Limits   ListenerSettings. Whom TLS has named gets a refusal in words: SessionLimit for a session
//          too many of one station, Busy for one too many in all. Before that connections are
//          bounded by PendingConnections, and after it, while they end, by max_closing: the oldest
//          without a station's certificate is cut, else the oldest. A listener that drains cuts
//          none: nothing new comes, and every session hears its Goodbye
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
  uint32_t max_sessions = 2048;          // of all stations
  uint32_t max_sessions_per_station = 4;
  // A session without a frame for so long gives way to a new one of its station.
  std::chrono::milliseconds replace_after = std::chrono::seconds(10);
  size_t max_pending = 512;                   // connections that have not shown whose they are
  size_t max_pending_per_source = 128;        // the same, of one address
  size_t max_closing = 256;                   // connections that have heard Goodbye
  size_t max_output_bytes = 4 * 1024 * 1024;  // waiting for a station that does not read
  size_t max_output_sum = 64 * 1024 * 1024;   // waiting for all of them
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds hello_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds frame_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds idle_timeout = std::chrono::minutes(10);
  // For the last bytes of a connection, and then for the station to close.
  std::chrono::milliseconds closing_timeout = std::chrono::seconds(2);
  std::string software;  // "linesign/0.1.0" for Welcome
};

// DER and PEM as OpenSSL wants them; made by appliance/enrollment.
struct ListenerCredential {
  std::string certificate_pem;  // the appliance's server certificate, then the station CA
  std::string private_key_pem;
  std::string station_ca_pem;  // whom we trust to name stations
};

struct ListenerCounters {
  uint32_t connections = 0;        // open now, of every kind
  uint32_t sessions = 0;           // of these: of stations
  uint32_t max_sessions = 0;       // as configured
  uint32_t pending = 0;            // of these: that have not shown whose they are
  uint32_t stations_at_limit = 0;  // that have as many sessions as allowed, now
  size_t waiting_bytes = 0;        // for stations to read, now
  uint64_t accepted = 0;
  uint64_t refused_handshakes = 0;  // that failed, or took too long
  uint64_t dropped_handshakes = 0;  // that gave way to others
  uint64_t session_limit = 0;       // refused: the station has as many sessions as allowed
  uint64_t sessions_full = 0;       // refused: all have
  uint64_t replaced_sessions = 0;   // silent ones that gave way to a new one of their station
  uint64_t dropped_stalled = 0;     // too much waited for stations that do not read
  uint64_t out_of_descriptors = 0;  // times that accepting had to pause
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

  // No new connections, unfinished handshakes are closed; new requests on open ones are refused
  // with Draining. Answers still go out.
  void begin_drain();
  // Are all answers written to their sockets?
  bool is_drained() const;
  // Says Goodbye (Draining) to all; REQUIRES: begin_drain().
  void close_all();
  // Has every connection ended?
  bool is_empty() const;

 private:
  class Implementation;
  explicit Listener(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace linesign

#endif  // LINESIGN_STATIONS_LISTENER_LISTENER_H_
