// Credential file: a certificate with what stands above it, and a private key, each out of a PEM
// file; and a signature over a digest with a key that OpenSSL has.
//
// Errors   Io; InputInvalid with path and reason; CryptoFailed
// Threads  no state, safe anywhere; a key is used by one thread at a time
// Source   RFC 7468
#ifndef LINESIGN_HSM_X509_CREDENTIAL_FILE_H_
#define LINESIGN_HSM_X509_CREDENTIAL_FILE_H_

#include <filesystem>
#include <vector>

#include "hsm/x509/handles.h"
#include "protocol/base/bytes.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign {

struct CertificateFile {
  Bytes certificate_der;
  std::vector<Bytes> chain_der;  // the other certificates of the file, in its order
  EvpKey public_key;             // of the certificate
  Bytes spki;                    // the same, SubjectPublicKeyInfo in DER
};

Result<CertificateFile> load_certificate_file(const std::filesystem::path& pem_file);

// Not encrypted: nobody is there to type a passphrase. InputInvalid also where every user of this
// machine may read it, as for a PIN file.
Result<EvpKey> load_private_key(const std::filesystem::path& pem_file);

bool can_sign_sha256(const EVP_PKEY* key);  // RSA or EC
// InputInvalid: the two do not belong together.
Result<void> check_pair(const EVP_PKEY* key, const EVP_PKEY* public_key);

// ECDSA: SEQUENCE { r, s } in DER. RSA: PKCS#1 v1.5 with SHA-256. Verified with `public_key` before
// it is returned: InputInvalid when the two do not belong together.
Result<Bytes> sign_sha256(EVP_PKEY* key, EVP_PKEY* public_key, const Sha256& digest);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_CREDENTIAL_FILE_H_
