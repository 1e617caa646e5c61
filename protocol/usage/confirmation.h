// Confirmation: asks the person at the terminal before something is done that is not undone easily.
//
// Errors   Usage: not confirmed, or nobody is there to ask
// Threads  one
#ifndef LINESIGN_PROTOCOL_USAGE_CONFIRMATION_H_
#define LINESIGN_PROTOCOL_USAGE_CONFIRMATION_H_

#include <string>

#include "protocol/base/result.h"

namespace linesign {

// `is_sure`: the command line said it already (--yes).
Result<void> confirm(bool is_sure, const std::string& what);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_USAGE_CONFIRMATION_H_
