#include "hsm/ceremony/ca_documents.h"

#include <array>

#include <fmt/format.h>
#include <openssl/pem.h>

#include "hsm/pkcs11/openssl_errors.h"
#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/openssl_error.h"

namespace linesign {
namespace {

using Extensions = std::unique_ptr<STACK_OF(X509_EXTENSION), decltype([](auto* stack) {
                                     sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
                                   })>;

constexpr const char* kNoExpiryTime = "99991231235959Z";  // RFC 5280 section 4.1.2.5

Result<X509Subject> make_subject(const CeremonyPlan& plan) {
  X509Subject name(X509_NAME_new());
  if (!name) return fail(openssl_error("X509_NAME_new"));
  for (const auto& [field, value] : plan.subject) {
    const auto* text = reinterpret_cast<const unsigned char*>(value.data());
    if (X509_NAME_add_entry_by_txt(name.get(),
                                   field.c_str(),
                                   MBSTRING_UTF8,
                                   text,
                                   static_cast<int>(value.size()),
                                   -1,
                                   0) != 1)
      return fail(openssl_error(fmt::format("subject field '{}={}'", field, value)));
  }
  return name;
}

Result<X509Extension> make_extension(X509V3_CTX* context, int nid, const std::string& value) {
  X509Extension extension(X509V3_EXT_conf_nid(nullptr, context, nid, value.c_str()));
  if (!extension) return fail(openssl_error(fmt::format("extension {}", OBJ_nid2sn(nid))));
  return extension;
}

std::string basic_constraints(const CeremonyPlan& plan) {
  return fmt::format("critical,CA:TRUE,pathlen:{}", plan.path_length);
}
constexpr const char* kKeyUsage = "critical,keyCertSign,cRLSign";

Result<void> add_extensions(X509* certificate, const CeremonyPlan& plan) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  // In this order: the authority key id of a root is its subject key id.
  const std::array<std::pair<int, std::string>, 4> wanted = {
      {{NID_basic_constraints, basic_constraints(plan)},
       {NID_key_usage, kKeyUsage},
       {NID_subject_key_identifier, "hash"},
       {NID_authority_key_identifier, "keyid:always"}}};
  for (const auto& [nid, value] : wanted) {
    LS_TRY(const X509Extension extension, make_extension(&context, nid, value));
    if (X509_add_ext(certificate, extension.get(), -1) != 1)
      return fail(openssl_error("X509_add_ext"));
  }
  return {};
}

Result<void> set_serial(X509* certificate) {
  LS_TRY(const SerialNumber serial, make_serial());
  const BigNumber number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  if (!number || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr)
    return fail(openssl_error("serial number"));
  return {};
}

Result<void> set_validity(X509* certificate, const CeremonyPlan& plan, UnixTime not_before) {
  const time_t start = not_before.time_since_epoch().count();
  // Both ends belong to the validity, hence one second less.
  const time_t end = start + plan.validity.count() - 1;
  ASN1_TIME* after = X509_getm_notAfter(certificate);
  const bool set = ASN1_TIME_set(X509_getm_notBefore(certificate), start) != nullptr &&
                   (plan.no_expiry ? ASN1_TIME_set_string(after, kNoExpiryTime) == 1
                                   : ASN1_TIME_set(after, end) != nullptr);
  if (!set) return fail(openssl_error("validity"));
  return {};
}

template <auto Encode, typename T>
Result<Bytes> to_der(T* object) {
  unsigned char* raw = nullptr;
  const int size = Encode(object, &raw);
  if (size <= 0) return fail(openssl_error("DER encoding"));
  Bytes der(raw, raw + size);
  OPENSSL_free(raw);
  return der;
}

Result<void> add_requested_extensions(X509_REQ* request, const CeremonyPlan& plan) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, nullptr, nullptr, request, nullptr, 0);
  Extensions extensions(sk_X509_EXTENSION_new_null());
  if (!extensions) return fail(openssl_error("extensions"));
  const std::array<std::pair<int, std::string>, 3> wanted = {
      {{NID_basic_constraints, basic_constraints(plan)},
       {NID_key_usage, kKeyUsage},
       {NID_subject_key_identifier, "hash"}}};
  for (const auto& [nid, value] : wanted) {
    LS_TRY(X509Extension extension, make_extension(&context, nid, value));
    if (sk_X509_EXTENSION_push(extensions.get(), extension.get()) <= 0)
      return fail(openssl_error("extensions"));
    static_cast<void>(extension.release());  // the stack owns it
  }
  if (X509_REQ_add_extensions(request, extensions.get()) != 1)
    return fail(openssl_error("X509_REQ_add_extensions"));
  return {};
}

}  // namespace

Result<Bytes> make_root_certificate(const CeremonyPlan& plan,
                                    const CaKeyPair& keys,
                                    UnixTime not_before) {
  const X509Certificate certificate(X509_new());
  LS_TRY(const X509Subject subject, make_subject(plan));
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      X509_set_subject_name(certificate.get(), subject.get()) != 1 ||
      X509_set_issuer_name(certificate.get(), subject.get()) != 1 ||
      X509_set_pubkey(certificate.get(), keys.public_key) != 1)
    return fail(openssl_error("CA certificate"));
  LS_CHECK(set_serial(certificate.get()));
  LS_CHECK(set_validity(certificate.get(), plan, not_before));
  LS_CHECK(add_extensions(certificate.get(), plan));
  clear_openssl_errors();
  if (X509_sign(certificate.get(), keys.signing_key, signature_digest(plan.key_type)) <= 0)
    return fail(take_openssl_error("C_Sign of the CA certificate"));
  if (X509_verify(certificate.get(), keys.public_key) != 1) {
    clear_openssl_errors();
    return fail(ErrorCode::HsmSignatureWrong, "the CA certificate's own signature");
  }
  return to_der<i2d_X509>(certificate.get());
}

Result<Bytes> make_csr_for_ca(const CeremonyPlan& plan, const CaKeyPair& keys) {
  const X509Request request(X509_REQ_new());
  LS_TRY(const X509Subject subject, make_subject(plan));
  if (!request || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_subject_name(request.get(), subject.get()) != 1 ||
      X509_REQ_set_pubkey(request.get(), keys.public_key) != 1)
    return fail(openssl_error("CSR"));
  LS_CHECK(add_requested_extensions(request.get(), plan));
  clear_openssl_errors();
  if (X509_REQ_sign(request.get(), keys.signing_key, signature_digest(plan.key_type)) <= 0)
    return fail(take_openssl_error("C_Sign of the CSR"));
  if (X509_REQ_verify(request.get(), keys.public_key) != 1) {
    clear_openssl_errors();
    return fail(ErrorCode::HsmSignatureWrong, "the CSR's own signature");
  }
  return to_der<i2d_X509_REQ>(request.get());
}

std::string csr_pem(ByteView der) {
  const Bio memory(BIO_new(BIO_s_mem()));
  if (!memory ||
      PEM_write_bio(
          memory.get(), PEM_STRING_X509_REQ, "", der.data(), static_cast<long>(der.size())) <= 0)
    return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

Result<Bytes> encode_public_key(EVP_PKEY* key) { return to_der<i2d_PUBKEY>(key); }

}  // namespace linesign
