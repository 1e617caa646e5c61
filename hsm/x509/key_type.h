// KeyType: the kinds of public key that linesign knows, for CAs and for devices.
#ifndef LINESIGN_HSM_X509_KEY_TYPE_H_
#define LINESIGN_HSM_X509_KEY_TYPE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace linesign {

enum class KeyType : uint8_t { EcP256, EcP384, Rsa2048, Rsa3072, Rsa4096 };

// As written in configuration and messages, in the order of the enum.
constexpr std::array<std::string_view, 5> kKeyTypeNames = {
    "P-256", "P-384", "RSA-2048", "RSA-3072", "RSA-4096"};

constexpr std::string_view to_string(KeyType type) {
  return kKeyTypeNames[static_cast<size_t>(type)];
}

constexpr bool is_rsa(KeyType type) { return type >= KeyType::Rsa2048; }

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_KEY_TYPE_H_
