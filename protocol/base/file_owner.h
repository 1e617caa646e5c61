// What a command of root's makes among the files of a service belongs to the service.
//
// Errors   none: root without CAP_CHOWN leaves them as they are
// Threads  no state, safe anywhere
#ifndef LINESIGN_PROTOCOL_BASE_FILE_OWNER_H_
#define LINESIGN_PROTOCOL_BASE_FILE_OWNER_H_

#include <filesystem>

#include "protocol/base/unique_fd.h"

namespace linesign {

// Run by root: a file or folder of root's in a folder of somebody else becomes his. By descriptor,
// because he can replace what has the name. A file with a second name stays as it is.
void leave_to_owner_above(const UniqueFd& file, const std::filesystem::path& path);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_FILE_OWNER_H_
