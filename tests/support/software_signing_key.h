// SigningKeys without an HSM: one that signs in memory, and one that fails when it is told to.
#ifndef LINESIGN_TESTS_SUPPORT_SOFTWARE_SIGNING_KEY_H_
#define LINESIGN_TESTS_SUPPORT_SOFTWARE_SIGNING_KEY_H_

#include <poll.h>

#include <chrono>
#include <map>
#include <utility>

#include <openssl/rsa.h>

#include "hsm/pkcs11/signing_key.h"
#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/handles.h"

namespace linesign::test {

class SoftwareSigningKey final : public SigningKey {
 public:
  // Borrows `key`.
  SoftwareSigningKey(EVP_PKEY* key, KeyType type) : context_(EVP_PKEY_CTX_new(key, nullptr)) {
    EVP_PKEY_sign_init(context_.get());
    if (is_rsa(type)) EVP_PKEY_CTX_set_rsa_padding(context_.get(), RSA_PKCS1_PADDING);
    EVP_PKEY_CTX_set_signature_md(context_.get(), signature_digest(type));
  }

  Result<Bytes> sign(ByteView digest) override {
    Bytes signature(1024);
    size_t size = signature.size();
    if (EVP_PKEY_sign(context_.get(), signature.data(), &size, digest.data(), digest.size()) != 1)
      return fail(ErrorCode::HsmUnavailable, "EVP_PKEY_sign");
    signature.resize(size);
    return signature;
  }

 private:
  EvpKeyContext context_;
};

// Counts its calls and breaks the ones that `script` names, counted from 1.
struct SigningScript {
  int calls = 0;
  std::map<int, ErrorCode> errors;
  std::map<int, bool> flipped;        // a wrong signature, said to be a success
  std::chrono::milliseconds time{0};  // what each takes
};

class ScriptedSigningKey final : public SigningKey {
 public:
  // `script` outlives the key.
  ScriptedSigningKey(EVP_PKEY* key, KeyType type, SigningScript& script)
      : key_(key, type), script_(script) {}

  Result<Bytes> sign(ByteView digest) override {
    const int call = ++script_.calls;
    if (script_.time.count() > 0) ::poll(nullptr, 0, static_cast<int>(script_.time.count()));
    if (const auto found = script_.errors.find(call); found != script_.errors.end())
      return fail(found->second, "scripted");
    auto signature = key_.sign(digest);
    if (signature && script_.flipped.contains(call)) signature->back() ^= 1;
    return signature;
  }

 private:
  SoftwareSigningKey key_;
  SigningScript& script_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_SOFTWARE_SIGNING_KEY_H_
