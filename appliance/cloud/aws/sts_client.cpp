#include "appliance/cloud/aws/sts_client.h"

#include <fmt/format.h>

#include "appliance/cloud/aws/times.h"
#include "appliance/cloud/aws/xml.h"

namespace linesign::aws {
namespace {

Result<std::string> element(std::string_view document,
                            std::string_view inside,
                            std::string_view name) {
  auto text = xml_text(document, {inside, name});
  if (text && !text->empty()) return std::move(*text);
  return fail(ErrorCode::AwsAnswerUnreadable, fmt::format("STS: {} is missing", name));
}

Result<Credentials> read_sts_credentials(std::string_view document) {
  Credentials credentials;
  LS_TRY(credentials.access_key_id, element(document, "Credentials", "AccessKeyId"));
  LS_TRY(std::string secret, element(document, "Credentials", "SecretAccessKey"));
  credentials.secret_access_key = take_secret(secret);
  LS_TRY(std::string token, element(document, "Credentials", "SessionToken"));
  credentials.session_token = take_secret(token);
  LS_TRY(const std::string expiration, element(document, "Credentials", "Expiration"));
  credentials.expires_at = parse_iso8601(expiration);
  if (!credentials.expires_at)
    return fail(ErrorCode::AwsAnswerUnreadable, "STS: Expiration is not a time");
  return credentials;
}

std::vector<QueryParameter> role_form(const AssumeRole& role) {
  std::vector<QueryParameter> form = {{"RoleArn", role.role_arn},
                                      {"RoleSessionName", role.session_name}};
  if (role.duration.count() > 0)
    form.push_back({"DurationSeconds", std::to_string(role.duration.count())});
  if (!role.external_id.empty()) form.push_back({"ExternalId", role.external_id});
  return form;
}

}  // namespace

Result<std::string> StsClient::call(const std::string& action, std::vector<QueryParameter> form) {
  form.insert(form.begin(), {{"Action", action}, {"Version", "2011-06-15"}});
  Call call;
  call.operation = action;
  call.endpoint = endpoint_;
  call.method = "POST";
  call.path = "/";
  call.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  call.body = encode_query(form);
  LS_TRY(HttpResponse response, client_.call(call));
  return std::move(response.body);
}

Result<Credentials> StsClient::assume_role(const AssumeRole& role) {
  LS_TRY(std::string answer, call("AssumeRole", role_form(role)));
  auto credentials = read_sts_credentials(answer);
  static_cast<void>(take_secret(answer));  // wipes it
  return credentials;
}

Result<Credentials> StsClient::assume_role_with_web_identity(const AssumeRole& role,
                                                             const SecretBytes& token) {
  std::vector<QueryParameter> form = role_form(role);
  form.push_back({"WebIdentityToken", reveal_text(token)});
  LS_TRY(std::string answer, call("AssumeRoleWithWebIdentity", std::move(form)));
  auto credentials = read_sts_credentials(answer);
  static_cast<void>(take_secret(answer));  // wipes it
  return credentials;
}

Result<CallerIdentity> StsClient::caller_identity() {
  LS_TRY(const std::string answer, call("GetCallerIdentity", {}));
  constexpr std::string_view kInside = "GetCallerIdentityResult";
  CallerIdentity identity;
  LS_TRY(identity.account, element(answer, kInside, "Account"));
  LS_TRY(identity.arn, element(answer, kInside, "Arn"));
  LS_TRY(identity.user_id, element(answer, kInside, "UserId"));
  return identity;
}

}  // namespace linesign::aws
