// ErrorCodes: what the codes of AWS mean to us: which error of ours, and what to do about it.
//
// Threads  no state, safe anywhere
// Source   AWS SDKs' standard retry mode; AWS IoT service model
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_ERROR_CODES_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_ERROR_CODES_H_

#include <cstdint>
#include <string_view>

#include "protocol/base/error.h"

namespace linesign::aws {

enum class Remedy : uint8_t {
  None,             // the same call will fail again
  SlowDown,         // wait, and lower the rate
  TryAgain,         // wait
  SetClock,         // compare the clocks, sign again
  PerhapsSetClock,  // the same, but a wrong key looks alike
  RenewCredentials,
};

struct CodeMeaning {
  ErrorCode error;
  Remedy remedy;
};

// The status decides only where the code says nothing.
CodeMeaning meaning_of(std::string_view code, int status);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_ERROR_CODES_H_
