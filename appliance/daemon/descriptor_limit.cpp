#include "appliance/daemon/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "appliance/admin/server/admin_server.h"

namespace linesign {
namespace {

// The ledger's files, the event loop, the log, the listening sockets, a spawned process, and spare.
constexpr uint64_t kOwnDescriptors = 64;
constexpr uint64_t kPerSigner = 4;  // two of a socket pair, a pidfd, and one that is being replaced
constexpr uint64_t kFewest = 32;    // for stations: below this there is no use in starting

uint64_t reserved_descriptors(const Config& config) {
  const int signers = config.signer.signers > 0
                          ? config.signer.signers
                          : static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
  const AdminServerSettings admin;
  return kOwnDescriptors + admin.max_connections + admin.max_turned_away +
         kPerSigner * static_cast<uint64_t>(signers);
}

}  // namespace

uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

Result<DescriptorPlan> plan_descriptors(uint64_t limit, const Config& config) {
  const ListenerSettings& wanted = config.stations.listener;
  const uint64_t reserved = reserved_descriptors(config);
  const uint64_t needed = reserved + wanted.max_pending + wanted.max_closing + wanted.max_sessions;
  if (limit < reserved + kFewest)
    return fail(
        ErrorCode::DescriptorLimit,
        fmt::format("it is {}, and at least {} are needed; raise LimitNOFILE of the service, "
                    "or the hard limit of this user (`ulimit -Hn`)",
                    limit,
                    reserved + kFewest));
  const uint64_t left = limit - reserved;
  DescriptorPlan plan;
  plan.max_pending = std::min<uint64_t>(wanted.max_pending, left / 4);
  plan.max_closing = std::min<uint64_t>(wanted.max_closing, left / 8);
  plan.max_sessions = static_cast<uint32_t>(
      std::min<uint64_t>(wanted.max_sessions, left - plan.max_pending - plan.max_closing));
  if (plan.max_sessions < wanted.max_sessions)
    plan.warning = Error(ErrorCode::DescriptorLimit,
                         fmt::format("it is {}, and max_sessions = {} in [stations] needs {}: {} "
                                     "sessions are accepted; raise LimitNOFILE of the service, or "
                                     "the hard limit of this user (`ulimit -Hn`)",
                                     limit,
                                     wanted.max_sessions,
                                     needed,
                                     plan.max_sessions))
                       .to_string();
  return plan;
}

}  // namespace linesign
