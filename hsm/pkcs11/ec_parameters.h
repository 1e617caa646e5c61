// The CKA_EC_PARAMS of the curves that a CA key may have.
//
// Source   PKCS #11 v2.40 section 2.3.3: DER of an OBJECT IDENTIFIER; the OIDs of RFC 5480
//          section 2.1.1.1
#ifndef LINESIGN_HSM_PKCS11_EC_PARAMETERS_H_
#define LINESIGN_HSM_PKCS11_EC_PARAMETERS_H_

#include <array>
#include <cstdint>

namespace linesign {

inline constexpr std::array<uint8_t, 10> kP256Parameters = {
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
inline constexpr std::array<uint8_t, 7> kP384Parameters = {
    0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_EC_PARAMETERS_H_
