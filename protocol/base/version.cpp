#include "protocol/base/version.h"

namespace linesign {

const std::string_view kVersion = LINESIGN_VERSION;
const std::string_view kSoftware = "linesign/" LINESIGN_VERSION;
const UnixTime kBuiltOn{std::chrono::seconds(LINESIGN_BUILT_ON)};

}  // namespace linesign
