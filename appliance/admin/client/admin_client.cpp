#include "appliance/admin/client/admin_client.h"

#include <cerrno>
#include <istream>

#include <Poco/Exception.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>
#include <fmt/format.h>

#include "appliance/admin/api/admin_json.h"
#include "protocol/base/file.h"
#include "protocol/base/ids.h"
#include "protocol/base/process.h"

namespace linesign {
namespace {

constexpr size_t kMaxAnswerBytes = 64 * 1024 * 1024;  // some 100,000 stations

Result<std::string> read_all(std::istream& in) {
  std::string text;
  std::string part(16 * 1024, '\0');
  while (in.read(part.data(), static_cast<std::streamsize>(part.size())) || in.gcount() > 0) {
    text.append(part, 0, static_cast<size_t>(in.gcount()));
    if (text.size() > kMaxAnswerBytes)
      return fail(ErrorCode::InputInvalid, "the answer of linesignd is too long");
  }
  return text;
}

// Connects within the timeout, which from then on holds for each send and receive. Not Poco's
// connect with a timeout: it takes a full queue of who listens for a connection.
Poco::Net::StreamSocket connect_within(const std::filesystem::path& path,
                                       std::chrono::milliseconds timeout) {
  const Poco::Timespan limit(std::chrono::microseconds(timeout).count());
  Poco::Net::StreamSocket socket(Poco::Net::SocketAddress::UNIX_LOCAL);
  socket.setSendTimeout(limit);
  socket.setReceiveTimeout(limit);
  socket.connect(Poco::Net::SocketAddress(Poco::Net::SocketAddress::UNIX_LOCAL, path.string()));
  return socket;
}

std::string state_text(char state) {
  switch (state) {
    case 'T':
    case 't':
      return "is stopped; `kill -CONT` lets it go on";
    case 'D':
      return "waits for a disk or a device";
    case 'Z':
    case 'X':
      return "has ended";
    default:
      return "runs, but does not answer";
  }
}

// Who listens at the other end, as the kernel knows it. Empty: a process of another namespace.
std::string describe(int pid) {
  if (pid == 0) return {};
  const auto process = read_process(pid);
  if (!process) return fmt::format(": pid {}, which made the socket, has ended", pid);
  return fmt::format(": {} (pid {}) {}", process->name, pid, state_text(process->state));
}

bool is_timeout(const Poco::Exception& exception) {
  return dynamic_cast<const Poco::TimeoutException*>(&exception) != nullptr ||
         exception.code() == EAGAIN || exception.code() == ETIMEDOUT;
}

}  // namespace

Error AdminClient::why_unavailable(const Poco::Exception& exception,
                                   std::optional<int> peer) const {
  if (exception.code() == EACCES)
    return Error(ErrorCode::AdminNotPermitted,
                 fmt::format("{}: {}: you are not in the group of {}",
                             socket_.string(),
                             errno_text(EACCES),
                             socket_.filename().string()));
  const double seconds = std::chrono::duration<double>(timeout_).count();
  if (is_timeout(exception) && peer)
    return Error(ErrorCode::AdminUnavailable,
                 fmt::format("{}: connected, but no answer for {:g} s{}",
                             socket_.string(),
                             seconds,
                             describe(*peer)));
  if (is_timeout(exception))
    return Error(ErrorCode::AdminUnavailable,
                 fmt::format("{}: cannot connect within {:g} s: its queue of connections is full",
                             socket_.string(),
                             seconds));
  // Poco keeps errno in code(); its own texts for sockets say less.
  const std::string reason =
      exception.code() != 0 ? errno_text(exception.code()) : exception.displayText();
  return Error(ErrorCode::AdminUnavailable, fmt::format("{}: {}", socket_.string(), reason));
}

// Once. `is_unread` is set if linesignd closed before it had read the request: in a flood of its
// socket this connection gave way.
Result<std::string> AdminClient::try_exchange(const std::string& method,
                                              const std::string& path,
                                              const std::string& body,
                                              bool& is_unread) const {
  std::optional<int> peer;
  try {
    const Poco::Net::StreamSocket socket = connect_within(socket_, timeout_);
    peer = peer_process(socket.impl()->sockfd()).value_or(0);
    Poco::Net::HTTPClientSession session(socket);
    Poco::Net::HTTPRequest request(method, path, Poco::Net::HTTPMessage::HTTP_1_1);
    request.setHost("linesignd");
    request.setKeepAlive(false);
    request.setContentType("application/json");
    request.setContentLength(static_cast<std::streamsize>(body.size()));
    session.sendRequest(request) << body << std::flush;
    Poco::Net::HTTPResponse response;
    auto answer = read_all(session.receiveResponse(response));
    // A stream keeps to itself why it ended.
    if (session.networkException() != nullptr) session.networkException()->rethrow();
    if (!answer.has_value()) return answer;
    if (response.getStatus() == Poco::Net::HTTPResponse::HTTP_OK) return answer;
    LS_TRY(Error error, error_from_json(*answer));
    return fail(std::move(error));
  } catch (const Poco::Exception& exception) {
    is_unread = exception.code() == EPIPE || exception.code() == ECONNRESET;
    return fail(why_unavailable(exception, peer));
  } catch (const std::exception& exception) {
    return fail(ErrorCode::AdminUnavailable,
                fmt::format("{}: {}", socket_.string(), exception.what()));
  }
}

Result<std::string> AdminClient::exchange(const std::string& method,
                                          const std::string& path,
                                          const std::string& body) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  for (;;) {
    bool is_unread = false;
    auto answer = try_exchange(method, path, body, is_unread);
    if (!is_unread || std::chrono::steady_clock::now() >= deadline) return answer;
  }
}

Result<ApplianceStatus> AdminClient::status() const {
  LS_TRY(const std::string answer, exchange("GET", "/v1/status", ""));
  return status_from_json(answer);
}

Result<std::string> AdminClient::add_station(std::string_view name) const {
  LS_CHECK(check_station_name(name));
  LS_TRY(const std::string answer, exchange("POST", "/v1/stations", station_name_to_json(name)));
  return token_from_json(answer);
}

Result<std::vector<StationListEntry>> AdminClient::stations() const {
  LS_TRY(const std::string answer, exchange("GET", "/v1/stations", ""));
  return stations_from_json(answer);
}

Result<StationRecord> AdminClient::revoke_station(std::string_view name) const {
  // A checked name needs no escaping in a path.
  LS_CHECK(check_station_name(name));
  LS_TRY(const std::string answer,
         exchange("POST", fmt::format("/v1/stations/{}/revoke", name), ""));
  return station_from_json(answer);
}

Result<ClockEvent> AdminClient::confirm_clock(bool is_back) const {
  LS_TRY(const std::string answer,
         exchange("POST", "/v1/clock/confirm", clock_request_to_json(is_back)));
  return clock_event_from_json(answer);
}

Result<uint64_t> AdminClient::trust_hsm() const {
  LS_TRY(const std::string answer, exchange("POST", "/v1/hsm/trust", ""));
  return released_from_json(answer);
}

}  // namespace linesign
