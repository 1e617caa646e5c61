#include "hsm/sizing/expired_ca.h"

#include <array>
#include <string_view>

#include <openssl/ec.h>

#include "hsm/x509/handles.h"
#include "hsm/x509/openssl_error.h"

namespace linesign {
namespace {

constexpr std::string_view kName = "linesign sizing: not a CA";
constexpr time_t kNotBefore = 0;
constexpr time_t kNotAfter = 24 * 60 * 60;
// The key identifier of no key, so that nobody finds an issuer by it either.
constexpr std::string_view kKeyId = "0000000000000000000000000000000000000000";

struct ExtensionText {
  int nid;
  const char* text;
};
constexpr std::array<ExtensionText, 3> kExtensions = {{
    {NID_basic_constraints, "critical,CA:TRUE"},
    {NID_key_usage, "critical,keyCertSign"},
    {NID_subject_key_identifier, kKeyId.data()},
}};

bool add_extensions(X509* certificate) {
  for (const auto& [nid, text] : kExtensions) {
    const X509Extension extension{X509V3_EXT_conf_nid(nullptr, nullptr, nid, text)};
    if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1) return false;
  }
  return true;
}

bool fill(X509* certificate, EVP_PKEY* public_key) {
  X509_NAME* const subject = X509_get_subject_name(certificate);
  const auto* name = reinterpret_cast<const unsigned char*>(kName.data());
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
         X509_NAME_add_entry_by_NID(
             subject, NID_commonName, MBSTRING_UTF8, name, static_cast<int>(kName.size()), -1, 0) ==
             1 &&
         X509_set_issuer_name(certificate, subject) == 1 &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), kNotBefore) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), kNotAfter) != nullptr &&
         X509_set_pubkey(certificate, public_key) == 1 && add_extensions(certificate);
}

}  // namespace

Result<CaCertificate> make_expired_ca(const CaCertificate& ca) {
  const X509Certificate certificate{X509_new()};
  // The signature has to be there and need not be right: nobody looks at it.
  const EvpKey any_key{EVP_EC_gen("P-256")};
  if (certificate == nullptr || any_key == nullptr || !fill(certificate.get(), ca.public_key()) ||
      X509_sign(certificate.get(), any_key.get(), EVP_sha256()) <= 0)
    return fail(openssl_error("making the expired CA of a measurement"));
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate.get(), &der);
  if (size <= 0) return fail(openssl_error("making the expired CA of a measurement"));
  const Bytes copy(der, der + size);
  OPENSSL_free(der);
  return CaCertificate::from_der(copy);
}

Profile sizing_profile() {
  Profile profile;
  profile.backdate = std::chrono::seconds(0);
  profile.validity = std::chrono::hours(1);
  return profile;
}

}  // namespace linesign
