#include "appliance/admin/client/admin_client.h"

#include <cerrno>
#include <istream>
#include <thread>

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

// Between two tries of a call that linesignd did not take.
constexpr std::chrono::milliseconds kRepeatPause{100};
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

// Once.
Result<std::string> AdminClient::try_exchange(const std::string& method,
                                              const std::string& path,
                                              const std::string& body,
                                              Course& course) const {
  course = {};
  std::optional<int> peer;
  try {
    const Poco::Net::StreamSocket socket = connect_within(socket_, timeout_);
    peer = peer_process(socket.impl()->sockfd()).value_or(0);
    course.is_connected = true;
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
    course.is_unread = exception.code() == EPIPE || exception.code() == ECONNRESET;
    return fail(why_unavailable(exception, peer));
  } catch (const std::exception& exception) {
    return fail(ErrorCode::AdminUnavailable,
                fmt::format("{}: {}", socket_.string(), exception.what()));
  }
}

// In a flood of the socket a connection gives way unread, or is answered AdminBusy: room may come.
Result<std::string> AdminClient::repeat_exchange(const std::string& method,
                                                 const std::string& path,
                                                 const std::string& body,
                                                 Course& course) const {
  const auto last_try = std::chrono::steady_clock::now() + timeout_ - kRepeatPause;
  for (;;) {
    auto answer = try_exchange(method, path, body, course);
    const bool is_busy = !answer.has_value() && answer.error().code() == ErrorCode::AdminBusy;
    const bool is_taken = !course.is_unread && !is_busy;
    if (is_taken || std::chrono::steady_clock::now() > last_try) return answer;
    std::this_thread::sleep_for(kRepeatPause);
  }
}

Result<std::string> AdminClient::exchange(const std::string& method,
                                          const std::string& path,
                                          const std::string& body) const {
  Course course;
  return repeat_exchange(method, path, body, course);
}

Result<std::string> AdminClient::order(const std::string& path,
                                       const std::string& body,
                                       std::string_view where) const {
  Course course;
  auto answer = repeat_exchange("POST", path, body, course);
  if (answer.has_value() || !course.is_connected || course.is_unread) return answer;
  const Error& error = answer.error();
  if (error.code() != ErrorCode::AdminUnavailable && error.code() != ErrorCode::LedgerCommitUnknown)
    return answer;
  return fail(error.code(),
              fmt::format("{}{}it may still take effect: {}",
                          error.detail(),
                          error.detail().empty() ? "" : "; ",
                          where));
}

Result<ApplianceStatus> AdminClient::status() const {
  LS_TRY(const std::string answer, exchange("GET", "/v1/status", ""));
  return status_from_json(answer);
}

Result<std::string> AdminClient::add_station(std::string_view name) const {
  LS_CHECK(check_station_name(name));
  LS_TRY(const std::string answer,
         order("/v1/stations",
               station_name_to_json(name),
               fmt::format("look at `linesign station list`; if {0} is invited, its token is lost: "
                           "`linesign station revoke {0}`, then add it again",
                           name)));
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
         order(fmt::format("/v1/stations/{}/revoke", name), "", "look at `linesign station list`"));
  return station_from_json(answer);
}

Result<ClockEvent> AdminClient::confirm_clock(bool is_back) const {
  LS_TRY(const std::string answer,
         order("/v1/clock/confirm", clock_request_to_json(is_back), "look at `linesign status`"));
  return clock_event_from_json(answer);
}

Result<uint64_t> AdminClient::trust_hsm() const {
  LS_TRY(const std::string answer, order("/v1/hsm/trust", "", "look at `linesign status`"));
  return released_from_json(answer);
}

}  // namespace linesign
