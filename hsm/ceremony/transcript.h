// Transcript: what a ceremony did, for an auditor: one TOML document, so that people and programs
// read the same text.
#ifndef LINESIGN_HSM_CEREMONY_TRANSCRIPT_H_
#define LINESIGN_HSM_CEREMONY_TRANSCRIPT_H_

#include <filesystem>
#include <string>
#include <string_view>

#include "hsm/ceremony/ceremony.h"
#include "hsm/pkcs11/ca_key.h"

namespace linesign {

struct TranscriptFacts {
  std::string_view action;  // "init", "csr", "import"
  UnixTime started_at{};
  UnixTime finished_at{};
  LibraryInfo library;
  TokenInfo token;
  const CaKey* key = nullptr;
  bool certificate_in_token = false;
  std::string csr_sha256_hex;  // empty: no CSR was made
};

// Io when the module or the ceremony file cannot be read again for its hash.
Result<std::string> write_transcript(const CeremonyPlan& plan,
                                     const CeremonyReport& report,
                                     const TranscriptFacts& facts);

// Lower-case hex of the SHA-256 of a file of any size.
Result<std::string> hash_file(const std::filesystem::path& file);

}  // namespace linesign

#endif  // LINESIGN_HSM_CEREMONY_TRANSCRIPT_H_
