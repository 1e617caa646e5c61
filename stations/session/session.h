// Session: one station's conversation, from Hello to Goodbye, as a state machine over plaintext.
// It does no I/O: bytes go in, calls to the StationService and bytes for the station come out.
//
// States   kRules in session.cpp: one row per state, one column per message
// Errors   a broken frame or a message out of place ends the session with one Goodbye; a bad field
//          of a request is refused in its answer and the session stays
// Limits   SessionHost::settings.window unanswered requests; every one over it is answered Busy. A
//          station that was told to send as many requests again later is not read before the first
//          of those times: one that obeys has nothing to send then, one that does not gains nothing
// Threads  the event loop's thread only. A reply may come after the session is gone
// Source   docs/station-protocol.md
#ifndef LINESIGN_STATIONS_SESSION_SESSION_H_
#define LINESIGN_STATIONS_SESSION_SESSION_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include <google/protobuf/arena.h>

#include "protocol/base/clock.h"
#include "protocol/station.pb.h"
#include "protocol/wire/byte_queue.h"
#include "protocol/wire/frame.h"
#include "stations/listener/station_service.h"

namespace linesign {

constexpr uint32_t kProtocolVersion = 1;
constexpr size_t kMaxSoftwareBytes = 64;
constexpr size_t kMinStationFrameBytes = 1024;  // what every station must be able to receive
constexpr size_t kMaxEnrollSecretBytes = 64;

struct SessionSettings {
  uint32_t window = 256;
  std::string software;
  // About as long as a full window takes to be signed.
  std::chrono::milliseconds busy_retry_after{100};
  std::chrono::milliseconds drain_retry_after{1000};
};

// What the sessions of one listener share. Must outlive them.
struct SessionHost {
  SessionHost(StationService& its_service, SessionSettings its_settings)
      : service(its_service), settings(std::move(its_settings)) {}

  StationService& service;
  SessionSettings settings;
  bool draining = false;  // new requests are refused
  uint64_t requests = 0;
  uint64_t busy = 0;

  // Memory that is used again for every message. The block holds any request but the largest CSR.
  std::vector<char> request_block = std::vector<char>(16 * 1024);
  google::protobuf::Arena request_memory{request_block.data(), request_block.size()};
  station::v1::ToStation reply;
};

// Who enrols, as far as the network tells: EnrollCall.
struct Stranger {
  std::string host;
  Bytes source;
};

class Session final : public std::enable_shared_from_this<Session> {
 public:
  // `on_output` is called when something was added to output(); it must not destroy the session.
  static std::shared_ptr<Session> for_station(SessionHost& host,
                                              StationIdentity station,
                                              std::function<void()> on_output);
  static std::shared_ptr<Session> for_enrollment(SessionHost& host,
                                                 Stranger peer,
                                                 std::function<void()> on_output);
  // Only says Goodbye: for a station that TLS knows and that gets no session.
  static std::shared_ptr<Session> for_goodbye(SessionHost& host,
                                              const Refusal& reason,
                                              std::function<void()> on_output);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() = default;

  // Ignored once the session is closing.
  void receive(ByteView plaintext);

  // Says Goodbye with the reason; nothing is received or answered afterwards.
  void close(const Refusal& reason);
  void close(const Error& reason) { close(Refusal{reason, {}}); }

  ByteQueue& output() { return output_; }
  // The connection ends when output() is written.
  bool is_closing() const { return state_ == State::Closing; }
  // Hello, or the EnrollRequest, is still to come.
  bool is_waiting_for_first() const { return state_ < State::Ready; }
  bool is_mid_frame() const { return reader_.is_mid_frame(); }
  // The station is not to be read before this time.
  std::optional<SteadyTime> rests_until(SteadyTime now);
  uint32_t unanswered() const { return unanswered_; }
  uint64_t frames_received() const { return frames_received_; }
  const StationIdentity& station() const { return station_; }  // id 0: enrolment

 private:
  enum class State : uint8_t { WaitHello, WaitEnroll, Ready, Enrolling, Closing };
  using ToAppliance = station::v1::ToAppliance;
  using Handler = void (Session::*)(const ToAppliance&);
  struct Rules;
  // A request that was handed to the service. `generation` tells its reply from a late second one.
  struct Slot {
    RequestId request_id{};
    uint32_t generation = 0;
    bool is_open = false;
  };
  struct Ticket {
    uint32_t slot = 0;
    uint32_t generation = 0;
  };

  Session(SessionHost& host, State state, StationIdentity station, std::function<void()> on_output);

  void handle_frame(ByteView body);
  void on_hello(const ToAppliance& message);
  void on_issue(const ToAppliance& message);
  void on_fetch(const ToAppliance& message);
  void on_confirm(const ToAppliance& message);
  void on_ping(const ToAppliance& message);
  void on_enroll(const ToAppliance& message);

  Result<void> check_hello(const station::v1::Hello& hello) const;
  // Is there room for one more request? Counts it.
  tl::expected<void, Refusal> admit();
  Ticket open_slot(const RequestId& request_id);
  Slot* find_slot(Ticket ticket);
  void release_slot(Ticket ticket);

  CertificateReply certificate_reply(const RequestId& request_id);
  bool answer_certificate(Ticket ticket, const tl::expected<ByteView, Refusal>& outcome);
  void answer_confirm(Ticket ticket, const tl::expected<void, Refusal>& outcome);
  void answer_enroll(const Result<Enrolled>& outcome);
  void refuse_issue(std::string_view request_id, const Refusal& refusal);
  void refuse_confirm(std::string_view request_id, const Refusal& refusal);

  void note_return(const Refusal& refusal);

  // False: the message is longer than the station can receive; nothing is sent.
  bool send(const station::v1::ToStation& message);

  SessionHost& host_;
  State state_;
  StationIdentity station_;
  Stranger peer_;  // of an enrolment
  std::function<void()> on_output_;
  FrameReader reader_;
  ByteQueue output_;
  size_t station_max_frame_ = kMaxFrameBytes;
  std::vector<Slot> slots_;  // grows to the window, then is used again
  std::vector<uint32_t> free_slots_;
  uint32_t unanswered_ = 0;
  uint64_t frames_received_ = 0;
  // When the requests that were answered TRY_LATER may come again; the first on top.
  std::priority_queue<SteadyTime, std::vector<SteadyTime>, std::greater<>> returns_;
};

}  // namespace linesign

#endif  // LINESIGN_STATIONS_SESSION_SESSION_H_
