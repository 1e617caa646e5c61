// Parallel: the same step for many numbers, on several threads.
//
// Errors   the first one; then no further step is begun
// Threads  the steps run on `threads` threads, the calling one among them; all have ended when this
//          returns
#ifndef LINESIGN_APPLIANCE_BENCH_PARALLEL_H_
#define LINESIGN_APPLIANCE_BENCH_PARALLEL_H_

#include <cstddef>
#include <functional>

#include "protocol/base/result.h"

namespace linesign::bench {

using Step = std::function<Result<void>(size_t number)>;

// `on_progress` (may be empty) is called on the calling thread with the number of steps done.
Result<void> for_each_in_parallel(size_t count,
                                  unsigned threads,
                                  const Step& step,
                                  const std::function<void(size_t done)>& on_progress = {});

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_PARALLEL_H_
