// Credentials: an AWS access key, and where one comes from.
//
// Secrets  the secret key and the session token are wiped when they go; errors and logs name the
//          source and the access key id only
// Threads  plain values; a provider is called by one thread at a time (see CredentialCache)
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_CREDENTIALS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_CREDENTIALS_H_

#include <memory>
#include <optional>
#include <string>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace linesign::aws {

struct Credentials {
  std::string access_key_id;
  SecretBytes secret_access_key;
  SecretBytes session_token;           // empty: none
  std::optional<UnixTime> expires_at;  // absent: they last
  std::string account_id;              // empty: not known
};

using CredentialsPtr = std::shared_ptr<const Credentials>;

class CredentialProvider {
 public:
  CredentialProvider() = default;
  CredentialProvider(const CredentialProvider&) = delete;
  CredentialProvider& operator=(const CredentialProvider&) = delete;
  virtual ~CredentialProvider() = default;

  // "the environment", "AssumeRole arn:…": for people.
  virtual std::string source() const = 0;

  // Fresh ones. May take as long as a call over the network.
  // Errors: AwsCredentialsMissing: nothing is set up here. AwsCredentialsFailed: what is set up
  // does not work. Errors of the call that it makes.
  virtual Result<Credentials> fetch() = 0;
};

// Takes the text over and wipes it.
SecretBytes take_secret(std::string& text);

// A copy that a request or a child process needs.
std::string reveal_text(const SecretBytes& secret);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_CREDENTIALS_H_
