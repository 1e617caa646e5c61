#include "appliance/cloud/aws/authenticator.h"

namespace linesign::aws {

Result<std::string> KeyAuthenticator::authorize(HttpRequest& request,
                                                const SigningScope& scope,
                                                const SignedParts& parts) {
  LS_TRY(const CredentialsPtr credentials, cache_->get());
  sign_headers(request, *credentials, scope, parts);
  return credentials->access_key_id;
}

Result<bool> KeyAuthenticator::renew(std::string_view access_key_id) {
  return cache_->renew(access_key_id);
}

}  // namespace linesign::aws
