// What a command of root's makes among the files of a service belongs to the service.
//
// Errors   none: root without CAP_CHOWN leaves them as they are
// Threads  no state, safe anywhere
#ifndef LINESIGN_PROTOCOL_BASE_FILE_OWNER_H_
#define LINESIGN_PROTOCOL_BASE_FILE_OWNER_H_

#include <filesystem>

#include "protocol/base/unique_fd.h"

namespace linesign {

// The folder that `path` lies in, for openat and mkdirat: whoever owns what is above can put
// another folder, or a link, under its name at any time. Invalid, with errno: it cannot be opened.
UniqueFd open_folder_of(const std::filesystem::path& path);

// Run by root: a file or folder of root's, opened from `folder`, becomes his whose the folder is. A
// file with a second name stays as it is.
void leave_to_owner_of(const UniqueFd& folder, const UniqueFd& file);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_FILE_OWNER_H_
