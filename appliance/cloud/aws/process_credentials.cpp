#include "appliance/cloud/aws/process_credentials.h"

#include <fmt/format.h>

#include "appliance/cloud/aws/child_process.h"
#include "appliance/cloud/aws/times.h"

namespace linesign::aws {
namespace {

constexpr std::chrono::seconds kLongestRun(60);

Result<std::string> member(const JsonObject& object, const char* name) {
  auto text = object.text(name);
  if (text && !text->empty()) return std::move(*text);
  return fail(ErrorCode::AwsCredentialsFailed, fmt::format("the member {} is missing", name));
}

}  // namespace

Result<Credentials> read_credentials(const JsonObject& object, const CredentialMembers& members) {
  Credentials credentials;
  LS_TRY(credentials.access_key_id, member(object, members.access_key_id));
  LS_TRY(std::string secret, member(object, members.secret_access_key));
  credentials.secret_access_key = take_secret(secret);
  std::string token = object.text(members.session_token).value_or("");
  credentials.session_token = take_secret(token);
  credentials.account_id = object.text("AccountId").value_or("");
  const auto expiration = object.text(members.expiration);
  if (!expiration || expiration->empty()) return credentials;
  credentials.expires_at = parse_iso8601(*expiration);
  if (!credentials.expires_at)
    return fail(ErrorCode::AwsCredentialsFailed,
                fmt::format("{} is not a time", members.expiration));
  return credentials;
}

Result<Credentials> ProcessCredentials::fetch() {
  LS_TRY(const std::vector<std::string> words, split_words(command_));
  LS_TRY(const SecretBytes output, run_program(words, environment_, kLongestRun));
  std::string text = reveal_text(output);
  const auto object = JsonObject::parse(text);
  const SecretBytes wiped = take_secret(text);
  if (!object.has_value())
    return fail(ErrorCode::AwsCredentialsFailed, words.front() + ": it does not print JSON");
  if (object->integer("Version") != 1)
    return fail(ErrorCode::AwsCredentialsFailed, words.front() + ": Version is not 1");
  return read_credentials(*object, kProcessMembers);
}

}  // namespace linesign::aws
