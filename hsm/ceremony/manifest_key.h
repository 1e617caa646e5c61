// ManifestKey: the key that signs manifests, made in the token as the CA key is, and used from
// there.
//
// It is never the CA key: that one signs certificates that a profile describes, and nothing else.
// Which of the two it is, the public keys say, not the labels.
//
// Errors   Hsm*; ManifestKeyRefused: it is the CA's key, or not the certificate's; FileExists; Io;
//          CryptoFailed
// Threads  one
// Source   RFC 5280; hsm/x509/cms_signature.h
#ifndef LINESIGN_HSM_CEREMONY_MANIFEST_KEY_H_
#define LINESIGN_HSM_CEREMONY_MANIFEST_KEY_H_

#include <filesystem>
#include <memory>
#include <string>

#include "hsm/signer/settings.h"
#include "hsm/x509/key_type.h"
#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace linesign {

struct ManifestKeyPlan {
  KeyType type = KeyType::EcP256;
  std::string name = "linesign manifests";  // the certificate's common name, 1 to 64 bytes
  bool may_replace = false;                 // the certificate's file; a key never is
};

struct ManifestKeyReport {
  std::string token_label;
  std::string key_label;
  std::string key_id_hex;
  KeyType key_type = KeyType::EcP256;
  std::string certificate_sha256_hex;
  std::filesystem::path certificate;
};

// Makes the key under [manifest] key_label and its self-signed certificate, which has no end:
// whoever is to check manifests gets it once, by a way that he trusts. A key of the same label is
// refused (HsmKeyLabelTaken). If a later step fails, the key is destroyed again.
Result<ManifestKeyReport> make_manifest_key(const SignerSettings& signer,
                                            const ManifestSettings& manifest,
                                            const ManifestKeyPlan& plan,
                                            UnixTime now);

// The key, logged in, checked against its certificate and against the CA's.
class ManifestSigner final {
 public:
  // Logs in once, under the login lock of the signers.
  static Result<ManifestSigner> open(const SignerSettings& signer,
                                     const ManifestSettings& manifest);
  ManifestSigner(ManifestSigner&& other) noexcept;
  ManifestSigner& operator=(ManifestSigner&& other) noexcept;
  ~ManifestSigner();

  // A detached CMS signature over the file, verified with the certificate. DER.
  Result<Bytes> sign(const std::filesystem::path& content) const;

 private:
  struct State;
  explicit ManifestSigner(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_CEREMONY_MANIFEST_KEY_H_
