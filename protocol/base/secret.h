// SecretBytes: a PIN, a join secret or key bytes. Wiped when it goes, never copied, never printed.
//
// Threads  not safe for writers; const use is safe
#ifndef LINESIGN_PROTOCOL_BASE_SECRET_H_
#define LINESIGN_PROTOCOL_BASE_SECRET_H_

#include <cstdint>
#include <utility>

#include "protocol/base/bytes.h"

namespace linesign {

// Overwrites memory in a way that the compiler cannot leave out.
void wipe(std::span<uint8_t> memory);

class SecretBytes final {
 public:
  SecretBytes() = default;
  // Takes the bytes over; the caller must not keep another copy.
  explicit SecretBytes(Bytes bytes) : bytes_(std::move(bytes)) {}
  SecretBytes(SecretBytes&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { wipe(bytes_); }

  ByteView reveal() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size(); }

 private:
  Bytes bytes_;
};

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_SECRET_H_
