// ProcessCredentials: credentials that a program prints (credential_process of a profile).
//
// Shape    {"Version": 1, "AccessKeyId", "SecretAccessKey", "SessionToken"?, "Expiration"?,
//          "AccountId"?}
// Limits   60 s; see ChildProcess
// Errors   AwsCredentialsFailed
// Threads  see CredentialProvider
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_PROCESS_CREDENTIALS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_PROCESS_CREDENTIALS_H_

#include "appliance/cloud/aws/credentials.h"
#include "appliance/cloud/aws/environment.h"
#include "appliance/cloud/aws/json.h"

namespace linesign::aws {

class ProcessCredentials final : public CredentialProvider {
 public:
  // The environment is borrowed.
  ProcessCredentials(std::string command, const Environment& environment)
      : command_(std::move(command)), environment_(environment) {}
  std::string source() const override { return "credential_process"; }
  Result<Credentials> fetch() override;

 private:
  const std::string command_;
  const Environment& environment_;
};

// How an object names its members; they differ in the token and its end.
struct CredentialMembers {
  const char* access_key_id;
  const char* secret_access_key;
  const char* session_token;
  const char* expiration;
};
constexpr CredentialMembers kProcessMembers = {
    "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"};
constexpr CredentialMembers kMetadataMembers = {
    "AccessKeyId", "SecretAccessKey", "Token", "Expiration"};
constexpr CredentialMembers kRolesAnywhereMembers = {
    "accessKeyId", "secretAccessKey", "sessionToken", "expiration"};

// Error: AwsCredentialsFailed with the member that is missing or wrong.
Result<Credentials> read_credentials(const JsonObject& object, const CredentialMembers& members);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_PROCESS_CREDENTIALS_H_
