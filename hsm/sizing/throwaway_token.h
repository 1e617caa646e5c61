// ThrowawayToken: a SoftHSM2 token with a CA key in a folder of its own, for measurements and
// trials.
//
// What softhsm2-util does is done through PKCS#11 itself, so that no PIN stands on a command line;
// the CA is made by the product's own key ceremony. The PIN is random and in a file of mode 0400,
// the PIN of the security officer is forgotten. As after a real ceremony nobody may write to the
// token's files afterwards: no login rewrites them, no kill empties them.
//
// A token is initialised only when the module says that it is SoftHSM's and that it holds no token:
// the module of a real HSM, named by mistake, is refused before anything is changed.
//
// Shape    folder/  softhsm2.conf  tokens/  pin  ceremony.toml  ca.pem  ca-transcript.txt
// Errors   FileExists (the folder holds a token), HsmModuleLoad, InputInvalid (not an empty
//          SoftHSM), Hsm*, Ca*, Io
// Threads  REQUIRES: no other thread, because SOFTHSM2_CONF of this process is set to the new
//          token. Programs started later inherit it, and so find the token.
// Source   PKCS#11 2.40 sections 5.5 (C_InitToken, C_InitPIN), 5.6
#ifndef LINESIGN_HSM_SIZING_THROWAWAY_TOKEN_H_
#define LINESIGN_HSM_SIZING_THROWAWAY_TOKEN_H_

#include <filesystem>
#include <string>

#include "hsm/signer/settings.h"
#include "hsm/x509/key_type.h"
#include "protocol/base/result.h"

namespace linesign {

struct ThrowawaySettings {
  std::filesystem::path folder;  // made if it is not there; must hold none of the files above
  KeyType ca_key = KeyType::EcP256;
  // SoftHSM2's, or a module that wraps it.
  std::filesystem::path module = "/usr/lib/softhsm/libsofthsm2.so";
};

struct ThrowawayToken {
  std::filesystem::path folder;  // absolute
  TokenSettings token;           // module, labels, serial, pin_file: absolute paths
  std::filesystem::path ca_certificate;
  std::filesystem::path softhsm_conf;  // for SOFTHSM2_CONF
  std::string config_lines;            // the [hsm] and [ca] tables of linesign.toml
};

// A root CA of 30 years. Takes some 100 ms, with RSA up to seconds.
Result<ThrowawayToken> make_throwaway_token(const ThrowawaySettings& settings);

// Points SOFTHSM2_CONF of this process to a token that was made before, perhaps of several.
void use_throwaway_token(const ThrowawayToken& token);

// Removes what make_throwaway_token() made, and the folder if nothing else is in it.
// InputInvalid for a default-made value. REQUIRES: no process uses the token.
Result<void> remove_throwaway_token(const ThrowawayToken& token);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIZING_THROWAWAY_TOKEN_H_
