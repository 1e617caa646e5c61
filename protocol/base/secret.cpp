#include "protocol/base/secret.h"

#include <cstring>

namespace linesign {

void wipe(std::span<uint8_t> memory) {
  if (!memory.empty()) explicit_bzero(memory.data(), memory.size());
}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    wipe(bytes_);
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

}  // namespace linesign
