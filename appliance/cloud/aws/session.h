// Session: everything that is needed to talk to one account in one region, put together.
//
// Threads  safe anywhere; each client that it makes belongs to one thread. The session outlives its
//          clients, and what SessionTools refer to outlives the session
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_SESSION_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_SESSION_H_

#include <memory>
#include <string>

#include "appliance/cloud/aws/credential_chain.h"
#include "appliance/cloud/aws/iot_client.h"
#include "appliance/cloud/aws/operation_limits.h"
#include "appliance/cloud/aws/s3_client.h"

namespace linesign::aws {

struct SessionOptions {
  SettingsOverrides overrides{};
  CredentialSource credentials{};
  // Number of the account where it is known, else a name of the target: what shares a rate limit.
  std::string account{};
  Quotas quotas{};  // where the account has others than AWS's default
  double share_of_quotas = kShareOfQuota;
};

// Shared by all sessions of a process.
struct SessionTools {
  RateLimiter& limiter;
  const Clock& clock;
  Pause& pause;
};

class Session final {
 public:
  // Errors: AwsSettings (also: no region), AwsCredentialsFailed. Nothing is sent yet.
  static Result<std::unique_ptr<Session>> open(Environment environment,
                                               SessionOptions options,
                                               const SessionTools& tools);
  // With another transport than libcurl.
  static Result<std::unique_ptr<Session>> open_with(Environment environment,
                                                    SessionOptions options,
                                                    const SessionTools& tools,
                                                    std::shared_ptr<HttpTransport> transport);

  Result<IotClient> iot() const;
  Result<StsClient> sts() const;
  S3Client s3() const;

  const std::string& region() const { return settings_->region; }
  const AccountRegion& where() const { return parts_.where; }
  const Settings& settings() const { return *settings_; }
  CredentialCache& credentials() const { return *credentials_; }

 private:
  Session(std::unique_ptr<const Settings> settings,
          std::shared_ptr<HttpTransport> transport,
          std::unique_ptr<ClockSkew> skew,
          std::shared_ptr<CredentialCache> credentials,
          ClientParts parts);
  static Result<std::unique_ptr<Session>> assemble(Settings settings,
                                                   SessionOptions options,
                                                   const SessionTools& tools,
                                                   std::shared_ptr<HttpTransport> transport);

  const std::unique_ptr<const Settings> settings_;
  const std::shared_ptr<HttpTransport> transport_;
  const std::unique_ptr<ClockSkew> skew_;
  const std::shared_ptr<CredentialCache> credentials_;
  const ClientParts parts_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_SESSION_H_
