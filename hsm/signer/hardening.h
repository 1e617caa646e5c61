// Hardening: what a process gives up before it touches a key.
//
// Errors   Internal with the call that failed
// Source   capabilities(7), prctl(2), core(5), setpriority(2), PR_SET_PDEATHSIG(2const)
#ifndef LINESIGN_HSM_SIGNER_HARDENING_H_
#define LINESIGN_HSM_SIGNER_HARDENING_H_

#include <chrono>
#include <cstdint>

#include "protocol/base/result.h"

namespace linesign {

// Drops all capabilities and the way to get new ones. Started by root, the process then respects
// file modes like anyone: a read-only token folder is read-only, so that no login rewrites it and
// no kill can empty it.
Result<void> drop_capabilities();

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
