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

// Empty: it is not there. Of another type it is refused: a number as the end of a key would mean
// that the key lasts for ever.
Result<std::string> member_if_there(const JsonObject& object, const char* name) {
  auto text = object.text(name);
  if (text) return std::move(*text);
  if (!object.has(name)) return std::string();
  return fail(ErrorCode::AwsCredentialsFailed,
              fmt::format("the member {} is not a text in quotes", name));
}

}  // namespace

Result<Credentials> read_credentials(const JsonObject& object, const CredentialMembers& members) {
  Credentials credentials;
  LS_TRY(credentials.access_key_id, member(object, members.access_key_id));
  LS_TRY(std::string secret, member(object, members.secret_access_key));
  credentials.secret_access_key = take_secret(secret);
  LS_TRY(std::string token, member_if_there(object, members.session_token));
  credentials.session_token = take_secret(token);
  credentials.account_id = object.text("AccountId").value_or("");
  LS_TRY(const std::string expiration, member_if_there(object, members.expiration));
  if (!object.has(members.expiration)) return credentials;
  credentials.expires_at = parse_iso8601(expiration);
  if (!credentials.expires_at)
    return fail(
        ErrorCode::AwsCredentialsFailed,
        fmt::format("{} is not a time such as \"2027-01-15T09:00:00Z\"", members.expiration));
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
