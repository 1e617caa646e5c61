// Digests: SHA-1 (for key identifiers only), SHA-256, SHA-384 and SHA-512, fetched once.
//
// A broken digest is a broken library: these functions abort instead of failing.
//
// Threads  safe anywhere; each thread keeps its own context
#ifndef LINESIGN_HSM_X509_DIGEST_H_
#define LINESIGN_HSM_X509_DIGEST_H_

#include <array>
#include <cstdint>

#include "hsm/x509/handles.h"
#include "protocol/base/bytes.h"

namespace linesign {

// SHA-1, then SHA-2 by its size.
enum class DigestKind : uint8_t { Bits160, Bits256, Bits384, Bits512 };

// Lives as long as the process.
const EVP_MD* digest_method(DigestKind kind);

struct DigestValue {
  std::array<uint8_t, EVP_MAX_MD_SIZE> octets{};
  size_t size_bytes = 0;

  ByteView view() const { return {octets.data(), size_bytes}; }
};

DigestValue digest(DigestKind kind, ByteView bytes);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_DIGEST_H_
