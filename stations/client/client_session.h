// ClientSession: what stands behind StationClient: one connection after another, the messages on
// it, and which answer belongs to whom.
//
// Errors   as station_client.h says
// Threads  one thread at a time
#ifndef LINESIGN_STATIONS_CLIENT_CLIENT_SESSION_H_
#define LINESIGN_STATIONS_CLIENT_CLIENT_SESSION_H_

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/station.pb.h"
#include "protocol/wire/frame.h"
#include "stations/client/connection.h"
#include "stations/client/station_client.h"
#include "stations/transport/tls_context.h"

namespace linesign::client {

class ClientSession {
 public:
  ClientSession(TlsContext context, std::string address, ClientOptions options)
      : context_(std::move(context)), address_(std::move(address)), options_(std::move(options)) {}
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;
  ~ClientSession() {
    if (connection_) connection_->close();
  }

  Result<void> connect();
  Result<void> submit(const IssueRequest& request, bool is_fetch);
  Result<void> flush();
  Result<std::optional<IssueReply>> next(SteadyTime deadline);
  Result<Bytes> request_certificate(const IssueRequest& request, SteadyTime give_up);
  Result<Bytes> fetch(std::string_view device_id, std::string_view order_id);
  Result<void> confirm(std::string_view device_id, const Sha256& proof, std::string_view order_id);
  Result<std::chrono::microseconds> ping();
  Result<void> check(ByteView csr_der, ByteView certificate_der) const;

  const std::string& station_name() const { return station_name_; }
  uint32_t window() const { return window_; }
  const std::vector<Bytes>& issuer_chain() const { return issuer_chain_; }
  size_t in_flight() const { return unanswered_.size(); }
  int descriptor() const { return connection_ ? connection_->descriptor() : -1; }
  bool has_unsent() const { return connection_ && (!unsent_.empty() || connection_->has_unsent()); }

 private:
  Result<void> introduce(SteadyTime deadline);
  Result<void> take_welcome(const station::v1::Welcome& welcome);
  Result<void> queue(const station::v1::ToAppliance& message);
  Result<void> send_unsent();
  // Reads what has arrived and sorts it; the first failure ends the connection.
  Result<void> take_arrived();
  Result<void> take_message(ByteView body);
  Result<void> take_issue_reply(station::v1::IssueReply& message);
  Result<void> lose(Error error);
  Error why_lost() const { return failure_.value_or(Error(ErrorCode::ConnectionClosed)); }
  // When the present silence leads to a ping, or to the end.
  SteadyTime silence_ends_at() const {
    return (is_ping_sent_ ? ping_sent_at_ : last_heard_) + options_.keep_alive;
  }
  Result<void> keep_alive();
  // Waits for the answer that `has_answer` sees; FrameTimeout at the deadline.
  template <typename Predicate>
  Result<void> wait_until(SteadyTime deadline, Predicate has_answer);
  // The same for blocking calls: no answer means that the connection is lost.
  template <typename Predicate>
  Result<void> await(Predicate has_answer);
  // Connects if need be. A certificate; or nothing yet, and how long to wait before the next try;
  // or an error, final while the connection stands.
  Result<std::optional<Bytes>> try_request(const IssueRequest& request,
                                           SteadyTime give_up,
                                           std::chrono::milliseconds& wait,
                                           Error& last_error);

  TlsContext context_;
  std::string address_;
  ClientOptions options_;
  std::string station_name_;
  uint32_t window_ = 0;
  std::vector<Bytes> issuer_chain_;
  std::unique_ptr<Connection> connection_;
  FrameReader frames_;
  Bytes unsent_;     // frames that TLS has not seen
  Bytes plaintext_;  // kept for its memory
  station::v1::ToStation received_;
  size_t max_frame_bytes_ = kMaxFrameBytes;
  bool is_welcome_ = false;         // the present connection, or the last one
  std::optional<Error> failure_;    // why there is no connection
  std::set<RequestId> unanswered_;  // submitted, not answered
  std::deque<IssueReply> replies_;
  SteadyTime last_heard_{};
  bool is_ping_sent_ = false;
  SteadyTime ping_sent_at_{};
  uint64_t next_nonce_ = 1;
  // The one blocking call that may be under way.
  std::optional<RequestId> awaited_id_;
  std::optional<IssueReply> awaited_fetch_;
  std::optional<station::v1::ConfirmReply> awaited_confirm_;
  std::optional<uint64_t> answered_nonce_;
};

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_CLIENT_SESSION_H_
