#include "tests/unit/hsm/x509/csr_forge.h"

#include <cstdlib>

#include "hsm/x509/algorithm_ids.h"
#include "hsm/x509/der_reader.h"
#include "hsm/x509/der_writer.h"

namespace linesign::test {
namespace {

Bytes public_key_der(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) std::abort();
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

Bytes make_info(const CsrParts& parts) {
  return make_element(der::kSequence, {parts.version, parts.subject, parts.spki, parts.attributes});
}

}  // namespace

Bytes common_name_subject(uint8_t tag, std::string_view value) {
  const Bytes oid = *encode_object_id("2.5.4.3");
  const Bytes text = make_element(tag, as_bytes(value));
  const Bytes attribute = make_element(der::kSequence, {oid, text});
  return make_element(der::kSequence, make_element(der::kSet, attribute));
}

CsrParts usual_parts(EVP_PKEY* key) {
  CsrParts parts;
  parts.version = {der::kInteger, 1, 0};
  parts.subject = common_name_subject(der::kUtf8String, "dev-1");
  parts.spki = public_key_der(key);
  parts.attributes = {0xa0, 0};
  parts.algorithm = EVP_PKEY_is_a(key, "RSA") == 1 ? to_bytes(algorithm_id::kRsaSha256)
                                                   : to_bytes(algorithm_id::kEcdsaSha256);
  return parts;
}

Bytes forge_csr(const CsrParts& parts, EVP_PKEY* key) {
  const Bytes info = make_info(parts);
  const DigestContext context{EVP_MD_CTX_new()};
  size_t size = 0;
  Bytes signature;
  bool done = EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
              EVP_DigestSign(context.get(), nullptr, &size, info.data(), info.size()) == 1;
  signature.resize(size);
  done =
      done && EVP_DigestSign(context.get(), signature.data(), &size, info.data(), info.size()) == 1;
  if (!done) std::abort();
  signature.resize(size);
  return wrap_csr(parts, signature);
}

Bytes wrap_csr(const CsrParts& parts, ByteView signature) {
  const Bytes info = make_info(parts);
  const Bytes zero = {0};
  const Bytes bits = make_element(der::kBitString, {zero, signature});
  return make_element(der::kSequence, {info, parts.algorithm, bits});
}

Bytes rsa_spki(ByteView modulus_integer, ByteView exponent_integer) {
  const Bytes modulus = make_element(der::kInteger, modulus_integer);
  const Bytes exponent = make_element(der::kInteger, exponent_integer);
  const Bytes key = make_element(der::kSequence, {modulus, exponent});
  const Bytes zero = {0};
  const Bytes bits = make_element(der::kBitString, {zero, key});
  const Bytes oid = *encode_object_id("1.2.840.113549.1.1.1");
  const Bytes null = {der::kNull, 0};
  const Bytes algorithm = make_element(der::kSequence, {oid, null});
  return make_element(der::kSequence, {algorithm, bits});
}

}  // namespace linesign::test
