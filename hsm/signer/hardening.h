// Hardening: what a process gives up before it touches a key.
//
// Errors   Internal with the call that failed; find_user: ConfigRange
// Source   capabilities(7), prctl(2), credentials(7), setpriority(2), PR_SET_PDEATHSIG(2const)
#ifndef LINESIGN_HSM_SIGNER_HARDENING_H_
#define LINESIGN_HSM_SIGNER_HARDENING_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/result.h"

namespace linesign {

struct ProcessUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};

// By name, or by number: then without an entry in the user database, and its group has the same
// number. ConfigRange for one that is not there, and for root.
Result<ProcessUser> find_user(const std::string& name);

// May this process start others under another user, and end them? CAP_SETUID, CAP_SETGID, CAP_KILL.
bool can_switch_user();

// Becomes this user with its groups, if there is one (who is it already needs no right and keeps
// its groups), and drops all capabilities and the way to get new ones. Started by root, the process
// then respects file modes like anyone: a read-only token folder is read-only, so that no login
// rewrites it and no kill can empty it. The kernel takes back what was said by PR_SET_DUMPABLE and
// PR_SET_PDEATHSIG. REQUIRES: one thread.
Result<void> drop_privileges(const std::optional<ProcessUser>& user);

// linesignd alone ends a signer, by closing its socket: Ctrl-C in a terminal reaches the whole
// process group and would take the signers away before the daemon has drained.
void ignore_terminal_signals();

// What becomes of a process whose parent ends, however it ends and whatever this process hangs in.
enum class ParentDeath : uint8_t {
  Grace,  // it may finish a login within kLoginGrace: a kill there can empty a SoftHSM token
  Kill
};
constexpr std::chrono::seconds kLoginGrace(3);

// REQUIRES: no change of credentials follows, because the kernel takes the order back then.
// ConnectionClosed: `parent` is no more the parent of this process.
Result<void> end_with_parent(int parent, ParentDeath how);

// A signer computes all the time; linesignd wakes up for moments, and every request passes through
// it several times. With a lower priority the signers do not make it wait for their time slices.
void let_others_go_first();

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_HARDENING_H_
