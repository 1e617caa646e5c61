// DescriptorLimit: how many files this process may open, and how they are divided, so that stations
// and whoever floods their port never take those of the ledger, the signers and the admin socket.
//
// Rule     the soft limit is raised to the hard one. What then is too little costs sessions, with a
//          warning; a limit that leaves none is DescriptorLimit
// Threads  no state
// Source   getrlimit(2)
#ifndef LINESIGN_APPLIANCE_DAEMON_DESCRIPTOR_LIMIT_H_
#define LINESIGN_APPLIANCE_DAEMON_DESCRIPTOR_LIMIT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "appliance/config/config.h"
#include "protocol/base/result.h"

namespace linesign {

struct DescriptorPlan {
  uint32_t max_sessions = 0;
  size_t max_pending = 0;
  size_t max_closing = 0;
  std::optional<std::string> warning;  // the configuration wants more
};

// The limit that holds afterwards.
uint64_t raise_descriptor_limit();

Result<DescriptorPlan> plan_descriptors(uint64_t limit, const Config& config);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_DESCRIPTOR_LIMIT_H_
