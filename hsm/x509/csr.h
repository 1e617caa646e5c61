// Csr: a PKCS#10 certification request, checked as far as that goes without cryptography.
//
// What a certificate is made of has one form only. What nobody uses (the attributes; the subject,
// which CertificateBuilder::check judges if the profile keeps it) needs sound lengths and no more,
// and the signature algorithm may have NULL parameters or none, whatever it is: tools write both.
//
// Shape    CertificationRequest ::= SEQUENCE { info, signatureAlgorithm, signature }, DER lengths
// Limits   kMaxCsrBytes, nesting 16; every length is checked before it is used
// Errors   Csr*; no error reveals more than position and kind
// Threads  no state, safe anywhere
// Source   RFC 2986 section 4, X.690 (DER), RFC 5480 (EC keys), RFC 8017 appendix A (RSA keys); RFC
//          5758 section 3.2 (ECDSA without parameters; Mbed TLS before 2.28.5 and 3.5 writes NULL),
//          RFC 4055 section 5 (RSA: both forms are accepted)
#ifndef LINESIGN_HSM_X509_CSR_H_
#define LINESIGN_HSM_X509_CSR_H_

#include "hsm/x509/der_reader.h"
#include "hsm/x509/key_type.h"
#include "protocol/base/bytes.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign {

enum class CsrSignature : uint8_t {
  EcdsaSha256,
  EcdsaSha384,
  EcdsaSha512,
  RsaSha256,
  RsaSha384,
  RsaSha512
};

// All views point into the DER that parse_csr was given.
struct Csr {
  ByteView info;        // CertificationRequestInfo: the bytes that the CSR's signature covers
  DerElement subject;   // Name
  ByteView spki;        // SubjectPublicKeyInfo, header included
  ByteView public_key;  // the BIT STRING's octets: 04||X||Y, or an RSAPublicKey
  ByteView signature;   // the BIT STRING's octets
  KeyType key_type = KeyType::EcP256;
  CsrSignature signature_algorithm = CsrSignature::EcdsaSha256;
};

// Structure, and shape of the key (uncompressed point; RSA size, odd modulus, odd exponent >=
// 65537). That a point is on its curve is checked by ProofVerifier. PEM text gives CsrNotDer.
Result<Csr> parse_csr(ByteView der);

// SHA-256 over the SubjectPublicKeyInfo: by this a key is the same key.
Sha256 public_key_hash(const Csr& csr);

Sha256 sha256(ByteView bytes);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_CSR_H_
