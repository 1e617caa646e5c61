// CaKey: the CA key pair as the token holds it: found without doubt, its attributes read back and
// insisted on. Used by the ceremony and again at every start of a signer.
//
// Errors   HsmKeyNotFound, HsmKeyAmbiguous, HsmKeyUnsafe naming every attribute that is wrong
// Threads  as TokenSession
// Source   PKCS#11 2.40 sections 4.4, 4.8, 4.9
#ifndef LINESIGN_HSM_PKCS11_CA_KEY_H_
#define LINESIGN_HSM_PKCS11_CA_KEY_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hsm/pkcs11/token_session.h"
#include "hsm/x509/handles.h"
#include "hsm/x509/key_type.h"

namespace linesign {

// What chooses the key. An empty part is not compared; not both may be empty.
struct KeySelector {
  std::string label;
  Bytes id;
};

using NamedAttributes = std::vector<std::pair<std::string, std::string>>;  // {"CKA_LOCAL", "true"}

struct CaKey {
  CK_OBJECT_HANDLE private_key = 0;
  CK_OBJECT_HANDLE public_key = 0;
  std::string label;
  Bytes id;
  std::optional<KeyType> type;         // absent: a kind of key that linesign does not know
  NamedAttributes private_attributes;  // read back, in the order of the rules
  NamedAttributes public_attributes;
  std::vector<std::string> faults;  // empty: safe
};

// "P-256", or "unknown".
std::string key_type_text(const CaKey& key);

// Exactly one private key answers to `wanted`, its id is its own, and one public key goes with it.
// REQUIRES: logged in.
Result<CaKey> find_ca_key(TokenSession& session, const KeySelector& wanted);

// Every private key of the token, for the doctor. A key that cannot be read is left out.
Result<std::vector<CaKey>> list_ca_keys(TokenSession& session);

// HsmKeyUnsafe with all faults of the key.
Result<void> check_key_attributes(const CaKey& key);

// The public key from its attributes. CryptoFailed when it is no valid key.
Result<EvpKey> read_public_key(TokenSession& session, const CaKey& key);

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_CA_KEY_H_
