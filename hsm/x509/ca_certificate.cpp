#include "hsm/x509/ca_certificate.h"

#include <array>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "hsm/x509/algorithm_ids.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/digest.h"
#include "hsm/x509/name_text.h"
#include "hsm/x509/openssl_error.h"
#include "hsm/x509/public_key_info.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr size_t kMaxPemBytes = 256 * 1024;
constexpr size_t kMaxChain = 16;

struct AlgorithmRow {
  ByteView algorithm;
  DigestKind digest;
};

// In the order of KeyType.
constexpr std::array<AlgorithmRow, 5> kAlgorithms = {{
    {algorithm_id::kEcdsaSha256, DigestKind::Bits256},
    {algorithm_id::kEcdsaSha384, DigestKind::Bits384},
    {algorithm_id::kRsaSha256, DigestKind::Bits256},
    {algorithm_id::kRsaSha256, DigestKind::Bits256},
    {algorithm_id::kRsaSha256, DigestKind::Bits256},
}};

const AlgorithmRow& algorithm_row(KeyType type) { return kAlgorithms[static_cast<size_t>(type)]; }

tl::unexpected<Error> invalid(std::string what) {
  clear_openssl_errors();
  return fail(ErrorCode::CaCertificateInvalid, std::move(what));
}

// What an i2d function of OpenSSL makes of an object.
template <typename T>
Bytes encode_with(int (*encode)(T*, unsigned char**), T* object) {
  const int size = encode(object, nullptr);
  if (size <= 0) return {};
  Bytes der(static_cast<size_t>(size));
  unsigned char* end = der.data();
  encode(object, &end);
  return der;
}

Result<X509Certificate> decode_certificate(ByteView der) {
  const unsigned char* position = der.data();
  X509Certificate certificate{d2i_X509(nullptr, &position, static_cast<long>(der.size()))};
  if (certificate == nullptr) return invalid("it is not an X.509 certificate in DER");
  if (position != der.data() + der.size()) return invalid("there are bytes after its end");
  return certificate;
}

Result<UnixTime> read_time(const ASN1_TIME* time, std::string_view what) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) {
    return invalid(fmt::format("{} is not a time", what));
  }
  const std::chrono::year_month_day date{
      std::chrono::year(parts.tm_year + 1900),
      std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)),
      std::chrono::day(static_cast<unsigned>(parts.tm_mday))};
  if (!date.ok()) return invalid(fmt::format("{} is not a date", what));
  return UnixTime(std::chrono::sys_days(date)) + std::chrono::hours(parts.tm_hour) +
         std::chrono::minutes(parts.tm_min) + std::chrono::seconds(parts.tm_sec);
}

// RFC 5280 sections 4.2.1.9 and 4.2.1.3: what makes a certificate one of a CA.
Result<void> check_is_ca(X509* certificate) {
  if (X509_get_version(certificate) != X509_VERSION_3) return invalid("it is not of version 3");
  const uint32_t flags = X509_get_extension_flags(certificate);
  if ((flags & EXFLAG_INVALID) != 0) return invalid("its extensions are not valid");
  if ((flags & EXFLAG_CRITICAL) != 0) return invalid("it has an unknown critical extension");
  if ((flags & EXFLAG_CA) == 0) return invalid("basicConstraints does not say CA:TRUE");
  const int position = X509_get_ext_by_NID(certificate, NID_basic_constraints, -1);
  if (X509_EXTENSION_get_critical(X509_get_ext(certificate, position)) != 1) {
    return invalid("basicConstraints is not critical");
  }
  if ((flags & EXFLAG_KUSAGE) == 0 || (X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) == 0) {
    return invalid("keyUsage does not hold keyCertSign");
  }
  return {};
}

Result<KeyType> read_key_type(ByteView spki) {
  DerReader reader(spki);
  auto info = read_public_key_info(reader);
  if (!info) return invalid(fmt::format("its public key: {}", info.error().to_string()));
  return info->key_type;
}

// The certificates of a PEM file, in its order.
Result<std::vector<X509Certificate>> read_pem(ByteView pem) {
  const Bio bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  if (bio == nullptr) return fail(openssl_error("reading PEM"));
  std::vector<X509Certificate> certificates;
  while (true) {
    X509Certificate next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
    if (next == nullptr) break;
    certificates.push_back(std::move(next));
    if (certificates.size() > 1 + kMaxChain) return invalid("the chain is too long");
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  clear_openssl_errors();
  if (!at_end) return invalid("a certificate in the file is damaged");
  if (certificates.empty()) return invalid("the file holds no PEM certificate");
  return certificates;
}

Result<void> check_chain(const std::vector<X509Certificate>& certificates) {
  for (size_t i = 0; i + 1 < certificates.size(); ++i) {
    X509* const issuer = certificates[i + 1].get();
    EVP_PKEY* const key = X509_get0_pubkey(issuer);
    if (key == nullptr || X509_check_issued(issuer, certificates[i].get()) != X509_V_OK ||
        X509_verify(certificates[i].get(), key) != 1) {
      return invalid(
          fmt::format("certificate {} of the file did not issue the one before it", i + 2));
    }
  }
  return {};
}

}  // namespace

