#include "hsm/ceremony/certificate_input.h"

#include <string>

#include <fmt/format.h>
#include <openssl/cms.h>
#include <openssl/pem.h>

#include "hsm/x509/openssl_error.h"
#include "protocol/base/file.h"
#include "protocol/base/plain_text.h"

namespace linesign {
namespace {

constexpr size_t kMaxFileBytes = 1024UL * 1024;
constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kBlank = " \t\r";

using Certificates = std::vector<X509Certificate>;
using Cms = std::unique_ptr<CMS_ContentInfo, FreeWith<CMS_ContentInfo_free>>;

// One block of a PEM file.
struct Block {
  std::string label;
  Bytes der;
};

tl::unexpected<Error> invalid(std::string what) {
  clear_openssl_errors();
  return fail(ErrorCode::CaCertificateInvalid, std::move(what));
}

// Behind DER there may be what an editor or a transfer left.
bool is_padding(ByteView rest) {
  constexpr std::string_view kPadding("\r\n\0 \t\x1a", 6);
  return as_text(rest).find_first_not_of(kPadding) == std::string_view::npos;
}

Result<void> add(Certificates& certificates, X509Certificate certificate) {
  if (certificates.size() >= kMaxInputCertificates)
    return invalid(fmt::format("more than {} certificates", kMaxInputCertificates));
  certificates.push_back(std::move(certificate));
  return {};
}

// False: it is none.
Result<bool> add_certificate(Certificates& certificates, ByteView der) {
  const unsigned char* cursor = der.data();
  X509Certificate certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  clear_openssl_errors();
  if (!certificate) return false;
  if (!is_padding(der.subspan(static_cast<size_t>(cursor - der.data()))))
    return invalid("there are bytes after the end of the certificate");
  LS_CHECK(add(certificates, std::move(certificate)));
  return true;
}

// OpenSSL's CMS reads PKCS#7 version 1.5, which .p7b files are.
Result<bool> add_pkcs7(Certificates& certificates, ByteView der) {
  const unsigned char* cursor = der.data();
  const Cms cms(d2i_CMS_ContentInfo(nullptr, &cursor, static_cast<long>(der.size())));
  STACK_OF(X509)* const stack = cms ? CMS_get1_certs(cms.get()) : nullptr;
  clear_openssl_errors();
  if (!cms) return false;
  Result<void> added;
  while (X509* next = sk_X509_shift(stack)) {  // null for no stack, too
    X509Certificate certificate(next);
    if (added.has_value()) added = add(certificates, std::move(certificate));
  }
  sk_X509_free(stack);
  LS_CHECK(added);
  if (certificates.empty()) return invalid("the PKCS#7 file holds no certificate");
  return true;
}

Result<void> add_block(Certificates& certificates, const Block& block) {
  const std::string_view label = block.label;
  const bool is_certificate = label == PEM_STRING_X509 || label == PEM_STRING_X509_OLD;
  const bool is_pkcs7 =
      label == PEM_STRING_PKCS7 || label == PEM_STRING_CMS || label == PEM_STRING_PKCS7_SIGNED;
  if (label == PEM_STRING_X509_TRUSTED)
    return invalid(
        "the file holds a TRUSTED CERTIFICATE block, a form of OpenSSL's own; convert it with "
        "`openssl x509 -in FILE -out ca.pem`");
  if (!is_certificate && !is_pkcs7)
    return invalid(fmt::format("the file holds a {} block; only certificates are expected here",
                               printable(label)));
  LS_TRY(const bool is_added,
         is_pkcs7 ? add_pkcs7(certificates, block.der) : add_certificate(certificates, block.der));
  if (!is_added) return invalid(fmt::format("a {} block is damaged", printable(label)));
  return {};
}

// OpenSSL skips a block that is indented: every line loses its blanks.
std::string without_indentation(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
    plain.append(line.substr(0, line.find_last_not_of(kBlank) + 1)).push_back('\n');
  }
  return plain;
}

Result<Block> read_block(BIO* memory) {
  char* label = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_read_bio(memory, &label, &header, &data, &size) != 1)
    return invalid("a PEM block is damaged or cut off");
  Block block{label, Bytes(data, data + size)};
  OPENSSL_free(label);
  OPENSSL_free(header);
  OPENSSL_clear_free(data, static_cast<size_t>(size));
  return block;
}

Result<Certificates> read_pem(std::string_view given) {
  const std::string text = without_indentation(given);
  const Bio memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!memory) return fail(openssl_error("reading PEM"));
  Certificates certificates;
  for (size_t at = text.find(kBegin); at != std::string::npos; at = text.find(kBegin, at + 1)) {
    LS_TRY(const Block block, read_block(memory.get()));
    LS_CHECK(add_block(certificates, block));
  }
  return certificates;
}

Result<Certificates> read_any(ByteView content) {
  const std::string text = plain_text(content);
  if (text.find(kBegin) != std::string::npos) return read_pem(text);
  Certificates certificates;
  LS_TRY(const bool is_certificate, add_certificate(certificates, content));
  if (is_certificate) return certificates;
  LS_TRY(const bool is_pkcs7, add_pkcs7(certificates, content));
  if (is_pkcs7) return certificates;
  return invalid("the file holds no certificate: neither PEM nor DER, nor PKCS#7");
}

}  // namespace

Result<std::vector<X509Certificate>> read_certificate_input(const std::filesystem::path& file) {
  LS_TRY(const Bytes content, read_file(file, kMaxFileBytes));
  auto certificates = read_any(content);
  if (!certificates) return fail(certificates.error().with_context(file.string()));
  return certificates;
}

Result<Bytes> encode_certificate(const X509* certificate) {
  unsigned char* raw = nullptr;
  const int size = i2d_X509(certificate, &raw);
  if (size <= 0) return fail(openssl_error("i2d_X509"));
  Bytes der(raw, raw + size);
  OPENSSL_free(raw);
  return der;
}

}  // namespace linesign
