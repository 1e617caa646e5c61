// StandardOutput: the end of a program that has printed.
//
// Errors   Io: something was printed and is lost, on a full disk for example. Not where whoever
// read
//          it went away, as in `| head`: they have what they wanted
// Threads  one
#ifndef LINESIGN_PROTOCOL_USAGE_STANDARD_OUTPUT_H_
#define LINESIGN_PROTOCOL_USAGE_STANDARD_OUTPUT_H_

#include "protocol/base/result.h"

namespace linesign {

// REQUIRES: SIGPIPE is ignored.
Result<void> finish_standard_output();

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_USAGE_STANDARD_OUTPUT_H_
