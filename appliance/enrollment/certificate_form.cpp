#include "appliance/enrollment/certificate_form.h"

#include <array>
#include <span>

#include <openssl/asn1.h>

#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/openssl_error.h"

namespace linesign {
namespace {

struct ExtensionRow {
  int nid;
  const char* value;  // in OpenSSL's notation
};

// The subject key identifier comes first: a self-signed authority key identifier copies it.
constexpr std::array kCaExtensions = {
    ExtensionRow{NID_subject_key_identifier, "hash"},
    ExtensionRow{NID_authority_key_identifier, "keyid:always"},
    ExtensionRow{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
    ExtensionRow{NID_key_usage, "critical,keyCertSign,cRLSign"},
};
constexpr std::array kServerExtensions = {
    ExtensionRow{NID_subject_key_identifier, "hash"},
    ExtensionRow{NID_authority_key_identifier, "keyid:always"},
    ExtensionRow{NID_basic_constraints, "critical,CA:FALSE"},
    ExtensionRow{NID_key_usage, "critical,digitalSignature"},
    ExtensionRow{NID_ext_key_usage, "serverAuth"},
    ExtensionRow{NID_subject_alt_name, "DNS:linesign-appliance"},
};
constexpr std::array kStationExtensions = {
    ExtensionRow{NID_subject_key_identifier, "hash"},
    ExtensionRow{NID_authority_key_identifier, "keyid:always"},
    ExtensionRow{NID_basic_constraints, "critical,CA:FALSE"},
    ExtensionRow{NID_key_usage, "critical,digitalSignature"},
    ExtensionRow{NID_ext_key_usage, "clientAuth"},
};

std::span<const ExtensionRow> extensions_of(CertificateForm form) {
  switch (form) {
    case CertificateForm::StationCa:
      return kCaExtensions;
    case CertificateForm::Server:
      return kServerExtensions;
    case CertificateForm::Station:
      break;
  }
  return kStationExtensions;
}

Result<void> set_serial(X509* certificate) {
  LS_TRY(const SerialNumber serial, make_serial());
  const BigNumber number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  if (number == nullptr ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr)
    return fail(openssl_error("setting a serial number"));
  return {};
}

Result<void> set_names(X509* certificate, const CertificateOrder& order) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>(order.common_name.data());
  const auto size = static_cast<int>(order.common_name.size());
  if (X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, text, size, -1, 0) != 1)
    return fail(openssl_error("setting a subject"));
  const X509_NAME* issuer = order.issuer != nullptr ? X509_get_subject_name(order.issuer) : subject;
  if (X509_set_issuer_name(certificate, issuer) != 1)
    return fail(openssl_error("setting an issuer"));
  return {};
}

Result<void> add_extensions(X509* certificate, const CertificateOrder& order) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509* issuer = order.issuer != nullptr ? order.issuer : certificate;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  for (const ExtensionRow& row : extensions_of(order.form)) {
    const X509Extension extension(X509V3_EXT_conf_nid(nullptr, &context, row.nid, row.value));
    if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1)
      return fail(openssl_error(OBJ_nid2sn(row.nid)));
  }
  return {};
}

}  // namespace

Result<X509Certificate> make_certificate(const CertificateOrder& order) {
  X509Certificate certificate(X509_new());
  if (certificate == nullptr || X509_set_version(certificate.get(), X509_VERSION_3) != 1)
    return fail(openssl_error("making a certificate"));
  LS_CHECK(set_serial(certificate.get()));
  LS_CHECK(set_names(certificate.get(), order));
  const auto seconds = [](UnixTime time) { return time.time_since_epoch().count(); };
  if (ASN1_TIME_set(X509_getm_notBefore(certificate.get()), seconds(order.not_before)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), seconds(order.not_after)) == nullptr ||
      X509_set_pubkey(certificate.get(), order.subject_key) != 1)
    return fail(openssl_error("filling a certificate"));
  LS_CHECK(add_extensions(certificate.get(), order));
  if (X509_sign(certificate.get(), order.issuer_key, EVP_sha256()) == 0)
    return fail(openssl_error("signing a certificate"));
  return certificate;
}

}  // namespace linesign
