// Slot: one slot with the token in it. Tokens are found by label and serial number, never by slot
// number, which changes whenever it likes.
//
// Errors   HsmTokenNotFound naming what is there, HsmTokenAmbiguous; from ckr_error()
// Threads  immutable
#ifndef LINESIGN_HSM_PKCS11_SLOT_H_
#define LINESIGN_HSM_PKCS11_SLOT_H_

#include <optional>
#include <string>

#include "hsm/pkcs11/module.h"

namespace linesign {

struct TokenInfo {
  std::string label;
  std::string serial;
  std::string manufacturer;
  std::string model;
  CK_FLAGS flags = 0;
  std::optional<unsigned long> sessions;         // absent: the token does not tell
  std::optional<unsigned long> session_maximum;  // absent: unknown or no limit
};

// What chooses a token. An empty part is not compared; not both may be empty.
struct TokenSelector {
  std::string label;
  std::string serial;
};

struct MechanismInfo {
  unsigned long min_key_size = 0;
  unsigned long max_key_size = 0;
  CK_FLAGS flags = 0;
};

class Slot final {
 public:
  // REQUIRES: `module` outlives the slot (it may be moved).
  static Result<Slot> find(const Module& module, const TokenSelector& wanted);
  static Result<Slot> read(const Module& module, CK_SLOT_ID id);

  const CK_FUNCTION_LIST* functions() const { return functions_; }
  CK_SLOT_ID id() const { return id_; }
  // As it was before a login: reading it again after one fails on a read-only SoftHSM token.
  const TokenInfo& token() const { return token_; }

  // Absent: the token does not have it.
  Result<std::optional<MechanismInfo>> mechanism(CK_MECHANISM_TYPE type) const;

 private:
  Slot(const CK_FUNCTION_LIST* functions, CK_SLOT_ID id, TokenInfo token)
      : functions_(functions), id_(id), token_(std::move(token)) {}

  const CK_FUNCTION_LIST* functions_;
  CK_SLOT_ID id_;
  TokenInfo token_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_SLOT_H_
