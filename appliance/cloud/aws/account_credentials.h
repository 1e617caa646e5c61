// AccountCredentials: gives out credentials only after AWS has said that they belong to the account
// they are for. Keys of another account, put into a shared file or a role while the service runs,
// sign no call.
//
// Each access key is asked about once: an id belongs to one account for ever.
//
// Errors   AwsSettings: another account. Those of the base, and of Client
// Threads  see CredentialProvider
// Source   AWS Security Token Service API, GetCallerIdentity: needs no permission
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_ACCOUNT_CREDENTIALS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_ACCOUNT_CREDENTIALS_H_

#include <memory>
#include <string>

#include "appliance/cloud/aws/sts_client.h"

namespace linesign::aws {

class AccountCredentials final : public CredentialProvider {
 public:
  // `parts` without an authenticator: each key speaks for itself.
  AccountCredentials(std::unique_ptr<CredentialProvider> base,
                     std::string account,
                     ClientParts parts,
                     Endpoint endpoint)
      : base_(std::move(base)),
        account_(std::move(account)),
        parts_(std::move(parts)),
        endpoint_(std::move(endpoint)) {}
  std::string source() const override { return base_->source(); }
  Result<Credentials> fetch() override;

 private:
  Result<void> check(const Credentials& credentials) const;

  const std::unique_ptr<CredentialProvider> base_;
  const std::string account_;
  const ClientParts parts_;
  const Endpoint endpoint_;
  std::string checked_id_;  // of the access key that was found to be right last
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_ACCOUNT_CREDENTIALS_H_
