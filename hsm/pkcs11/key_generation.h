// Key generation: what the ceremony writes into the token.
//
// Errors   HsmMechanismMissing, HsmKeyLabelTaken; others from ckr_error()
// Threads  as TokenSession
// Source   PKCS#11 2.40 sections 2.1.4, 2.3.5 (mechanisms), 4.6.3 (certificates)
#ifndef LINESIGN_HSM_PKCS11_KEY_GENERATION_H_
#define LINESIGN_HSM_PKCS11_KEY_GENERATION_H_

#include "hsm/pkcs11/ca_key.h"

namespace linesign {

// Can the token sign with a key of this type (and, for the ceremony, generate one)?
enum class KeyUse : uint8_t { Sign, GenerateAndSign };
Result<void> check_mechanisms(const Slot& slot, KeyType type, KeyUse use);

// Makes a key pair in the token with every attribute written out and a random id of 20 bytes, and
// reads it back; check_key_attributes() is the caller's.
// REQUIRES: a read-write session, logged in. HsmKeyLabelTaken when the label is in use.
Result<CaKey> generate_ca_key(TokenSession& session, KeyType type, const std::string& label);

// Removes a pair that was just made and never used, and certificates of its id.
Result<void> destroy_ca_key(TokenSession& session, const CaKey& key);

// Stores the CA certificate beside its key for other software, in place of an older one.
Result<void> store_ca_certificate(TokenSession& session, const CaKey& key, ByteView der);

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_KEY_GENERATION_H_
