#include "hsm/ceremony/ca_chain.h"

#include <fmt/format.h>
#include <openssl/pem.h>

#include "hsm/x509/openssl_error.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr size_t kMaxPemBytes = 1024UL * 1024;

// Owns the certificates that are in it.
struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};
using CertificateStack = std::unique_ptr<STACK_OF(X509), FreeStack>;

Result<X509Certificate> decode(ByteView der) {
  const unsigned char* cursor = der.data();
  X509Certificate certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  if (!certificate) return fail(openssl_error("certificate"));
  return certificate;
}

Result<X509Certificate> load_root(const std::filesystem::path& file) {
  LS_TRY(const Bytes pem, read_file(file, kMaxPemBytes));
  const Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  X509Certificate root(memory ? PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr)
                              : nullptr);
  clear_openssl_errors();
  if (!root)
    return fail(ErrorCode::CaChainInvalid,
                fmt::format("{}: no certificate in PEM form", file.string()));
  return root;
}

Result<CertificateStack> decode_intermediates(const CaCertificate& certificate) {
  CertificateStack stack(sk_X509_new_null());
  for (const Bytes& der : certificate.chain_der()) {
    LS_TRY(X509Certificate each, decode(der));
    if (!stack || sk_X509_push(stack.get(), each.get()) <= 0)
      return fail(openssl_error("sk_X509_push"));
    static_cast<void>(each.release());  // the stack owns it
  }
  return stack;
}

Result<std::vector<Bytes>> encode_chain(const STACK_OF(X509) * chain) {
  std::vector<Bytes> encoded;
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    unsigned char* raw = nullptr;
    const int size = i2d_X509(sk_X509_value(chain, i), &raw);
    if (size <= 0) return fail(openssl_error("i2d_X509"));
    encoded.emplace_back(raw, raw + size);
    OPENSSL_free(raw);
  }
  return encoded;
}

}  // namespace

Result<void> check_certificate_key(const CaCertificate& certificate, ByteView spki) {
  if (!equal(certificate.spki(), spki))
    return fail(ErrorCode::CaCertificateMismatch,
                fmt::format("'{}' carries another public key", certificate.subject_text()));
  return {};
}

Result<std::vector<Bytes>> build_chain(const CaCertificate& certificate,
                                       const std::filesystem::path& root_file,
                                       UnixTime now) {
  LS_TRY(const X509Certificate root, load_root(root_file));
  LS_TRY(const X509Certificate leaf, decode(certificate.der()));
  LS_TRY(const CertificateStack intermediates, decode_intermediates(certificate));
  const X509TrustStore store(X509_STORE_new());
  const X509StoreContext context(X509_STORE_CTX_new());
  if (!store || !context || X509_STORE_add_cert(store.get(), root.get()) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), intermediates.get()) != 1)
    return fail(openssl_error("X509_STORE_CTX_init"));
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(parameters, now.time_since_epoch().count());
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_CHECK_SS_SIGNATURE);
  const int verified = X509_verify_cert(context.get());
  clear_openssl_errors();
  if (verified != 1)
    return fail(ErrorCode::CaChainInvalid,
                fmt::format("{} (certificate {} of the chain)",
                            X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())),
                            X509_STORE_CTX_get_error_depth(context.get()) + 1));
  return encode_chain(X509_STORE_CTX_get0_chain(context.get()));
}

}  // namespace linesign
