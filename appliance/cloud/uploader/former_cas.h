// FormerCas: CAs that signed before the present one, and what still hangs on them.
//
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_FORMER_CAS_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_FORMER_CAS_H_

#include <string>
#include <vector>

#include "appliance/cloud/registration/target_setup.h"
#include "appliance/cloud/targets/target_config.h"

namespace linesign {

// Names another CA in the wish: `ca` is its PEM file or its certificate id. The certificate behind
// an id, which the ledger knows, is looked for where it is needed. Usage, InputInvalid, of Outbox.
Result<void> choose_ca(Outbox& outbox, const std::string& ca, bool needs_certificate, CaWish& wish);

// No device still to come at any target of this account and region was signed by the setup's CA,
// which is one for all of them. AwsConflict with their number.
Result<void> check_not_needed(Outbox& outbox, const AwsConfig& aws, const TargetSetup& setup);

// Those of devices still to come at this target, among the first 10,000 that wait. Without
// linesignd: none.
Result<std::vector<FormerCa>> find_former_cas(Outbox& outbox, const TargetSetup& setup);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_FORMER_CAS_H_
