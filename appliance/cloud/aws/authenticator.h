// Authenticator: puts onto a request what tells AWS who sends it.
//
// Threads  safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_AUTHENTICATOR_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_AUTHENTICATOR_H_

#include <string>
#include <string_view>

#include "appliance/cloud/aws/credential_cache.h"
#include "appliance/cloud/aws/sigv4.h"

namespace linesign::aws {

class Authenticator {
 public:
  Authenticator() = default;
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;
  virtual ~Authenticator() = default;

  // Gives the access key id that was used; empty for a request without one.
  virtual Result<std::string> authorize(HttpRequest& request,
                                        const SigningScope& scope,
                                        const SignedParts& parts) = 0;

  // AWS says that this key has expired. False: there is no newer one. An error: why none could be
  // fetched.
  virtual Result<bool> renew(std::string_view access_key_id) = 0;
};

// Signature Version 4 with a key from a cache.
class KeyAuthenticator final : public Authenticator {
 public:
  explicit KeyAuthenticator(std::shared_ptr<CredentialCache> cache) : cache_(std::move(cache)) {}
  Result<std::string> authorize(HttpRequest& request,
                                const SigningScope& scope,
                                const SignedParts& parts) override;
  Result<bool> renew(std::string_view access_key_id) override;

 private:
  std::shared_ptr<CredentialCache> cache_;
};

// Nothing: the request itself carries a proof.
class NoAuthenticator final : public Authenticator {
 public:
  Result<std::string> authorize(HttpRequest& /*request*/,
                                const SigningScope& /*scope*/,
                                const SignedParts& /*parts*/) override {
    return std::string();
  }
  Result<bool> renew(std::string_view /*access_key_id*/) override { return false; }
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_AUTHENTICATOR_H_
