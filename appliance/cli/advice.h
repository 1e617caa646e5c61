// Advice: what a person at the plant does about each reason for not producing.
//
// Threads  no state, safe anywhere
// Source   docs/operations.md is held to this table by a test
#ifndef LINESIGN_APPLIANCE_CLI_ADVICE_H_
#define LINESIGN_APPLIANCE_CLI_ADVICE_H_

#include <span>
#include <string_view>

#include "protocol/base/error.h"

namespace linesign {

struct Advice {
  ErrorCode code;
  std::string_view text;  // one or two sentences
};

std::span<const Advice> advice_list();

// Never empty: a code without a row of its own gets what its kind asks for.
std::string_view advice_for(ErrorCode code);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLI_ADVICE_H_
