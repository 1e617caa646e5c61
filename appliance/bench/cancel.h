// Cancel: has somebody asked to stop? A descriptor that becomes readable and stays so, such as a
// signalfd that nobody reads.
//
// Errors   Interrupted
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_BENCH_CANCEL_H_
#define LINESIGN_APPLIANCE_BENCH_CANCEL_H_

#include "protocol/base/result.h"

namespace linesign::bench {

// Does not wait. A negative descriptor is never readable.
Result<void> check_cancelled(int descriptor);

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_CANCEL_H_
