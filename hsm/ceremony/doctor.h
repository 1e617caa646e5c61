// Doctor: looks at module, slots, tokens and keys, and says in words what is wrong.
//
// It never fails as a whole: what cannot be read becomes a finding. A PIN is used only when a PIN
// file is given, and then once; one that was tried before, or the token's last try, only by order.
//
// Threads  one at a time per process
#ifndef LINESIGN_HSM_CEREMONY_DOCTOR_H_
#define LINESIGN_HSM_CEREMONY_DOCTOR_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/error.h"

namespace linesign {

enum class Severity : uint8_t { Good, Note, Warning, Problem };

std::string_view to_string(Severity severity);  // "good", "note", "warning", "problem"

struct DoctorFinding {
  Severity severity = Severity::Good;
  std::string text;               // what is so, and what to do about it
  std::optional<ErrorCode> code;  // of a Problem: what a signer would report
};

struct DoctorMechanism {
  std::string name;  // "CKM_ECDSA"
  bool present = false;
  unsigned long min_key_bits = 0;
  unsigned long max_key_bits = 0;
};

struct DoctorKey {
  std::string label;
  std::string id_hex;
  std::string type;                                             // "P-256", or "unknown"
  std::vector<std::pair<std::string, std::string>> attributes;  // {"CKA_SENSITIVE", "true"}
  std::vector<std::string> faults;  // why a signer would refuse it; empty: usable
};

struct DoctorToken {
  std::string label;
  std::string serial;
  std::string manufacturer;
  std::string model;
  std::vector<std::string> flags;                // {"CKF_LOGIN_REQUIRED", ...}
  std::optional<unsigned long> sessions;         // open now; absent: the token does not tell
  std::optional<unsigned long> session_maximum;  // absent: unknown or unlimited
  std::vector<DoctorMechanism> mechanisms;       // those that linesign may want
  bool logged_in = false;
  std::vector<DoctorKey> keys;  // private keys; only after a login
};

struct DoctorSlot {
  unsigned long id = 0;  // for people only: it changes
  std::string description;
  std::optional<DoctorToken> token;  // absent: empty slot or no initialised token
};

struct DoctorReport {
  std::filesystem::path module;
  std::string module_sha256_hex;
  std::string library;  // "SoftHSM / Implementation of PKCS11 2.6"
  std::string cryptoki_version;
  std::vector<DoctorSlot> slots;
  std::vector<DoctorFinding> findings;
  std::string config_lines;  // the [hsm] table to use; empty when there is no usable token

  Severity worst() const;
};

// Empty fields are not looked at: with the module alone the report lists what is there.
struct DoctorRequest {
  std::filesystem::path module;
  std::string token_label;
  std::string token_serial;
  std::string key_label;
  std::string key_id_hex;
  std::filesystem::path pin_file;          // empty: no login
  std::filesystem::path ca_certificate;    // compared with the key
  std::filesystem::path login_lock;        // held during the login
  std::optional<std::string> signer_user;  // of the configuration; absent: there is none
  std::filesystem::path pin_memory = {};   // empty: tries of the PIN are not remembered
  bool is_try_ordered = false;             // of an operator: whatever speaks against the login
};

DoctorReport examine(const DoctorRequest& request);

// For a terminal, ends with a newline.
std::string doctor_text(const DoctorReport& report);

}  // namespace linesign

#endif  // LINESIGN_HSM_CEREMONY_DOCTOR_H_
