// Token setup: a blank token made ready for the key ceremony, as softhsm2-util does it.
//
// For throwaway tokens only. Whoever owns a real HSM sets it up with the vendor's tool, under
// the vendor's rules.
//
// Errors   InputInvalid when a token in any slot is initialised already, or when there is no blank
//          one; from ckr_error()
// Threads  as TokenSession
// Source   PKCS#11 2.40 section 5.5
#ifndef LINESIGN_HSM_PKCS11_TOKEN_SETUP_H_
#define LINESIGN_HSM_PKCS11_TOKEN_SETUP_H_

#include <string>

#include "hsm/pkcs11/module.h"
#include "protocol/base/secret.h"

namespace linesign {

struct BlankTokenSetup {
  std::string label;         // at most 32 bytes
  std::string manufacturer;  // what the token must call itself: "SoftHSM project"
  SecretBytes officer_pin;
  SecretBytes user_pin;
};

// Looks at every slot before it changes one. The slot may have another id afterwards, and some
// modules show the token only after the module was closed and loaded again.
Result<void> set_up_blank_token(const Module& module, const BlankTokenSetup& setup);

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_TOKEN_SETUP_H_
