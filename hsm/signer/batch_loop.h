// Batch loop: what each thread of a signer does until linesignd closes the socket.
//
// Of a packet the checks are done first, and their results go back before the first signature.
//
// Results go back in groups of at most kMaxResultsPerPacket, and sooner when the next signature
// would keep them longer than max_result_age: so linesignd sees each signature of a slow HSM when
// it is made, and a crash loses little.
//
// Errors   SignerProtocol: a message that linesignd never sends; from SigningWorker. What was done
//          before is sent first.
// Threads  one call per thread, all on one channel
#ifndef LINESIGN_HSM_SIGNER_BATCH_LOOP_H_
#define LINESIGN_HSM_SIGNER_BATCH_LOOP_H_

#include <chrono>

#include "hsm/signer/signer_channel.h"
#include "hsm/signer/signing_worker.h"

namespace linesign {

constexpr int kMaxBatchItemsAccepted = 256;
constexpr int kMaxResultsPerPacket = 8;
constexpr std::chrono::milliseconds kMaxResultAge(20);

// Returns without an error at the end of the stream.
Result<void> run_batches(const SignerChannel& channel,
                         SigningWorker& worker,
                         std::chrono::milliseconds max_result_age = kMaxResultAge);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_BATCH_LOOP_H_
