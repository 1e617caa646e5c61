#include "appliance/cloud/aws/static_credentials.h"

#include <fmt/format.h>

#include "appliance/cloud/aws/profile_values.h"

namespace linesign::aws {
namespace {

SecretBytes copy_of(const SecretBytes& secret) { return SecretBytes(to_bytes(secret.reveal())); }

SecretBytes secret_from(const std::string& text) { return SecretBytes(to_bytes(text)); }

Result<Credentials> checked(Credentials credentials) {
  if (credentials.access_key_id.empty())
    return fail(ErrorCode::AwsCredentialsFailed, "the access key id is missing");
  if (credentials.secret_access_key.empty())
    return fail(ErrorCode::AwsCredentialsFailed, "the secret access key is missing");
  if (const auto fault = value_fault("aws_access_key_id", credentials.access_key_id);
      !fault.empty())
    return fail(ErrorCode::AwsCredentialsFailed, fmt::format("the access key id: {}", fault));
  for (const SecretBytes* each : {&credentials.secret_access_key, &credentials.session_token}) {
    const auto fault = value_fault("aws_secret_access_key", as_text(each->reveal()));
    if (!each->empty() && !fault.empty())
      return fail(ErrorCode::AwsCredentialsFailed, fmt::format("the secret of the key: {}", fault));
  }
  return credentials;
}

}  // namespace

bool has_key(const ProfileSection* section) {
  return section != nullptr &&
         (section->has("aws_access_key_id") || section->has("aws_secret_access_key"));
}

Result<Credentials> GivenCredentials::fetch() {
  Credentials copy;
  copy.access_key_id = credentials_.access_key_id;
  copy.secret_access_key = copy_of(credentials_.secret_access_key);
  copy.session_token = copy_of(credentials_.session_token);
  copy.expires_at = credentials_.expires_at;
  copy.account_id = credentials_.account_id;
  return checked(std::move(copy));
}

Result<Credentials> EnvironmentCredentials::fetch() {
  Credentials credentials;
  credentials.access_key_id = environment_.get("AWS_ACCESS_KEY_ID");
  credentials.secret_access_key = secret_from(environment_.get("AWS_SECRET_ACCESS_KEY"));
  credentials.session_token = secret_from(environment_.get("AWS_SESSION_TOKEN"));
  if (credentials.session_token.empty())
    credentials.session_token = secret_from(environment_.get("AWS_SECURITY_TOKEN"));
  credentials.account_id = environment_.get("AWS_ACCOUNT_ID");
  return checked(std::move(credentials));
}

Result<Credentials> FileCredentials::fetch() {
  const ProfileFile file = ProfileFile::load(file_);
  LS_CHECK(file.check());
  const ProfileSection* section = file.find(section_);
  if (!has_key(section)) return fail(ErrorCode::AwsCredentialsFailed, "the key is gone");
  LS_CHECK(section->check());
  Credentials credentials;
  credentials.access_key_id = section->get("aws_access_key_id");
  credentials.secret_access_key = copy_of(section->secret("aws_secret_access_key"));
  credentials.session_token = copy_of(section->secret("aws_session_token"));
  if (credentials.session_token.empty())
    credentials.session_token = copy_of(section->secret("aws_security_token"));
  credentials.account_id = section->get("aws_account_id");
  return checked(std::move(credentials));
}

}  // namespace linesign::aws
