#include "appliance/cloud/aws/digests.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "hsm/x509/digest.h"
#include "hsm/x509/handles.h"
#include "hsm/x509/openssl_error.h"
#include "protocol/base/file.h"

namespace linesign::aws {

Sha256 sha256(ByteView bytes) {
  const DigestValue value = digest(DigestKind::Bits256, bytes);
  Sha256 hash{};
  std::copy_n(value.octets.begin(), hash.size(), hash.begin());
  return hash;
}

Result<Sha256> sha256_of_file(int fd, uint64_t size_bytes) {
  const DigestContext context(EVP_MD_CTX_new());
  if (!context ||
      EVP_DigestInit_ex(context.get(), digest_method(DigestKind::Bits256), nullptr) != 1)
    return fail(openssl_error("SHA-256"));
  std::array<uint8_t, 64 * 1024> piece{};
  uint64_t done = 0;
  while (done < size_bytes) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(piece.size(), size_bytes - done));
    const ssize_t got = ::pread(fd, piece.data(), wanted, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::Io, errno_text(errno));
    if (got == 0) return fail(ErrorCode::Io, fmt::format("it ends after {} bytes", done));
    if (EVP_DigestUpdate(context.get(), piece.data(), static_cast<size_t>(got)) != 1)
      return fail(openssl_error("SHA-256"));
    done += static_cast<uint64_t>(got);
  }
  Sha256 hash{};
  if (EVP_DigestFinal_ex(context.get(), hash.data(), nullptr) != 1)
    return fail(openssl_error("SHA-256"));
  return hash;
}

Sha256 hmac_sha256(ByteView key, std::string_view text) {
  Sha256 mac{};
  const ByteView bytes = as_bytes(text);
  // As with digest(): it fails only where nothing of OpenSSL works.
  if (HMAC(digest_method(DigestKind::Bits256),
           key.data(),
           static_cast<int>(key.size()),
           bytes.data(),
           bytes.size(),
           mac.data(),
           nullptr) == nullptr) {
    std::abort();
  }
  return mac;
}

std::string to_base64(ByteView bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL adds a zero
  const int size = EVP_EncodeBlock(
      reinterpret_cast<uint8_t*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

}  // namespace linesign::aws
