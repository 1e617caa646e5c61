#include "appliance/cloud/aws/role_credentials.h"

#include "protocol/base/file.h"

namespace linesign::aws {
namespace {

constexpr size_t kMaxIdentityTokenBytes = 64 * 1024;

}  // namespace

Result<Credentials> WebIdentityCredentials::fetch() {
  // Read each time: tokens are short-lived and replaced below us.
  const auto token = read_secret_file(token_file_, kMaxIdentityTokenBytes);
  if (!token.has_value()) return fail(ErrorCode::AwsCredentialsFailed, token.error().detail());
  return sts_.assume_role_with_web_identity(role_, *token);
}

}  // namespace linesign::aws
