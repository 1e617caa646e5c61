#include "hsm/x509/digest.h"

#include <cstdlib>

namespace linesign {
namespace {

const EVP_MD* fetch(const char* name) {
  // Never freed: OpenSSL's own exit handler may run before ours.
  const EVP_MD* method = EVP_MD_fetch(nullptr, name, nullptr);
  if (method == nullptr) std::abort();
  return method;
}

}  // namespace

const EVP_MD* digest_method(DigestKind kind) {
  // In the order of the enum.
  static const std::array<const EVP_MD*, 4> kMethods = {
      fetch("SHA1"), fetch("SHA256"), fetch("SHA384"), fetch("SHA512")};
  return kMethods[static_cast<size_t>(kind)];
}

DigestValue digest(DigestKind kind, ByteView bytes) {
  thread_local const DigestContext kContext{EVP_MD_CTX_new()};
  DigestValue value;
  unsigned size = 0;
  const bool done = kContext != nullptr &&
                    EVP_DigestInit_ex2(kContext.get(), digest_method(kind), nullptr) == 1 &&
                    EVP_DigestUpdate(kContext.get(), bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(kContext.get(), value.octets.data(), &size) == 1;
  if (!done) std::abort();
  value.size_bytes = size;
  return value;
}

}  // namespace linesign
