#include "hsm/x509/csr.h"

#include <algorithm>
#include <array>

#include "hsm/x509/algorithm_ids.h"
#include "hsm/x509/der_reader.h"
#include "hsm/x509/digest.h"
#include "hsm/x509/name_text.h"
#include "hsm/x509/public_key_info.h"

namespace linesign {
namespace {

constexpr size_t kMaxCsrDepth = 16;

struct SignatureRow {
  CsrSignature signature;
  ByteView object_id;  // whole
};

constexpr ByteView object_id_of(ByteView algorithm) {
  return algorithm.subspan(2, 2U + algorithm[3]);
}

constexpr std::array<SignatureRow, 6> kSignatures = {{
    {CsrSignature::EcdsaSha256, object_id_of(algorithm_id::kEcdsaSha256)},
    {CsrSignature::EcdsaSha384, object_id_of(algorithm_id::kEcdsaSha384)},
    {CsrSignature::EcdsaSha512, object_id_of(algorithm_id::kEcdsaSha512)},
    {CsrSignature::RsaSha256, object_id_of(algorithm_id::kRsaSha256)},
    {CsrSignature::RsaSha384, object_id_of(algorithm_id::kRsaSha384)},
    {CsrSignature::RsaSha512, object_id_of(algorithm_id::kRsaSha512)},
}};

bool is_rsa_signature(CsrSignature signature) { return signature >= CsrSignature::RsaSha256; }

bool looks_like_pem(ByteView der) {
  const std::string_view text = as_text(der);
  const size_t start = text.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && text.substr(start).starts_with("-----BEGIN");
}

// Everything that can be said about the bytes before they mean something.
Result<void> check_encoding(ByteView der) {
  if (der.empty()) return fail(ErrorCode::CsrEmpty);
  if (der.size() > kMaxCsrBytes) return fail(ErrorCode::CsrTooLarge);
  if (looks_like_pem(der)) return fail(ErrorCode::CsrNotDer);
  DerReader reader(der);
  LS_TRY(const DerElement outer, reader.read(der::kSequence, "a CertificationRequest"));
  if (!reader.empty()) return fail(ErrorCode::CsrTrailingBytes);
  return check_der_structure(outer.whole, kMaxCsrDepth);
}

Result<void> read_info(DerReader info, Csr& csr) {
  LS_TRY(const DerElement version, info.read(der::kInteger, "a version"));
  if (version.content.size() != 1 || version.content[0] != 0) {
    return fail(ErrorCode::CsrVersion, "with wolfSSL, set Cert.version to 0");
  }
  LS_TRY(csr.subject, info.read(der::kSequence, "a subject"));
  LS_TRY(const PublicKeyInfo key, read_public_key_info(info));
  csr.spki = key.whole;
  csr.public_key = key.public_key;
  csr.key_type = key.key_type;
  // RFC 2986 demands the field even when it is empty; some encoders leave it out then (OpenSSL's
  // x_req.c notes them, Bouncy Castle offers it), and nothing depends on it.
  if (!info.empty()) {
    LS_TRY([[maybe_unused]] const DerElement attributes,
           info.read(der::context_constructed(0), "attributes"));
  }
  return info.finish("the CertificationRequestInfo");
}

Result<CsrSignature> read_signature_algorithm(DerReader algorithm, KeyType key) {
  LS_TRY(const DerElement id, algorithm.read(der::kObjectId, "a signature algorithm"));
  const auto* const row = std::find_if(kSignatures.begin(), kSignatures.end(), [&](const auto& r) {
    return equal(r.object_id, id.whole);
  });
  if (row == kSignatures.end()) return fail(ErrorCode::CsrAlgorithm, object_id_text(id.whole));
  if (is_rsa_signature(row->signature) != is_rsa(key)) {
    return fail(ErrorCode::CsrAlgorithm, "it does not go with the kind of key");
  }
  if (algorithm.empty()) return row->signature;
  LS_TRY(const DerElement parameters, algorithm.any());
  if (parameters.tag != der::kNull || !parameters.content.empty() || !algorithm.empty()) {
    return fail(ErrorCode::CsrAlgorithm, "its parameters are neither NULL nor absent");
  }
  return row->signature;
}

// Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }, which no check of the whole sees inside
// its BIT STRING. Strict, so that a signature has one encoding only.
Result<void> check_ecdsa_signature(ByteView signature) {
  DerReader outer(signature);
  LS_TRY(DerReader reader, outer.enter(der::kSequence, "an ECDSA signature"));
  LS_CHECK(outer.finish("the ECDSA signature"));
  LS_TRY([[maybe_unused]] const ByteView r, reader.positive_integer("r"));
  LS_TRY([[maybe_unused]] const ByteView s, reader.positive_integer("s"));
  return reader.finish("the ECDSA signature");
}

}  // namespace

Result<Csr> parse_csr(ByteView der) {
  LS_CHECK(check_encoding(der));
  Csr csr;
  DerReader outer(der);
  LS_TRY(DerReader request, outer.enter(der::kSequence, "a CertificationRequest"));
  LS_TRY(const DerElement info, request.read(der::kSequence, "a CertificationRequestInfo"));
  csr.info = info.whole;
  LS_CHECK(read_info(DerReader(info), csr));
  LS_TRY(const DerReader algorithm, request.enter(der::kSequence, "a signature algorithm"));
  LS_TRY(csr.signature_algorithm, read_signature_algorithm(algorithm, csr.key_type));
  LS_TRY(csr.signature, request.bit_string("a signature"));
  LS_CHECK(request.finish("the CertificationRequest"));
  if (!is_rsa(csr.key_type)) LS_CHECK(check_ecdsa_signature(csr.signature));
  return csr;
}

Sha256 sha256(ByteView bytes) {
  const DigestValue value = digest(DigestKind::Bits256, bytes);
  Sha256 hash{};
  std::copy_n(value.octets.begin(), hash.size(), hash.begin());
  return hash;
}

Sha256 public_key_hash(const Csr& csr) { return sha256(csr.spki); }

}  // namespace linesign
