#include "protocol/base/version.h"

namespace linesign {

const std::string_view kVersion = LINESIGN_VERSION;
const std::string_view kSoftware = "linesign/" LINESIGN_VERSION;

}  // namespace linesign
