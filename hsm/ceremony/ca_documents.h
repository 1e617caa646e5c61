// CA documents: the self-signed certificate and the CSR of a CA, built by OpenSSL and signed by a
// key that may live in a token.
//
// Errors   CryptoFailed with OpenSSL's reason; Hsm* when the token does not sign
// Threads  no state, safe anywhere
// Source   RFC 5280 sections 4.1, 4.2.1; RFC 2986; RFC 2985 section 5.4.2 (extensionRequest)
#ifndef LINESIGN_HSM_CEREMONY_CA_DOCUMENTS_H_
#define LINESIGN_HSM_CEREMONY_CA_DOCUMENTS_H_

#include "hsm/ceremony/ceremony.h"
#include "hsm/x509/handles.h"
#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"

namespace linesign {

// The two halves of a key pair. Borrowed.
struct CaKeyPair {
  EVP_PKEY* signing_key;  // of libp11: its public half is not trusted
  EVP_PKEY* public_key;   // from the token's own attributes
};

// basicConstraints critical CA:TRUE with path length, keyUsage critical keyCertSign and cRLSign,
// subject and authority key id, 16 random bytes as serial number. DER, verified.
Result<Bytes> make_root_certificate(const CeremonyPlan& plan,
                                    const CaKeyPair& keys,
                                    UnixTime not_before);

// The same extensions as a request. DER, verified.
Result<Bytes> make_csr_for_ca(const CeremonyPlan& plan, const CaKeyPair& keys);

// "-----BEGIN CERTIFICATE REQUEST-----"
std::string csr_pem(ByteView der);

// SubjectPublicKeyInfo, DER.
Result<Bytes> encode_public_key(EVP_PKEY* key);

}  // namespace linesign

#endif  // LINESIGN_HSM_CEREMONY_CA_DOCUMENTS_H_
