// AlgorithmIdentifiers of signatures, whole, in the one form that their standards allow.
//
// Source   RFC 5758 section 3.2 (ECDSA: no parameters), RFC 4055 section 5 (RSA: NULL)
#ifndef LINESIGN_HSM_X509_ALGORITHM_IDS_H_
#define LINESIGN_HSM_X509_ALGORITHM_IDS_H_

#include <array>
#include <cstdint>

namespace linesign::algorithm_id {

constexpr std::array<uint8_t, 12> ecdsa(uint8_t last) {
  return {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, last};
}
constexpr std::array<uint8_t, 15> rsa(uint8_t last) {
  return {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last, 0x05, 0x00};
}

inline constexpr auto kEcdsaSha256 = ecdsa(2);
inline constexpr auto kEcdsaSha384 = ecdsa(3);
inline constexpr auto kEcdsaSha512 = ecdsa(4);
inline constexpr auto kRsaSha256 = rsa(11);
inline constexpr auto kRsaSha384 = rsa(12);
inline constexpr auto kRsaSha512 = rsa(13);

}  // namespace linesign::algorithm_id

#endif  // LINESIGN_HSM_X509_ALGORITHM_IDS_H_
