// The version of linesign, as CMake's project() has it.
#ifndef LINESIGN_PROTOCOL_BASE_VERSION_H_
#define LINESIGN_PROTOCOL_BASE_VERSION_H_

#include <string_view>

#include "protocol/base/clock.h"

namespace linesign {

extern const std::string_view kVersion;   // "0.1.0"
extern const std::string_view kSoftware;  // "linesign/0.1.0"
extern const UnixTime kBuiltOn;           // the day, in UTC; SOURCE_DATE_EPOCH where that is set

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_VERSION_H_
