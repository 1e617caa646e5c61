// Ceremony: makes the CA key in a token, its certificate or CSR, and the transcript that proves
// how.
//
// Every function opens the token, logs in once with the PIN of the ceremony file, does its work and
// closes the token. A wrong PIN is tried once and never again.
//
// Shape    ceremony file, TOML; paths are relative to its folder:
//          [token]  module, label and serial, or uri = "pkcs11:..."; pin_file or pin_credential
//          [key]    type = "P-256" | "P-384" | "RSA-2048" | "RSA-3072" | "RSA-4096", label
//          [ca]     kind = "root" | "intermediate", subject = ["O=Example", "CN=Example Device
//          CA"],
//                   validity = "20y" | "no-expiry" (root), path_length = 0
//          [output] certificate = "ca.pem", csr = "ca.csr", transcript = "ca-transcript.txt",
//                   who = ["names of those present"]
// Errors   Config* with file:line; Hsm*; FileExists before anything is made; Ca*; Io
// Threads  one ceremony per process
// Source   PKCS#11 2.40 sections 4.8, 4.9; RFC 5280 section 4.2.1; RFC 2986
#ifndef LINESIGN_HSM_CEREMONY_CEREMONY_H_
#define LINESIGN_HSM_CEREMONY_CEREMONY_H_

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hsm/signer/settings.h"
#include "hsm/x509/key_type.h"
#include "protocol/base/result.h"

namespace linesign {

enum class CaKind : uint8_t { Root, Intermediate };

// The ceremony file, read and checked. Plain data.
struct CeremonyPlan {
  std::filesystem::path file;
  TokenSettings token;  // key_label comes from [key]
  KeyType key_type = KeyType::EcP256;
  CaKind kind = CaKind::Root;
  std::vector<std::pair<std::string, std::string>> subject;  // {"O", "Example"}, in order
  std::chrono::seconds validity{};
  bool no_expiry = false;  // 9999-12-31T23:59:59Z
  int path_length = 0;
  std::filesystem::path certificate;  // PEM; for an imported one with its chain
  std::filesystem::path csr;          // PEM
  std::filesystem::path transcript;
  std::vector<std::string> who;
};

Result<CeremonyPlan> load_ceremony(const std::filesystem::path& file);

struct CeremonyOptions {
  bool force = false;  // output files may be replaced; a key never is
};

// What was done, for the screen and for --json.
struct CeremonyReport {
  std::string token_label;
  std::string token_serial;
  std::string key_label;
  std::string key_id_hex;
  KeyType key_type = KeyType::EcP256;
  std::string public_key_sha256_hex;   // over the SubjectPublicKeyInfo
  std::string certificate_sha256_hex;  // empty: no certificate yet
  std::string subject;                 // RFC 2253, for people
  std::string not_before;              // ISO 8601; empty: no certificate yet
  std::string not_after;
  std::vector<std::filesystem::path> written;  // files made, in order
  std::vector<std::string> notes;              // things that a person should know, in words
  std::string config_lines;                    // the [hsm] and [ca] tables for linesign.toml
  std::string transcript;                      // the text of the transcript
};

// Makes the key pair with every attribute written out, reads them back and insists on them, and
// makes the self-signed certificate (root) or the CSR (intermediate). A key of the same label is
// refused (HsmKeyLabelTaken). If a later step fails, the key just made is destroyed again.
Result<CeremonyReport> init_ca(const CeremonyPlan& plan, const CeremonyOptions& options);

// Makes the CSR again for the key that is there.
Result<CeremonyReport> make_ca_csr(const CeremonyPlan& plan, const CeremonyOptions& options);

struct CaImport {
  // PEM, DER or PKCS#7: the CA certificate, perhaps with its chain, in any order.
  std::filesystem::path certificate;
  std::filesystem::path root;  // the same: the certificate that the chain must end in
};

// Takes the certificate for the key that is there: it must carry this key, be a CA with
// keyCertSign, be valid now and chain to `root`. Writes plan.certificate: CA, intermediates, root.
Result<CeremonyReport> import_ca(const CeremonyPlan& plan,
                                 const CaImport& input,
                                 const CeremonyOptions& options);

// Reads and checks key and certificate; writes nothing.
Result<CeremonyReport> show_ca(const CeremonyPlan& plan);

}  // namespace linesign

#endif  // LINESIGN_HSM_CEREMONY_CEREMONY_H_
