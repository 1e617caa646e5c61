// PIN file: where the PIN of the token comes from, always.
//
// Limits   1 to 255 bytes; one newline at the end is cut off
// Errors   HsmPinFile: cannot be read, a link, empty, too long, or readable by everyone
#ifndef LINESIGN_HSM_PKCS11_PIN_FILE_H_
#define LINESIGN_HSM_PKCS11_PIN_FILE_H_

#include <filesystem>

#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace linesign {

Result<SecretBytes> read_pin_file(const std::filesystem::path& path);

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_PIN_FILE_H_
