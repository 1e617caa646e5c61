// PublicKeyInfo: a SubjectPublicKeyInfo in the one form that linesign accepts for each key type.
//
// One form per key means that equal keys have equal bytes, so that a hash finds them again, and
// that a certificate, into which these bytes are copied, is one that everybody reads: rsaEncryption
// without parameters, explicit curves and compressed points are read by some only.
//
// Shape    SEQUENCE { AlgorithmIdentifier, BIT STRING }; EC: named curve and 04||X||Y; RSA: NULL
//          parameters and SEQUENCE { modulus, publicExponent }
// Errors   CsrMalformed; CsrKeyUnsupported: another kind of key; CsrKeyInvalid: a bad one of ours
// Threads  no state, safe anywhere
// Source   RFC 5480 section 2, RFC 3279 section 2.3.1, RFC 8017 appendix A.1.1
#ifndef LINESIGN_HSM_X509_PUBLIC_KEY_INFO_H_
#define LINESIGN_HSM_X509_PUBLIC_KEY_INFO_H_

#include "hsm/x509/der_reader.h"
#include "hsm/x509/key_type.h"

namespace linesign {

struct PublicKeyInfo {
  ByteView whole;
  ByteView public_key;  // the BIT STRING's octets
  KeyType key_type = KeyType::EcP256;
};

struct RsaPublicKey {
  ByteView modulus;   // big-endian, no leading zero
  ByteView exponent;  // the same
};

// Takes the next element, a SubjectPublicKeyInfo, from `reader`.
Result<PublicKeyInfo> read_public_key_info(DerReader& reader);

// RSAPublicKey with nothing after it.
Result<RsaPublicKey> decode_rsa_public_key(ByteView der);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_PUBLIC_KEY_INFO_H_
