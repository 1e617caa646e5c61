#include "hsm/ceremony/ca_chain.h"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/x509v3.h>

#include "hsm/ceremony/certificate_input.h"
#include "hsm/x509/name_text.h"
#include "hsm/x509/openssl_error.h"

namespace linesign {
namespace {

struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using BorrowedStack = std::unique_ptr<STACK_OF(X509), FreeStack>;

Result<X509Certificate> decode(ByteView der) {
  const unsigned char* cursor = der.data();
  X509Certificate certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  if (!certificate) return fail(openssl_error("certificate"));
  return certificate;
}

bool is_self_signed(const X509Certificate& certificate) {
  return (X509_get_extension_flags(certificate.get()) & EXFLAG_SS) != 0;
}

Result<X509Certificate> load_root(const std::filesystem::path& file) {
  LS_TRY(std::vector<X509Certificate> given, read_certificate_input(file));
  const auto root = std::find_if(given.begin(), given.end(), is_self_signed);
  return std::move(root == given.end() ? given.front() : *root);
}

// Borrows its elements.
Result<BorrowedStack> borrow(const std::vector<X509Certificate>& certificates) {
  BorrowedStack stack(sk_X509_new_null());
  for (const X509Certificate& each : certificates) {
    if (!stack || sk_X509_push(stack.get(), each.get()) <= 0)
      return fail(openssl_error("sk_X509_push"));
  }
  return stack;
}

Result<std::vector<Bytes>> encode_chain(const STACK_OF(X509) * chain) {
  std::vector<Bytes> encoded;
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    LS_TRY(Bytes der, encode_certificate(sk_X509_value(chain, i)));
    encoded.push_back(std::move(der));
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

Result<CaCertificate> choose_certificate(const std::vector<X509Certificate>& certificates,
                                         ByteView spki) {
  std::string subjects;
  for (const X509Certificate& each : certificates) {
    unsigned char* raw = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(each.get()), &raw);
    if (size <= 0) return fail(openssl_error("i2d_X509_PUBKEY"));
    const bool is_wanted = equal({raw, static_cast<size_t>(size)}, spki);
    OPENSSL_free(raw);
    if (!is_wanted) {
      subjects += fmt::format(
          "{}'{}'", subjects.empty() ? "" : ", ", name_text(X509_get_subject_name(each.get())));
      continue;
    }
    LS_TRY(const Bytes der, encode_certificate(each.get()));
    return CaCertificate::from_der(der);
  }
  return fail(ErrorCode::CaCertificateMismatch,
              fmt::format("the file has no certificate of this key, but of: {}", subjects));
}

Result<std::vector<Bytes>> build_chain(const CaCertificate& certificate,
                                       const std::vector<X509Certificate>& others,
                                       const std::filesystem::path& root_file,
                                       UnixTime now) {
  LS_TRY(const X509Certificate root, load_root(root_file));
  LS_TRY(const X509Certificate leaf, decode(certificate.der()));
  LS_TRY(const BorrowedStack intermediates, borrow(others));
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
