// PrivateFile: may a file hold a secret? Looked at without opening it.
//
// Errors   Io with path and reason: not there, a link, not a file, readable by every user, empty
// Threads  no state, safe anywhere
#ifndef LINESIGN_PROTOCOL_BASE_PRIVATE_FILE_H_
#define LINESIGN_PROTOCOL_BASE_PRIVATE_FILE_H_

#include <filesystem>

#include "protocol/base/result.h"

namespace linesign {

// A link is refused: whoever may replace it chooses the file.
Result<void> check_private_file(const std::filesystem::path& path);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_PRIVATE_FILE_H_
