// Files: bounded reading and atomic writing, also on removable media (FAT, exFAT) and network
// shares, which have no hard links, no modes, or cannot sync a folder.
//
// Errors   Io with path and reason; InputInvalid when a file is larger than allowed; FileExists
// Threads  no state, safe anywhere
#ifndef LINESIGN_PROTOCOL_BASE_FILE_H_
#define LINESIGN_PROTOCOL_BASE_FILE_H_

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace linesign {

// The whole file. More than `limit_bytes` is an error, found without reading further.
Result<Bytes> read_file(const std::filesystem::path& path, size_t limit_bytes);

// The same for a secret; one trailing newline is cut off, the buffers are wiped.
Result<SecretBytes> read_secret_file(const std::filesystem::path& path, size_t limit_bytes);

enum class Overwrite : uint8_t { Refuse, Replace };
enum class Durability : uint8_t {
  Renamed,  // a reader sees all or nothing; a power cut may lose it
  Synced,   // file and folder are fsynced before this returns
};

// Writes to a hidden temporary file in the same folder and moves it into place. A mode that the
// file system refuses is not an error: there all files have the mode of the mount.
Result<void> write_file_atomic(const std::filesystem::path& path,
                               ByteView content,
                               mode_t mode,
                               Overwrite overwrite,
                               Durability durability);

// Gives a finished file its final name in the same folder. With Overwrite::Refuse an existing `to`
// is FileExists, decided atomically: by RENAME_NOREPLACE, else by a hard link, else by creating
// `to` exclusively and replacing that. After a failure `from` is still there.
Result<void> move_into_place(const std::filesystem::path& from,
                             const std::filesystem::path& to,
                             Overwrite overwrite);

// fsync of a folder, if its file system can do that.
Result<void> sync_directory(const std::filesystem::path& directory);

// Io for a file that could not be created; says when its name is what the file system refuses.
Error creation_failure(const std::filesystem::path& path, int error_number);

// Makes the folder and its parents. REQUIRES: mode applies to folders made here only.
Result<void> make_directories(const std::filesystem::path& path, mode_t mode);

// "No such file or directory" for an errno value.
std::string errno_text(int error_number);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_FILE_H_
