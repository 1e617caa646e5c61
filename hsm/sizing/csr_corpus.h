// CSR corpus: some hundred CSRs in a file, made before a measurement so that it measures no keys.
//
// Shape    PEM blocks "CERTIFICATE REQUEST", one after another; the common name is the device id,
//          so that CSRs of real devices can be measured too
// Limits   kMaxCorpusBytes, kMaxCorpusCsrs, each CSR kMaxCsrBytes
// Errors   FileExists; InputInvalid naming the CSR, or Csr*; CryptoFailed; Io
// Threads  no state, safe anywhere
#ifndef LINESIGN_HSM_SIZING_CSR_CORPUS_H_
#define LINESIGN_HSM_SIZING_CSR_CORPUS_H_

#include <filesystem>
#include <string>
#include <vector>

#include "hsm/x509/key_type.h"
#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign {

constexpr size_t kMaxCorpusBytes = 64 * 1024 * 1024;
constexpr size_t kMaxCorpusCsrs = 100'000;

struct CorpusSpec {
  KeyType device_key = KeyType::EcP256;
  size_t count = 512;
  // RSA keys take 50 to 100 ms each: after so many they are used again, under other names. For the
  // work on a CSR it makes no difference; a ledger would notice.
  size_t distinct_rsa_keys = 32;
};

struct CorpusCsr {
  std::string device_id;
  Bytes der;
};

Result<void> write_csr_corpus(const std::filesystem::path& file, const CorpusSpec& spec);
Result<std::vector<CorpusCsr>> read_csr_corpus(const std::filesystem::path& file);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIZING_CSR_CORPUS_H_
