#include "hsm/pkcs11/pin_file.h"

#include <sys/stat.h>

#include <cerrno>

#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr size_t kMaxPinBytes = 255;

}  // namespace

Result<SecretBytes> read_pin_file(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    return fail(ErrorCode::HsmPinFile, fmt::format("{}: {}", path.string(), errno_text(errno)));
  if (!S_ISREG(status.st_mode))
    return fail(ErrorCode::HsmPinFile, fmt::format("{}: not a file", path.string()));
  if ((status.st_mode & S_IROTH) != 0)
    return fail(ErrorCode::HsmPinFile,
                fmt::format("{}: every user of this machine may read it; chmod 600 and change the "
                            "PIN",
                            path.string()));
  auto pin = read_secret_file(path, kMaxPinBytes + 1);
  if (!pin) return fail(ErrorCode::HsmPinFile, pin.error().detail());
  if (pin->empty() || pin->size() > kMaxPinBytes)
    return fail(
        ErrorCode::HsmPinFile,
        fmt::format(
            "{}: a PIN has 1 to {} bytes, without line breaks", path.string(), kMaxPinBytes));
  return pin;
}

}  // namespace linesign
