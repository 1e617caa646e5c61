// Files: bounded reading and atomic writing.
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

// Writes to a hidden temporary file in the same folder and renames it into place. With
// Overwrite::Refuse an existing target is FileExists, decided atomically (link, not rename).
Result<void> write_file_atomic(const std::filesystem::path& path,
                               ByteView content,
                               mode_t mode,
                               Overwrite overwrite,
                               Durability durability);

// Makes the folder and its parents. REQUIRES: mode applies to folders made here only.
Result<void> make_directories(const std::filesystem::path& path, mode_t mode);

// "No such file or directory" for an errno value.
std::string errno_text(int error_number);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_FILE_H_
