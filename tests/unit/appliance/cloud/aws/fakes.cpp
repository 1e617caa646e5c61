#include "tests/unit/appliance/cloud/aws/fakes.h"

#include <array>

#include <fmt/format.h>

namespace linesign::aws::test {

std::string http_date(UnixTime time) {
  constexpr std::array kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::string iso = to_iso8601(time);
  return fmt::format("Mon, {} {} {} {} GMT",
                     iso.substr(8, 2),
                     kMonths.at(static_cast<size_t>(std::stoi(iso.substr(5, 2)) - 1)),
                     iso.substr(0, 4),
                     iso.substr(11, 8));
}

HttpResponse answer(int status, std::string body, std::vector<HttpHeader> more) {
  HttpResponse response;
  response.status = status;
  response.headers = std::move(more);
  response.headers.push_back({"x-amzn-requestid", "request-1"});
  response.body = std::move(body);
  return response;
}

HttpResponse refusal(int status, const std::string& code, const std::string& message) {
  return answer(status,
                fmt::format(R"({{"message":"{}"}})", message),
                {{"x-amzn-errortype", code}, {"content-type", "application/json"}});
}

std::string header_of(const HttpRequest& request, const std::string& lower_name) {
  for (const HttpHeader& header : request.headers) {
    if (to_lower(header.name) == lower_name) return header.value;
  }
  return {};
}

Result<Credentials> FakeProvider::fetch() {
  ++fetches;
  if (failure) return fail(*failure, "on purpose");
  Credentials credentials;
  credentials.access_key_id = fmt::format("AKID{}", keeps_key ? 1 : fetches);
  credentials.secret_access_key = SecretBytes(to_bytes(std::string_view("the-secret-key")));
  credentials.session_token = SecretBytes(to_bytes(std::string_view("the-session-token")));
  if (life) credentials.expires_at = clock_.now() + *life;
  return credentials;
}

World::World() {
  auto owned = std::make_unique<FakeProvider>(time);
  provider = owned.get();
  cache = std::make_shared<CredentialCache>(std::move(owned), time);
}

ClientParts World::parts() {
  return {{transport, limiter, skew, time, time},
          std::make_shared<KeyAuthenticator>(cache),
          quota,
          where,
          3};
}

Endpoint endpoint_of(Service service) {
  Endpoint endpoint;
  endpoint.service = service;
  endpoint.url.host = fmt::format("{}.eu-west-1.amazonaws.com", name_of(service));
  endpoint.url.path.clear();
  endpoint.signing_region = "eu-west-1";
  return endpoint;
}

}  // namespace linesign::aws::test
