// TargetConnection: a session with one account and region whose calls a stop ends at once.
//
// Threads  safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TARGET_CONNECTION_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TARGET_CONNECTION_H_

#include <memory>
#include <string>

#include "appliance/cloud/aws/session.h"

namespace linesign {

class TargetConnection final {
 public:
  // What the tools refer to outlives it. Nothing is sent yet.
  static Result<std::unique_ptr<TargetConnection>> open(const aws::Environment& environment,
                                                        aws::SessionOptions options,
                                                        const aws::SessionTools& tools);

  const aws::Session& session() const { return *session_; }

  // Are there credentials, and do they belong to the account? Later ones are checked as they come.
  Result<void> check_credentials() const;

  // Every call, running and to come, ends with Interrupted.
  void cancel() const { transport_->cancel(); }

 private:
  TargetConnection(std::shared_ptr<aws::CurlTransport> transport,
                   std::unique_ptr<aws::Session> session)
      : transport_(std::move(transport)), session_(std::move(session)) {}

  const std::shared_ptr<aws::CurlTransport> transport_;
  const std::unique_ptr<aws::Session> session_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TARGET_CONNECTION_H_
