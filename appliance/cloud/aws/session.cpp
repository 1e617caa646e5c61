#include "appliance/cloud/aws/session.h"

namespace linesign::aws {

Result<std::unique_ptr<Session>> Session::open(Environment environment,
                                               SessionOptions options,
                                               const SessionTools& tools) {
  LS_TRY(Settings settings, load_settings(std::move(environment), options.overrides));
  LS_TRY(std::shared_ptr<HttpTransport> transport, CurlTransport::create(settings.transport));
  return assemble(std::move(settings), std::move(options), tools, std::move(transport));
}

Result<std::unique_ptr<Session>> Session::open_with(Environment environment,
                                                    SessionOptions options,
                                                    const SessionTools& tools,
                                                    std::shared_ptr<HttpTransport> transport) {
  LS_TRY(Settings settings, load_settings(std::move(environment), options.overrides));
  return assemble(std::move(settings), std::move(options), tools, std::move(transport));
}

Result<std::unique_ptr<Session>> Session::assemble(Settings settings,
                                                   SessionOptions options,
                                                   const SessionTools& tools,
                                                   std::shared_ptr<HttpTransport> transport) {
  if (settings.region.empty()) return fail(ErrorCode::AwsSettings, "no region is set");
  auto kept = std::make_unique<const Settings>(std::move(settings));
  auto skew = std::make_unique<ClockSkew>();
  const Runtime runtime{*transport, tools.limiter, *skew, tools.clock, tools.pause};
  LS_TRY(std::shared_ptr<CredentialCache> credentials,
         find_credentials(*kept, std::move(options.credentials), runtime));
  ClientParts parts{runtime,
                    std::make_shared<KeyAuthenticator>(credentials),
                    std::make_shared<RetryQuota>(),
                    {options.account, kept->region},
                    kept->max_attempts};
  tools.limiter.set_quotas(parts.where, std::move(options.quotas), options.share_of_quotas);
  return std::unique_ptr<Session>(new Session(std::move(kept),
                                              std::move(transport),
                                              std::move(skew),
                                              std::move(credentials),
                                              std::move(parts)));
}

Session::Session(std::unique_ptr<const Settings> settings,
                 std::shared_ptr<HttpTransport> transport,
                 std::unique_ptr<ClockSkew> skew,
                 std::shared_ptr<CredentialCache> credentials,
                 ClientParts parts)
    : settings_(std::move(settings)),
      transport_(std::move(transport)),
      skew_(std::move(skew)),
      credentials_(std::move(credentials)),
      parts_(std::move(parts)) {}

Result<IotClient> Session::iot() const {
  LS_TRY(Endpoint endpoint, find_endpoint(Service::Iot, settings_->region, *settings_));
  return IotClient(parts_, std::move(endpoint));
}

Result<StsClient> Session::sts() const {
  LS_TRY(Endpoint endpoint, find_endpoint(Service::Sts, settings_->region, *settings_));
  return StsClient(parts_, std::move(endpoint));
}

S3Client Session::s3() const { return S3Client(parts_, *settings_, settings_->region); }

}  // namespace linesign::aws
