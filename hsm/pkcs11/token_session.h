// TokenSession: one PKCS#11 session, by direct calls.
//
// The login belongs to the process, not to the session: it ends with the last session of the token.
//
// Errors   HsmPinRefused after one try; HsmPinFinalTry and SignerTimeout (the pause after logins
//          that the token did not answer) without any; others from ckr_error()
// Threads  one thread at a time
// Source   PKCS#11 2.40 sections 5.6, 5.7, 5.14
#ifndef LINESIGN_HSM_PKCS11_TOKEN_SESSION_H_
#define LINESIGN_HSM_PKCS11_TOKEN_SESSION_H_

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "hsm/pkcs11/object_template.h"
#include "hsm/pkcs11/pin_memory.h"
#include "hsm/pkcs11/slot.h"
#include "protocol/base/bytes.h"
#include "protocol/base/secret.h"

namespace linesign {

constexpr size_t kMaxTokenSignatureBytes = 512;  // RSA-4096

// "a wrong PIN was entered since the last login (CKF_USER_PIN_COUNT_LOW)", or that one try is left,
// or none; empty: the token says nothing.
std::string_view pin_tries_text(CK_FLAGS token);

// HsmPinFinalTry: one more wrong PIN would lock the user out.
Result<void> check_pin_tries(CK_FLAGS token);

enum class Access : uint8_t { ReadOnly, ReadWrite };

struct KeyPairHandles {
  CK_OBJECT_HANDLE public_key = 0;
  CK_OBJECT_HANDLE private_key = 0;
};

class TokenSession final {
 public:
  // REQUIRES: the module of `slot` outlives the session.
  static Result<TokenSession> open(const Slot& slot, Access access);
  TokenSession(TokenSession&& other) noexcept;
  TokenSession& operator=(TokenSession&& other) noexcept;
  TokenSession(const TokenSession&) = delete;
  TokenSession& operator=(const TokenSession&) = delete;
  ~TokenSession();

  // Reports what the destructor cannot.
  Result<void> close();

  // As the user, once: not with a PIN that `rule.memory` forbids, and never as the token's last try
  // (CKF_USER_PIN_FINAL_TRY) unless an operator orders it. A token that says that this process is
  // logged in already is an error: nobody but us logs in. REQUIRES: with a memory, the login lock.
  Result<void> login(const SecretBytes& pin, const PinRule& rule = {});
  Result<void> logout();

  Result<std::vector<CK_OBJECT_HANDLE>> find(const ObjectTemplate& wanted);

  // Absent: the object has no such attribute, or does not give it away.
  Result<std::optional<Bytes>> attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);
  // What the token says when it is asked for the length of an attribute: CKR_ATTRIBUTE_SENSITIVE is
  // the right answer for key bytes.
  CK_RV probe_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);

  // One signature of at most kMaxTokenSignatureBytes, as the mechanism makes it.
  Result<Bytes> sign(CK_MECHANISM_TYPE mechanism, CK_OBJECT_HANDLE key, ByteView data);

  Result<KeyPairHandles> generate_key_pair(CK_MECHANISM_TYPE mechanism,
                                           const ObjectTemplate& public_key,
                                           const ObjectTemplate& private_key);
  Result<CK_OBJECT_HANDLE> create(const ObjectTemplate& object);
  Result<void> destroy(CK_OBJECT_HANDLE object);

 private:
  TokenSession(const CK_FUNCTION_LIST* functions, CK_SLOT_ID slot, CK_SESSION_HANDLE handle)
      : functions_(functions), slot_(slot), handle_(handle) {}
  CK_RV try_pin(const SecretBytes& pin);

  const CK_FUNCTION_LIST* functions_;  // null: closed
  CK_SLOT_ID slot_;
  CK_SESSION_HANDLE handle_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_TOKEN_SESSION_H_
