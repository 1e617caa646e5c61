#include "appliance/cloud/aws/metadata_credentials.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "appliance/cloud/aws/process_credentials.h"
#include "appliance/cloud/aws/service_error.h"
#include "protocol/base/file.h"

namespace linesign::aws {
namespace {

constexpr uint64_t kMaxAnswer = 64 * 1024;
constexpr size_t kMaxTokenBytes = 16 * 1024;
constexpr std::string_view kRolePath = "/latest/meta-data/iam/security-credentials/";
constexpr std::chrono::milliseconds kContainerTimeout(2000);
constexpr size_t kMaxShownBytes = 200;

tl::unexpected<Error> service_failed(std::string why) {
  return fail(ErrorCode::AwsCredentialsFailed, std::move(why));
}

HttpRequest local_request(std::chrono::milliseconds timeout) {
  HttpRequest request;
  request.max_answer_bytes = kMaxAnswer;
  request.timeouts = {timeout, timeout * 5, std::chrono::seconds(10)};
  request.direct = true;
  return request;
}

Result<Credentials> read_answer(std::string text) {
  const auto object = JsonObject::parse(text);
  const SecretBytes wiped = take_secret(text);
  if (!object.has_value()) return service_failed("it does not answer with JSON");
  const std::string code = object->text("Code").value_or("Success");
  if (code != "Success")
    return service_failed(
        one_line(code + ": " + object->text("Message").value_or(""), kMaxShownBytes));
  return read_credentials(*object, kMetadataMembers);
}

// Where a token may be sent without TLS.
bool is_container_host(std::string_view host) {
  constexpr std::array<std::string_view, 3> kHosts = {
      "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
  return is_loopback(host) || std::find(kHosts.begin(), kHosts.end(), host) != kHosts.end();
}

}  // namespace

Result<std::string> InstanceCredentials::ask(const std::string& method,
                                             const std::string& path,
                                             HttpHeader header) {
  const std::string built_in =
      settings_.uses_ipv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  HttpRequest request = local_request(settings_.timeout);
  LS_TRY(request.url, parse_url(settings_.endpoint.empty() ? built_in : settings_.endpoint));
  request.url.path = path;
  request.method = method;
  request.headers.push_back(std::move(header));
  auto response = transport_.send(request);
  for (int i = 1; i < settings_.attempts && !response.has_value(); ++i)
    response = transport_.send(request);
  // In a factory there is usually no such service; a silent network is not a fault.
  if (!response.has_value())
    return fail(ErrorCode::AwsCredentialsMissing, response.error().detail());
  if (response->status == 404)
    return fail(ErrorCode::AwsCredentialsMissing, "the instance has no role");
  if (response->status != 200)
    return service_failed(fmt::format("it answers with HTTP {}", response->status));
  return std::move(response->body);
}

Result<Credentials> InstanceCredentials::fetch() {
  if (settings_.is_disabled)
    return fail(ErrorCode::AwsCredentialsMissing, "AWS_EC2_METADATA_DISABLED is set");
  LS_TRY(std::string token,
         ask("PUT", "/latest/api/token", {"x-aws-ec2-metadata-token-ttl-seconds", "21600"}));
  const HttpHeader with_token{"x-aws-ec2-metadata-token", token};
  LS_TRY(const std::string roles, ask("GET", std::string(kRolePath), with_token));
  const std::string role = roles.substr(0, roles.find_first_of("\r\n"));
  if (role.empty()) return fail(ErrorCode::AwsCredentialsMissing, "the instance has no role");
  LS_TRY(std::string answer, ask("GET", std::string(kRolePath) + percent_encode(role), with_token));
  return read_answer(std::move(answer));
}

bool ContainerCredentials::is_set_up(const Environment& environment) {
  return !environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").empty() ||
         !environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI").empty();
}

Result<Url> ContainerCredentials::endpoint() const {
  const std::string& relative = environment_.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  if (!relative.empty()) return parse_url("http://169.254.170.2" + relative);
  LS_TRY(Url url, parse_url(environment_.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")));
  if (!url.tls && !is_container_host(url.host))
    return fail(ErrorCode::AwsSettings, url.host + " must not be asked without TLS");
  return url;
}

Result<std::string> ContainerCredentials::authorization() const {
  std::string token = environment_.get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  const std::string& file = environment_.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  if (!file.empty()) {
    // Read each time: it is replaced below us.
    const auto content = read_secret_file(file, kMaxTokenBytes);
    if (!content.has_value()) return service_failed(content.error().detail());
    token = reveal_text(*content);
  }
  if (token.find_first_of("\r\n") != std::string::npos)
    return service_failed("the authorization token has more than one line");
  return token;
}

Result<Credentials> ContainerCredentials::fetch() {
  HttpRequest request = local_request(kContainerTimeout);
  LS_TRY(request.url, endpoint());
  LS_TRY(const std::string token, authorization());
  if (!token.empty()) request.headers.push_back({"Authorization", token});
  auto response = transport_.send(request);
  if (!response.has_value()) return service_failed(response.error().detail());
  if (response->status != 200)
    return service_failed(fmt::format("it answers with HTTP {}", response->status));
  return read_answer(std::move(response->body));
}

}  // namespace linesign::aws
