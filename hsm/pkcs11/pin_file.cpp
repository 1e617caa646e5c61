#include "hsm/pkcs11/pin_file.h"

#include <fmt/format.h>

#include "protocol/base/file.h"
#include "protocol/base/private_file.h"

namespace linesign {
namespace {

constexpr size_t kMaxPinBytes = 255;

}  // namespace

Result<SecretBytes> read_pin_file(const std::filesystem::path& path) {
  if (const auto checked = check_private_file(path); !checked.has_value())
    return fail(ErrorCode::HsmPinFile, checked.error().detail());
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
