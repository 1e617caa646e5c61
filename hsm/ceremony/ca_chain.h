// CA chain: is this certificate one for our key, and does it lead to the root that was named?
//
// Errors   CaCertificateInvalid, CaCertificateMismatch, CaChainInvalid with OpenSSL's reason; Io
// Threads  no state, safe anywhere
// Source   RFC 5280 section 6
#ifndef LINESIGN_HSM_CEREMONY_CA_CHAIN_H_
#define LINESIGN_HSM_CEREMONY_CA_CHAIN_H_

#include <filesystem>
#include <vector>

#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/handles.h"

namespace linesign {

// The one of these that is for this key, and a CA's. CaCertificateMismatch: none is; it names them.
Result<CaCertificate> choose_certificate(const std::vector<X509Certificate>& certificates,
                                         ByteView spki);

// The certificate carries this SubjectPublicKeyInfo.
Result<void> check_certificate_key(const CaCertificate& certificate, ByteView spki);

// From the CA certificate up to and with the root, each one signed by the next and valid at `now`.
// What is between them is found in `others`, in any order. Trusted is only the self-signed
// certificate of `root_file`, or its first.
Result<std::vector<Bytes>> build_chain(const CaCertificate& certificate,
                                       const std::vector<X509Certificate>& others,
                                       const std::filesystem::path& root_file,
                                       UnixTime now);

}  // namespace linesign

#endif  // LINESIGN_HSM_CEREMONY_CA_CHAIN_H_
