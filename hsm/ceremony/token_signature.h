// TokenSignature: one signature by a key in a token that is not the CA's: the key with which the
// uploader proves to IAM Roles Anywhere who it is.
//
// Errors   Hsm*; InputInvalid: the key is not that of the certificate, or is the CA's: the CA key
//          signs what linesign builds and nothing else; AwsSettings: the URI
// Threads  one
// Source   RFC 7512
#ifndef LINESIGN_HSM_CEREMONY_TOKEN_SIGNATURE_H_
#define LINESIGN_HSM_CEREMONY_TOKEN_SIGNATURE_H_

#include <filesystem>
#include <string>

#include "hsm/signer/settings.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign {

struct TokenSignatureRequest {
  std::string key_uri;             // names token and key; module-path and pin-source may be absent
  std::filesystem::path pin_file;  // empty: as the URI says, else that of [hsm]
  std::filesystem::path certificate;  // PEM: whose key it is
  std::filesystem::path own_memory;   // of LoginPlace
};

// ECDSA or RSA PKCS#1 v1.5 over a SHA-256 digest, verified. Logs in once, under the locks of
// LoginPlace, and closes the token again.
Result<Bytes> sign_with_token(const SignerSettings& settings,
                              const TokenSignatureRequest& request,
                              const Sha256& digest);

}  // namespace linesign

#endif  // LINESIGN_HSM_CEREMONY_TOKEN_SIGNATURE_H_
