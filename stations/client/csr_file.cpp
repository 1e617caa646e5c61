// load_csr: a CSR from a file, PEM or DER.
#include <string>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "protocol/base/file.h"
#include "stations/client/der.h"
#include "stations/client/handles.h"
#include "stations/client/station_client.h"

namespace linesign {
namespace {

// certtool writes the CSR in words above the PEM block.
constexpr size_t kMaxFileBytes = 64 * 1024;

bool is_pem(ByteView content) {
  return as_text(content).find("-----BEGIN ") != std::string_view::npos;
}

bool is_csr_label(std::string_view label) {
  return label == PEM_STRING_X509_REQ || label == PEM_STRING_X509_REQ_OLD;
}

// The first block that is a CSR.
Result<Bytes> decode_pem(ByteView content) {
  const client::Bio memory(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
  if (!memory) return fail(ErrorCode::CryptoFailed, "no memory for PEM");
  for (;;) {
    char* label = nullptr;
    char* header = nullptr;
    uint8_t* data = nullptr;
    long length = 0;
    if (PEM_read_bio(memory.get(), &label, &header, &data, &length) != 1) {
      ERR_clear_error();
      return fail(ErrorCode::CsrMalformed, "no whole CERTIFICATE REQUEST block in the PEM text");
    }
    const bool is_csr = is_csr_label(label);
    Bytes der(data, data + length);
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, static_cast<size_t>(length));
    if (is_csr) return der;
    wipe(der);
  }
}

}  // namespace

Result<LoadedCsr> load_csr(const std::filesystem::path& path) {
  LS_TRY(Bytes content, read_file(path, kMaxFileBytes));
  if (content.empty()) return fail(ErrorCode::CsrEmpty, path.string());
  LoadedCsr csr;
  if (is_pem(content)) {
    auto decoded = decode_pem(content);
    if (!decoded.has_value()) return fail(decoded.error().with_context(path.string()));
    csr.der = std::move(*decoded);
  } else {
    csr.der = std::move(content);
  }
  if (csr.der.size() > kMaxCsrBytes) return fail(ErrorCode::CsrTooLarge, path.string());
  client::DerReader reader(csr.der);
  if (!reader.next(client::kDerSequence)) return fail(ErrorCode::CsrMalformed, path.string());
  if (!reader.at_end()) return fail(ErrorCode::CsrTrailingBytes, path.string());
  const auto outline = client::outline_csr(csr.der);
  if (!outline) return fail(ErrorCode::CsrMalformed, path.string());
  csr.common_name = client::find_common_name(outline->subject).value_or("");
  return csr;
}

}  // namespace linesign
