#include "appliance/cloud/aws/account_credentials.h"

#include <fmt/format.h>

namespace linesign::aws {
namespace {

class FixedAuthenticator final : public Authenticator {
 public:
  // Borrowed.
  explicit FixedAuthenticator(const Credentials& credentials) : credentials_(credentials) {}
  Result<std::string> authorize(HttpRequest& request,
                                const SigningScope& scope,
                                const SignedParts& parts) override {
    sign_headers(request, credentials_, scope, parts);
    return credentials_.access_key_id;
  }
  Result<bool> renew(std::string_view /*access_key_id*/) override { return false; }

 private:
  const Credentials& credentials_;
};

}  // namespace

Result<Credentials> AccountCredentials::fetch() {
  LS_TRY(Credentials fresh, base_->fetch());
  if (!checked_id_.empty() && fresh.access_key_id == checked_id_) return fresh;
  LS_CHECK(check(fresh));
  checked_id_ = fresh.access_key_id;
  return fresh;
}

Result<void> AccountCredentials::check(const Credentials& credentials) const {
  ClientParts parts = parts_;
  parts.authenticator = std::make_shared<FixedAuthenticator>(credentials);
  LS_TRY(const CallerIdentity identity, StsClient(std::move(parts), endpoint_).caller_identity());
  if (identity.account == account_) return {};
  return fail(ErrorCode::AwsSettings,
              fmt::format("the credentials ({}) belong to account {}, the target is {}",
                          identity.arn,
                          identity.account,
                          account_));
}

}  // namespace linesign::aws