struct CaCertificate::State {
  Bytes der;
  std::vector<Bytes> chain_der;
  Bytes subject;
  Bytes subject_key_id;
  Bytes spki;
  KeyType key_type = KeyType::EcP256;
  UnixTime not_before{};
  UnixTime not_after{};
  X509Certificate certificate;
  std::string subject_text;

  static Result<std::shared_ptr<State>> make(ByteView der);
};

Result<std::shared_ptr<CaCertificate::State>> CaCertificate::State::make(ByteView der) {
  auto state = std::make_shared<State>();
  state->der = to_bytes(der);
  LS_TRY(state->certificate, decode_certificate(der));
  X509* const certificate = state->certificate.get();
  LS_CHECK(check_is_ca(certificate));
  X509_NAME* const subject = X509_get_subject_name(certificate);
  if (X509_NAME_entry_count(subject) == 0) return invalid("its subject is empty");
  state->subject = encode_with<const X509_NAME>(i2d_X509_NAME, subject);
  state->subject_text = name_text(subject);
  const ASN1_OCTET_STRING* const key_id = X509_get0_subject_key_id(certificate);
  if (key_id == nullptr || ASN1_STRING_length(key_id) == 0) {
    return invalid("it has no subject key identifier");
  }
  const unsigned char* const key_id_octets = ASN1_STRING_get0_data(key_id);
  state->subject_key_id.assign(key_id_octets, key_id_octets + ASN1_STRING_length(key_id));
  state->spki = encode_with<const X509_PUBKEY>(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(certificate));
  LS_TRY(state->key_type, read_key_type(state->spki));
  if (X509_get0_pubkey(certificate) == nullptr) return invalid("its public key cannot be used");
  LS_TRY(state->not_before, read_time(X509_get0_notBefore(certificate), "notBefore"));
  LS_TRY(state->not_after, read_time(X509_get0_notAfter(certificate), "notAfter"));
  if (state->not_after < state->not_before) return invalid("it ends before it begins");
  return state;
}

CaCertificate::CaCertificate(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Result<CaCertificate> CaCertificate::from_der(ByteView der) {
  LS_TRY(std::shared_ptr<const State> state, State::make(der));
  return CaCertificate(std::move(state));
}

Result<CaCertificate> CaCertificate::load(const std::filesystem::path& pem_file) {
  LS_TRY(const Bytes pem, read_file(pem_file, kMaxPemBytes));
  const auto with_file = [&](const Error& error) {
    return fail(error.with_context(pem_file.string()));
  };
  auto certificates = read_pem(pem);
  if (!certificates) return with_file(certificates.error());
  auto state = State::make(encode_with<const X509>(i2d_X509, certificates->front().get()));
  if (!state) return with_file(state.error());
  const auto chain = check_chain(*certificates);
  if (!chain) return with_file(chain.error());
  for (size_t i = 1; i < certificates->size(); ++i) {
    (*state)->chain_der.push_back(encode_with<const X509>(i2d_X509, (*certificates)[i].get()));
  }
  return CaCertificate(*std::move(state));
}

ByteView CaCertificate::der() const { return state_->der; }
const std::vector<Bytes>& CaCertificate::chain_der() const { return state_->chain_der; }
ByteView CaCertificate::subject() const { return state_->subject; }
ByteView CaCertificate::subject_key_id() const { return state_->subject_key_id; }
ByteView CaCertificate::spki() const { return state_->spki; }
KeyType CaCertificate::key_type() const { return state_->key_type; }
UnixTime CaCertificate::not_before() const { return state_->not_before; }
UnixTime CaCertificate::not_after() const { return state_->not_after; }
EVP_PKEY* CaCertificate::public_key() const { return X509_get0_pubkey(state_->certificate.get()); }
std::string CaCertificate::subject_text() const { return state_->subject_text; }
std::string CaCertificate::pem() const { return certificate_pem(state_->der); }

ByteView signature_algorithm_der(KeyType ca_key) { return algorithm_row(ca_key).algorithm; }

const EVP_MD* signature_digest(KeyType ca_key) {
  return digest_method(algorithm_row(ca_key).digest);
}

Result<SignatureVerifier> SignatureVerifier::create(const CaCertificate& ca) {
  EvpKeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, ca.public_key(), nullptr)};
  if (context == nullptr || EVP_PKEY_verify_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_signature_md(context.get(), signature_digest(ca.key_type())) != 1) {
    return fail(openssl_error("preparing the check of signatures"));
  }
  if (is_rsa(ca.key_type()) &&
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1) {
    return fail(openssl_error("preparing the check of RSA signatures"));
  }
  return SignatureVerifier(std::move(context));
}

Result<void> SignatureVerifier::verify(ByteView digest, ByteView signature) {
  const int verified = EVP_PKEY_verify(
      context_.get(), signature.data(), signature.size(), digest.data(), digest.size());
  if (verified == 1) return {};
  clear_openssl_errors();
  return fail(ErrorCode::HsmSignatureWrong);
}

}  // namespace linesign
