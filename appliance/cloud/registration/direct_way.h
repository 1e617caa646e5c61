// DirectWay: each device by calls of its own, several devices at a time.
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_DIRECT_WAY_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_DIRECT_WAY_H_

#include <string>

#include "appliance/cloud/aws/session.h"
#include "appliance/cloud/registration/outbox.h"
#include "appliance/cloud/registration/way.h"
#include "appliance/cloud/registration/work_round.h"

namespace linesign {

class DirectWay final : public Way {
 public:
  // Borrowed. `target` is the name in the ledger.
  DirectWay(Outbox& outbox, const aws::Session& session, std::string target, DirectPlan plan)
      : outbox_(outbox), session_(session), target_(std::move(target)), plan_(std::move(plan)) {}

  WayStep step() override;

 private:
  using Worker = std::function<DirectOutcome(const CloudItem&)>;
  Result<Worker> make_worker() const;

  Outbox& outbox_;
  const aws::Session& session_;
  const std::string target_;
  const DirectPlan plan_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_DIRECT_WAY_H_
