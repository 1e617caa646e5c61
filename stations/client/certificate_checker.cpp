#include "stations/client/certificate_checker.h"

#include <algorithm>
#include <array>

#include "stations/client/der.h"
#include "stations/client/handles.h"
#include "stations/transport/tls_errors.h"

namespace linesign::client {
namespace {

struct SignatureAlgorithm {
  std::array<uint8_t, 9> oid;
  size_t oid_bytes;
  const char* digest;
};

// RFC 5758 section 3.2, RFC 8017 appendix A.2.4
constexpr std::array<SignatureAlgorithm, 6> kAlgorithms = {{
    {{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02}, 8, "SHA256"},
    {{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03}, 8, "SHA384"},
    {{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04}, 8, "SHA512"},
    {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b}, 9, "SHA256"},
    {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c}, 9, "SHA384"},
    {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d}, 9, "SHA512"},
}};

const char* digest_of(ByteView algorithm_identifier) {
  DerReader outer(algorithm_identifier);
  const auto sequence = outer.next(kDerSequence);
  if (!sequence) return nullptr;
  DerReader parts(sequence->content);
  const auto oid = parts.next(kDerOid);
  if (!oid) return nullptr;
  for (const SignatureAlgorithm& algorithm : kAlgorithms) {
    if (equal(oid->content, ByteView(algorithm.oid).first(algorithm.oid_bytes)))
      return algorithm.digest;
  }
  return nullptr;
}

Certificate read_certificate(ByteView der) {
  const uint8_t* cursor = der.data();
  Certificate certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  if (certificate && cursor != der.data() + der.size()) certificate.reset();
  return certificate;
}

tl::unexpected<Error> wrong(std::string what) {
  return fail(ErrorCode::CertificateWrong, std::move(what));
}

}  // namespace

struct CertificateChecker::State {
  Bytes issuer_name;
  Key issuer_key;
  DigestContext context;
  Store trusted;            // the last of the chain
  Certificates in_between;  // the others
  bool path_validated = false;

  Result<void> verify_signature(const CertificateOutline& certificate);
  Result<void> validate_path(ByteView certificate_der);
};

CertificateChecker::CertificateChecker(std::unique_ptr<State> state) : state_(std::move(state)) {}
CertificateChecker::CertificateChecker(CertificateChecker&&) noexcept = default;
CertificateChecker& CertificateChecker::operator=(CertificateChecker&&) noexcept = default;
CertificateChecker::~CertificateChecker() = default;

Result<CertificateChecker> CertificateChecker::open(const std::vector<Bytes>& issuer_chain) {
  if (issuer_chain.empty()) return fail(ErrorCode::CaCertificateInvalid, "no issuer");
  auto state = std::make_unique<State>();
  const auto outline = outline_certificate(issuer_chain.front());
  if (!outline) return fail(ErrorCode::CaCertificateInvalid, "the issuer does not parse");
  state->issuer_name = to_bytes(outline->subject);
  state->context.reset(EVP_MD_CTX_new());
  state->trusted.reset(X509_STORE_new());
  state->in_between.reset(sk_X509_new_null());
  if (!state->context || !state->trusted || !state->in_between)
    return fail(take_openssl_error(ErrorCode::CryptoFailed, "prepare the check"));
  for (const Bytes& der : issuer_chain) {
    Certificate certificate = read_certificate(der);
    if (!certificate)
      return fail(take_openssl_error(ErrorCode::CaCertificateInvalid, "issuer chain"));
    if (&der == &issuer_chain.front()) state->issuer_key.reset(X509_get_pubkey(certificate.get()));
    if (&der == &issuer_chain.back()) X509_STORE_add_cert(state->trusted.get(), certificate.get());
    if (sk_X509_push(state->in_between.get(), certificate.get()) > 0)
      static_cast<void>(certificate.release());
  }
  if (!state->issuer_key)
    return fail(take_openssl_error(ErrorCode::CaCertificateInvalid, "the issuer's key"));
  // The station trusts what the appliance says its issuer is, be it a root or not; and a station
  // whose clock is wrong must still be able to work.
  X509_STORE_set_flags(state->trusted.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
  return CertificateChecker(std::move(state));
}

Result<void> CertificateChecker::State::verify_signature(const CertificateOutline& certificate) {
  const char* digest = digest_of(certificate.signature_algorithm);
  if (digest == nullptr) return wrong("its signature algorithm is not known");
  if (EVP_DigestVerifyInit_ex(
          context.get(), nullptr, digest, nullptr, nullptr, issuer_key.get(), nullptr) != 1)
    return fail(take_openssl_error(ErrorCode::CryptoFailed, "prepare the verification"));
  if (EVP_DigestVerify(context.get(),
                       certificate.signature.data(),
                       certificate.signature.size(),
                       certificate.tbs.data(),
                       certificate.tbs.size()) != 1)
    return fail(take_openssl_error(ErrorCode::CertificateWrong, "its signature does not verify"));
  return {};
}

Result<void> CertificateChecker::State::validate_path(ByteView certificate_der) {
  const Certificate certificate = read_certificate(certificate_der);
  if (!certificate)
    return fail(take_openssl_error(ErrorCode::CertificateWrong, "it does not parse"));
  const StoreContext run(X509_STORE_CTX_new());
  if (!run ||
      X509_STORE_CTX_init(run.get(), trusted.get(), certificate.get(), in_between.get()) != 1)
    return fail(take_openssl_error(ErrorCode::CryptoFailed, "prepare the path validation"));
  if (X509_verify_cert(run.get()) != 1)
    return wrong(X509_verify_cert_error_string(X509_STORE_CTX_get_error(run.get())));
  return {};
}

Result<void> CertificateChecker::check(ByteView certificate_der, ByteView spki_of_request) {
  const auto outline = outline_certificate(certificate_der);
  if (!outline) return wrong("it does not parse");
  if (!equal(outline->spki, spki_of_request)) return wrong("it carries another public key");
  if (!equal(outline->issuer, state_->issuer_name)) return wrong("another CA issued it");
  LS_CHECK(state_->verify_signature(*outline));
  if (state_->path_validated) return {};
  LS_CHECK(state_->validate_path(certificate_der));
  state_->path_validated = true;
  return {};
}

}  // namespace linesign::client
