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

Error unavailable(const std::filesystem::path& socket, const Poco::Exception& exception) {
  if (exception.code() == EACCES)
    return Error(ErrorCode::AdminNotPermitted,
                 fmt::format("{}: {}: you are not in the group of {}",
                             socket.string(),
                             errno_text(EACCES),
                             socket.filename().string()));
  // Poco keeps errno in code(); its own texts for sockets say less.
  const std::string reason =
      exception.code() != 0 ? errno_text(exception.code()) : exception.displayText();
  return Error(ErrorCode::AdminUnavailable, fmt::format("{}: {}", socket.string(), reason));
}

}  // namespace

Result<std::string> AdminClient::exchange(const std::string& method,
                                          const std::string& path,
                                          const std::string& body) const {
  try {
    const Poco::Timespan timeout(std::chrono::microseconds(timeout_).count());
    Poco::Net::StreamSocket socket;
    socket.connect(Poco::Net::SocketAddress(Poco::Net::SocketAddress::UNIX_LOCAL, socket_.string()),
                   timeout);
    Poco::Net::HTTPClientSession session(socket);
    session.setTimeout(timeout);
    Poco::Net::HTTPRequest request(method, path, Poco::Net::HTTPMessage::HTTP_1_1);
    request.setHost("linesignd");
    request.setKeepAlive(false);
    request.setContentType("application/json");
    request.setContentLength(static_cast<std::streamsize>(body.size()));
    session.sendRequest(request) << body << std::flush;
    Poco::Net::HTTPResponse response;
    LS_TRY(std::string answer, read_all(session.receiveResponse(response)));
    if (response.getStatus() == Poco::Net::HTTPResponse::HTTP_OK) return answer;
    LS_TRY(Error error, error_from_json(answer));
    return fail(std::move(error));
  } catch (const Poco::Exception& exception) {
    return fail(unavailable(socket_, exception));
  } catch (const std::exception& exception) {
    return fail(ErrorCode::AdminUnavailable,
                fmt::format("{}: {}", socket_.string(), exception.what()));
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
