// Certificate input: the certificates of a file that another CA sent: PEM or DER, one or many in
// any order, or PKCS#7 (.p7b, .p7c). Whatever else is in the file is named and refused, not
// skipped.
//
// Limits   1 MiB, kMaxInputCertificates
// Errors   CaCertificateInvalid with file and block; Io
// Threads  no state, safe anywhere
// Source   RFC 7468; RFC 5652 section 5.1
#ifndef LINESIGN_HSM_CEREMONY_CERTIFICATE_INPUT_H_
#define LINESIGN_HSM_CEREMONY_CERTIFICATE_INPUT_H_

#include <filesystem>
#include <vector>

#include "hsm/x509/handles.h"
#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign {

constexpr size_t kMaxInputCertificates = 64;

// At least one.
Result<std::vector<X509Certificate>> read_certificate_input(const std::filesystem::path& file);

// DER
Result<Bytes> encode_certificate(const X509* certificate);

}  // namespace linesign

#endif  // LINESIGN_HSM_CEREMONY_CERTIFICATE_INPUT_H_
