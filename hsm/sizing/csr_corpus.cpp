#include "hsm/sizing/csr_corpus.h"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "hsm/x509/csr.h"
#include "hsm/x509/distinguished_name.h"
#include "hsm/x509/handles.h"
#include "hsm/x509/openssl_error.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr mode_t kPublicFile = 0644;
constexpr size_t kFirstNumber = 100'000'000;  // device ids of one length, like serial numbers

Result<EvpKey> make_device_key(KeyType type) {
  EvpKey key;
  switch (type) {
    case KeyType::EcP256:
      key.reset(EVP_EC_gen("P-256"));
      break;
    case KeyType::EcP384:
      key.reset(EVP_EC_gen("P-384"));
      break;
    case KeyType::Rsa2048:
      key.reset(EVP_RSA_gen(2048));
      break;
    case KeyType::Rsa3072:
      key.reset(EVP_RSA_gen(3072));
      break;
    case KeyType::Rsa4096:
      key.reset(EVP_RSA_gen(4096));
      break;
  }
  if (key == nullptr) return fail(openssl_error("making a device key"));
  return key;
}

Result<void> append_csr(BIO* out, EVP_PKEY* key, const std::string& device_id) {
  const X509Request request{X509_REQ_new()};
  const auto* name = reinterpret_cast<const unsigned char*>(device_id.c_str());
  const bool made = request != nullptr &&
                    X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
                    X509_REQ_set_pubkey(request.get(), key) == 1 &&
                    X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(request.get()),
                                               NID_commonName,
                                               MBSTRING_UTF8,
                                               name,
                                               static_cast<int>(device_id.size()),
                                               -1,
                                               0) == 1 &&
                    X509_REQ_sign(request.get(), key, EVP_sha256()) > 0 &&
                    PEM_write_bio_X509_REQ(out, request.get()) == 1;
  if (!made) return fail(openssl_error("making a CSR"));
  return {};
}

// Empty: the text has no further PEM block.
Result<Bytes> read_block(BIO* in) {
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_read_bio(in, &name, &header, &data, &size) != 1) {
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    clear_openssl_errors();
    if (at_end) return Bytes();
    return fail(ErrorCode::InputInvalid, "the PEM block is damaged");
  }
  const std::string kind = name;
  Bytes der(data, data + size);
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(data);
  if (kind != PEM_STRING_X509_REQ && kind != PEM_STRING_X509_REQ_OLD)
    return fail(ErrorCode::InputInvalid, fmt::format("it is a '{}', not a CSR", kind));
  if (der.empty()) return fail(ErrorCode::InputInvalid, "the PEM block is empty");
  return der;
}

Result<CorpusCsr> name_csr(Bytes der, size_t number) {
  LS_TRY(const Csr csr, parse_csr(der));
  LS_TRY(const auto common_name, read_common_name(DerReader(csr.subject)));
  CorpusCsr named{common_name.value_or(fmt::format("device-{}", number)), {}};
  LS_CHECK(check_device_id(named.device_id));
  named.der = std::move(der);
  return named;
}

}  // namespace

Result<void> write_csr_corpus(const std::filesystem::path& file, const CorpusSpec& spec) {
  if (spec.count == 0 || spec.count > kMaxCorpusCsrs)
    return fail(ErrorCode::InputInvalid, fmt::format("1 to {} CSRs", kMaxCorpusCsrs));
  const size_t distinct = is_rsa(spec.device_key)
                              ? std::clamp<size_t>(spec.distinct_rsa_keys, 1, spec.count)
                              : spec.count;
  const Bio out{BIO_new(BIO_s_mem())};
  if (out == nullptr) return fail(openssl_error("making a CSR"));
  std::vector<EvpKey> keys;
  for (size_t i = 0; i < spec.count; ++i) {
    if (i < distinct) {
      LS_TRY(EvpKey key, make_device_key(spec.device_key));
      keys.push_back(std::move(key));
    }
    LS_CHECK(
        append_csr(out.get(), keys[i % distinct].get(), fmt::format("SN{}", kFirstNumber + i)));
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return write_file_atomic(file,
                           as_bytes({text, static_cast<size_t>(size)}),
                           kPublicFile,
                           Overwrite::Refuse,
                           Durability::Renamed);
}

Result<std::vector<CorpusCsr>> read_csr_corpus(const std::filesystem::path& file) {
  LS_TRY(const Bytes pem, read_file(file, kMaxCorpusBytes));
  const Bio in{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  if (in == nullptr) return fail(openssl_error("reading CSRs"));
  std::vector<CorpusCsr> corpus;
  while (corpus.size() < kMaxCorpusCsrs) {
    const auto wrong = [&](const Error& error) {
      return fail(error.with_context(fmt::format("{}: CSR {}", file.string(), corpus.size() + 1)));
    };
    auto der = read_block(in.get());
    if (!der) return wrong(der.error());
    if (der->empty()) break;
    auto csr = name_csr(std::move(*der), corpus.size() + 1);
    if (!csr) return wrong(csr.error());
    corpus.push_back(std::move(*csr));
  }
  if (corpus.empty())
    return fail(ErrorCode::InputInvalid, fmt::format("{} holds no CSR in PEM", file.string()));
  return corpus;
}

}  // namespace linesign
