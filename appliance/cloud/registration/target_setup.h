// TargetSetup: everything that is known of one target before anything is called.
//
// Threads  plain values
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TARGET_SETUP_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TARGET_SETUP_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/cloud/aws/operation_limits.h"
#include "appliance/cloud/registration/bulk_way.h"
#include "appliance/cloud/registration/ca_registrar.h"
#include "appliance/cloud/registration/direct_registrar.h"
#include "appliance/cloud/registration/handover.h"
#include "appliance/cloud/registration/target_connection.h"
#include "hsm/x509/profile.h"

namespace linesign {

enum class WayKind : uint8_t { Direct, Bulk, Jit, File };

// A CA that was changed for the present one.
struct FormerCa {
  CaWish wish;
  uint64_t devices = 0;  // still to come here
};

struct TargetSetup {
  std::string name;
  std::string account;
  std::string region;
  WayKind way = WayKind::Direct;
  std::vector<std::string> orders;
  CaWish ca;
  std::vector<FormerCa> former_cas;  // for a preflight: those of devices still to come
  // How things are called; absent: the target does not say (thing_name_of()).
  std::optional<std::string> thing_name;
  DirectPlan direct;
  BulkPlan bulk;
  FilePlan file;
  // What devices' certificates look like; absent: not known, and then not checked.
  std::optional<Profile> profile;
  aws::Quotas quotas;  // as in the session's options
  double share_of_quotas = aws::kShareOfQuota;
  // Before the first call, and again after it failed: what the target has in files of its own, so
  // that one that cannot be read holds up this target and no other.
  std::function<Result<void>(TargetSetup&)> read_files = [](TargetSetup&) {
    return Result<void>();
  };
  // Anew for each session: credentials are not copied.
  std::function<Result<aws::SessionOptions>()> session_options;
};

// Does the ledger mean the same by this name? CloudTargetUnknown: linesignd was started before the
// configuration had it; CloudTargetMoved: it was another
// account or region before, and what is registered there would count as registered here.
Result<void> check_target(Outbox& outbox, const TargetSetup& setup);

// Borrows all but the setup. `connection` is not used, and may be null, for WayKind::File.
std::unique_ptr<Way> make_way(const TargetSetup& setup,
                              Outbox& outbox,
                              const TargetConnection* connection,
                              const Clock& clock);

// JIT: the CA is there, ACTIVE, with auto-registration, and as it is wanted.
Result<void> check_jit_ca(const aws::Session& session, const CaWish& wish);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TARGET_SETUP_H_
