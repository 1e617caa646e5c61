// DirectWay: each device by calls of its own, several devices at a time.
//
// Threads  step() on one thread; a step starts threads of its own and waits for their end
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
  // Borrowed: outbox, session, clock. `target` is the name in the ledger.
  DirectWay(Outbox& outbox,
            const aws::Session& session,
            const Clock& clock,
            std::string target,
            DirectPlan plan)
      : outbox_(outbox),
        session_(session),
        target_(std::move(target)),
        plan_(std::move(plan)),
        setbacks_(clock) {}

  WayStep step() override;

 private:
  using Worker = std::function<DeviceOutcome(const CloudItem&)>;
  Result<Worker> make_worker() const;
  Result<std::vector<CloudItem>> claim();

  Outbox& outbox_;
  const aws::Session& session_;
  const std::string target_;
  const DirectPlan plan_;
  Setbacks setbacks_;
  // Behind those that failed one after the other, so that they do not keep the others waiting.
  uint64_t after_ = 0;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_DIRECT_WAY_H_
