// StsClient: temporary credentials, and who we are.
//
// Errors   of Client; AwsAnswerUnreadable
// Threads  one thread at a time
// Source   AWS Security Token Service API, version 2011-06-15
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_STS_CLIENT_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_STS_CLIENT_H_

#include <chrono>
#include <string>
#include <vector>

#include "appliance/cloud/aws/client.h"
#include "appliance/cloud/aws/credentials.h"

namespace linesign::aws {

struct AssumeRole {
  std::string role_arn{};
  std::string session_name = "linesign";  // 2 to 64 of letters, digits and =,.@_-
  std::string external_id{};              // empty: none
  std::chrono::seconds duration{3600};    // 900 to 43200; 0: what the role allows by default
};

struct CallerIdentity {
  std::string account;  // 12 digits
  std::string arn;
  std::string user_id;
};

class StsClient final {
 public:
  StsClient(ClientParts parts, Endpoint endpoint)
      : client_(std::move(parts)), endpoint_(std::move(endpoint)) {}

  Result<Credentials> assume_role(const AssumeRole& role);
  // REQUIRES: a NoAuthenticator.
  Result<Credentials> assume_role_with_web_identity(const AssumeRole& role,
                                                    const SecretBytes& token);
  Result<CallerIdentity> caller_identity();

 private:
  Result<std::string> call(const std::string& action, std::vector<QueryParameter> form);
  Client client_;
  Endpoint endpoint_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_STS_CLIENT_H_
