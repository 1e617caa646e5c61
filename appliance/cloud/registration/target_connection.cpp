#include "appliance/cloud/registration/target_connection.h"

namespace linesign {

Result<std::unique_ptr<TargetConnection>> TargetConnection::open(
    const aws::Environment& environment,
    aws::SessionOptions options,
    const aws::SessionTools& tools) {
  LS_TRY(const aws::Settings settings, aws::load_settings(environment, options.overrides));
  LS_TRY(std::shared_ptr<aws::CurlTransport> transport,
         aws::CurlTransport::create(settings.transport));
  LS_TRY(std::unique_ptr<aws::Session> session,
         aws::Session::open_with(environment, std::move(options), tools, transport));
  return std::unique_ptr<TargetConnection>(
      new TargetConnection(std::move(transport), std::move(session)));
}

Result<void> TargetConnection::check_credentials() const {
  LS_CHECK(session_->credentials().get());
  return {};
}

}  // namespace linesign
