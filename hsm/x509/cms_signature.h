// CmsSignature: a detached signature over a file of any size, in the form that other tools read.
//
// Shape    CMS SignedData, DER, one signer, no content, with the signer's certificate and the time
//          of signing: what `openssl cms -verify -binary -inform DER -content FILE` takes
// Limits   kMaxCmsBytes; the file is read in pieces
// Errors   Io; ManifestSignatureWrong with the reason; CryptoFailed
// Threads  no state, safe anywhere
// Source   RFC 5652 section 5
#ifndef LINESIGN_HSM_X509_CMS_SIGNATURE_H_
#define LINESIGN_HSM_X509_CMS_SIGNATURE_H_

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hsm/x509/handles.h"
#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace linesign {

constexpr size_t kMaxCmsBytes = 64 * 1024;

struct CmsSigner {
  std::string subject;                // RFC 2253, for people
  Bytes certificate_der;              // the one that was found to be trusted
  std::optional<UnixTime> signed_at;  // as the signer says
};

// `key` may live in a token; its certificate goes along.
Result<Bytes> sign_detached(const std::filesystem::path& content,
                            X509* certificate,
                            EVP_PKEY* key,
                            const EVP_MD* digest);

// The signer's certificate must be one of `trusted` (DER), or lead to one of them. Their validity
// is not looked at: what is kept must be readable when the certificate has long ended.
Result<CmsSigner> verify_detached(const std::filesystem::path& content,
                                  ByteView signature,
                                  std::span<const Bytes> trusted);

// All certificates of a PEM file, DER. Io; InputInvalid: there is none.
Result<std::vector<Bytes>> load_certificates(const std::filesystem::path& pem_file);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_CMS_SIGNATURE_H_
