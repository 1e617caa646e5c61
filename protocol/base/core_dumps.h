// Whoever holds a secret leaves no memory behind, on a disk or to a debugger.
//
// Errors   Internal
// Threads  of the whole process: first thing in main()
// Source   prctl(2), PR_SET_DUMPABLE; getrlimit(2), RLIMIT_CORE
#ifndef LINESIGN_PROTOCOL_BASE_CORE_DUMPS_H_
#define LINESIGN_PROTOCOL_BASE_CORE_DUMPS_H_

#include "protocol/base/result.h"

namespace linesign {

// No core file, and no other process of the same user may look into this one. An exec() ends the
// second.
Result<void> forbid_core_dumps();

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_CORE_DUMPS_H_
