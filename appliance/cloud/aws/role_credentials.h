// Credentials of a role: taken on with other credentials, or with a token of an identity provider.
//
// Errors   of StsClient; AwsCredentialsFailed: the token file
// Threads  see CredentialProvider
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_ROLE_CREDENTIALS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_ROLE_CREDENTIALS_H_

#include <filesystem>

#include "appliance/cloud/aws/sts_client.h"

namespace linesign::aws {

class AssumeRoleCredentials final : public CredentialProvider {
 public:
  // `parts` sign with the credentials that may take on the role.
  AssumeRoleCredentials(AssumeRole role, ClientParts parts, Endpoint endpoint)
      : role_(std::move(role)), sts_(std::move(parts), std::move(endpoint)) {}
  std::string source() const override { return "AssumeRole " + role_.role_arn; }
  Result<Credentials> fetch() override { return sts_.assume_role(role_); }

 private:
  const AssumeRole role_;
  StsClient sts_;
};

class WebIdentityCredentials final : public CredentialProvider {
 public:
  // `parts` do not sign.
  WebIdentityCredentials(AssumeRole role,
                         std::filesystem::path token_file,
                         ClientParts parts,
                         Endpoint endpoint)
      : role_(std::move(role)),
        token_file_(std::move(token_file)),
        sts_(std::move(parts), std::move(endpoint)) {}
  std::string source() const override { return "web identity for " + role_.role_arn; }
  Result<Credentials> fetch() override;

 private:
  const AssumeRole role_;
  const std::filesystem::path token_file_;
  StsClient sts_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_ROLE_CREDENTIALS_H_
