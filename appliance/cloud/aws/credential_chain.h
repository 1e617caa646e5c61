// The credential chain: where linesign looks for AWS credentials, and in which order.
//
//   1  keys or Roles Anywhere that the caller gives
//   2  the environment, unless the caller names a profile
//   3  the profile: role_arn with source_profile or credential_source; web identity (also from the
//      environment); keys in the credentials file; credential_process; keys in the config file
//   4  the container's endpoint, the instance metadata service
//
// The first that is set up counts; when it fails, nothing after it is asked. A role of the caller
// is assumed with what was found. A role_arn that nothing says how to assume is refused: keys that
// stand beside it may have wider rights. What needs a person (SSO, MFA) is refused.
//
// Errors   AwsSettings, AwsCredentialsFailed: what is set up cannot work. That nothing is set up
//          shows when credentials are asked for: AwsCredentialsMissing
// Source   AWS SDKs and Tools Reference Guide, "Standardized credential providers"
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_CREDENTIAL_CHAIN_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_CREDENTIAL_CHAIN_H_

#include <memory>
#include <optional>

#include "appliance/cloud/aws/roles_anywhere.h"
#include "appliance/cloud/aws/sts_client.h"

namespace linesign::aws {

// What the caller says about one target.
struct CredentialSource {
  std::optional<Credentials> keys{};
  std::optional<RolesAnywhere> roles_anywhere{};
  std::shared_ptr<X509Signer> x509_signer{};  // REQUIRES: present with roles_anywhere
  std::optional<AssumeRole> role{};           // on top
  // The number of the account that they must belong to, whenever they are replaced; empty: any.
  std::string account{};
};

// `settings` are borrowed and outlive the cache, like what `runtime` refers to.
Result<std::shared_ptr<CredentialCache>> find_credentials(const Settings& settings,
                                                          CredentialSource source,
                                                          const Runtime& runtime);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_CREDENTIAL_CHAIN_H_
