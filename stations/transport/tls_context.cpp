#include "stations/transport/tls_context.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "stations/transport/tls_errors.h"
#include "stations/transport/tls_handles.h"
#include "stations/transport/tls_time.h"

namespace linesign {
namespace {

using ContextPointer = std::shared_ptr<SSL_CTX>;

// AES-128-GCM first: the fastest with AES instructions, and as strong as the P-256 keys around it.
constexpr const char* kCipherSuites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kGroups = "X25519:P-256:P-384";

// What the other side may send of certificates, before it is known: ours have less than 2 KiB each.
constexpr long kMaxCertificatesBytes = 16 * 1024;

// A PEM file that is encrypted is an error, not a question on the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) { return -1; }

tls::Bio open_text(std::string_view text) {
  return tls::Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<tls::Certificates> read_certificates(std::string_view pem, std::string_view what) {
  const tls::Bio bio = open_text(pem);
  tls::Certificates certificates(sk_X509_new_null());
  if (bio == nullptr || certificates == nullptr)
    return fail(take_openssl_error(ErrorCode::CryptoFailed, what));
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr))
    sk_X509_push(certificates.get(), next);
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_end || sk_X509_num(certificates.get()) == 0)
    return fail(take_openssl_error(ErrorCode::CryptoFailed, what));
  ERR_clear_error();
  return certificates;
}

// The purpose check of OpenSSL accepts a certificate without any EKU; ours are always explicit, so
// one without is from somewhere else.
bool has_purpose(X509* certificate, uint32_t purpose) {
  const uint32_t purposes = X509_get_extended_key_usage(certificate);
  return purposes != UINT32_MAX && (purposes & purpose) != 0;
}

int check_explicit_purpose(int accepted, X509_STORE_CTX* store, uint32_t purpose) {
  if (accepted != 1 || X509_STORE_CTX_get_error_depth(store) != 0) return accepted;
  if (has_purpose(X509_STORE_CTX_get_current_cert(store), purpose)) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_PURPOSE);
  return 0;
}

int check_station(int accepted, X509_STORE_CTX* store) {
  return check_explicit_purpose(accepted, store, XKU_SSL_CLIENT);
}

// Leaves with the connection what a client's clock and a certificate disagree about. A chain that
// is out of date has passed every check before that one.
void note_validity(X509_STORE_CTX* store) {
  const int error = X509_STORE_CTX_get_error(store);
  if (error != X509_V_ERR_CERT_NOT_YET_VALID && error != X509_V_ERR_CERT_HAS_EXPIRED) return;
  auto* const connection =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* const note = static_cast<std::string*>(SSL_get_app_data(connection));
  const X509* const certificate = X509_STORE_CTX_get_current_cert(store);
  const auto not_before = to_unix_time(X509_get0_notBefore(certificate));
  const auto not_after = to_unix_time(X509_get0_notAfter(certificate));
  if (note == nullptr || !not_before.has_value() || !not_after.has_value()) return;
  *note = fmt::format(
      "this machine's time is {}, but the appliance's certificate is valid from {} until {}; set "
      "the clock. If the clock is right, restart linesignd, which renews its certificate",
      to_iso8601(SystemClock().now()),
      to_iso8601(*not_before),
      to_iso8601(*not_after));
}

int check_appliance(int accepted, X509_STORE_CTX* store) {
  if (accepted != 1) note_validity(store);
  return check_explicit_purpose(accepted, store, XKU_SSL_SERVER);
}

bool has_fingerprint(X509* certificate, const Sha256& wanted) {
  Sha256 hash{};
  unsigned length = 0;
  return X509_digest(certificate, EVP_sha256(), hash.data(), &length) == 1 && hash == wanted;
}

// Verifies the chain as always, but trusts in it the one CA that has the token's fingerprint.
int verify_by_fingerprint(X509_STORE_CTX* store, void* fingerprint) {
  const auto& wanted = *static_cast<const Sha256*>(fingerprint);
  STACK_OF(X509)* shown = X509_STORE_CTX_get0_untrusted(store);
  STACK_OF(X509)* trusted = sk_X509_new_null();  // borrows its element
  for (int i = 1; trusted != nullptr && i < sk_X509_num(shown); ++i) {
    if (has_fingerprint(sk_X509_value(shown, i), wanted))
      sk_X509_push(trusted, sk_X509_value(shown, i));
  }
  X509_STORE_CTX_set0_trusted_stack(store, trusted);
  const int accepted = X509_verify_cert(store);
  X509_STORE_CTX_set0_trusted_stack(store, nullptr);
  sk_X509_free(trusted);
  return accepted;
}

// Without this extension OpenSSL would not ask select_alpn and go on without a protocol.
int require_alpn(SSL* connection, int* alert, void* /*user*/) {
  const unsigned char* data = nullptr;
  size_t size = 0;
  if (SSL_client_hello_get0_ext(
          connection, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &size) == 1)
    return SSL_CLIENT_HELLO_SUCCESS;
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

// The chosen protocol decides whether a certificate is demanded; the context demands one unless we
// say otherwise here.
int select_alpn(SSL* connection,
                const unsigned char** chosen,
                unsigned char* chosen_size,
                const unsigned char* offered,
                unsigned offered_size,
                void* /*user*/) {
  const std::string_view list(reinterpret_cast<const char*>(offered), offered_size);
  for (const std::string_view ours : {kStationAlpn, kEnrollmentAlpn}) {
    for (size_t at = 0; at < list.size(); at += 1 + static_cast<uint8_t>(list[at])) {
      const std::string_view name = list.substr(at + 1, static_cast<uint8_t>(list[at]));
      if (name != ours) continue;
      *chosen = reinterpret_cast<const unsigned char*>(name.data());
      *chosen_size = static_cast<unsigned char>(name.size());
      if (ours == kEnrollmentAlpn) SSL_set_verify(connection, SSL_VERIFY_NONE, nullptr);
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<ContextPointer> new_context(const SSL_METHOD* method) {
  ContextPointer context(SSL_CTX_new(method), SSL_CTX_free);
  if (context == nullptr) return fail(take_openssl_error(ErrorCode::CryptoFailed, "SSL_CTX_new"));
  SSL_CTX* raw = context.get();
  SSL_CTX_set_options(raw,
                      SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                          SSL_OP_CIPHER_SERVER_PREFERENCE);
  // 1,000 idle stations must not hold 32 KiB of record buffers each.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(raw, kMaxCertificatesBytes);
  SSL_CTX_set_verify_depth(raw, 0);  // no CA between the certificate and the one we trust
  const bool ok = SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) == 1 &&
                  SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) == 1 &&
                  SSL_CTX_set_ciphersuites(raw, kCipherSuites) == 1 &&
                  SSL_CTX_set1_groups_list(raw, kGroups) == 1 &&
                  SSL_CTX_set_num_tickets(raw, 0) == 1;
  if (!ok) return fail(take_openssl_error(ErrorCode::CryptoFailed, "TLS settings"));
  return context;
}

Result<void> use_credential(SSL_CTX* context, const TlsCredential& own) {
  LS_TRY(const tls::Certificates chain, read_certificates(own.certificate_pem, "own certificate"));
  const tls::Bio bio = open_text(own.private_key_pem);
  const tls::Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (key == nullptr) return fail(take_openssl_error(ErrorCode::CryptoFailed, "own private key"));
  const tls::Certificate leaf(sk_X509_shift(chain.get()));
  if (SSL_CTX_use_cert_and_key(context, leaf.get(), key.get(), chain.get(), 1) != 1)
    return fail(take_openssl_error(ErrorCode::CryptoFailed, "own certificate and key"));
  return {};
}

Result<void> trust(SSL_CTX* context, std::string_view ca_pem) {
  LS_TRY(const tls::Certificates cas, read_certificates(ca_pem, "station CA"));
  X509* ca = sk_X509_value(cas.get(), 0);
  if (sk_X509_num(cas.get()) != 1)
    return fail(ErrorCode::CryptoFailed, "station CA: exactly one certificate is expected");
  if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca) != 1 ||
      SSL_CTX_add_client_CA(context, ca) != 1)
    return fail(take_openssl_error(ErrorCode::CryptoFailed, "station CA"));
  return {};
}

Result<void> speak_alpn(SSL_CTX* context, std::string_view name) {
  std::string list(1, static_cast<char>(name.size()));
  list += name;
  const ByteView bytes = as_bytes(list);
  // This one function returns 0 for success.
  if (SSL_CTX_set_alpn_protos(context, bytes.data(), static_cast<unsigned>(bytes.size())) != 0)
    return fail(take_openssl_error(ErrorCode::CryptoFailed, "ALPN"));
  return {};
}

// What a client insists on beyond the chain.
Result<void> expect_appliance(SSL_CTX* context) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, check_appliance);
  X509_VERIFY_PARAM* wanted = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(
      wanted, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS);
  if (X509_VERIFY_PARAM_set1_host(wanted, kApplianceDnsName.data(), kApplianceDnsName.size()) != 1)
    return fail(take_openssl_error(ErrorCode::CryptoFailed, "expected name"));
  return {};
}

}  // namespace

Result<TlsContext> TlsContext::for_appliance(const TlsCredential& own,
                                             std::string_view station_ca_pem) {
  ERR_clear_error();
  LS_TRY(ContextPointer context, new_context(TLS_server_method()));
  LS_CHECK(use_credential(context.get(), own));
  LS_CHECK(trust(context.get(), station_ca_pem));
  SSL_CTX_set_verify(
      context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, check_station);
  SSL_CTX_set_client_hello_cb(context.get(), require_alpn, nullptr);
  SSL_CTX_set_alpn_select_cb(context.get(), select_alpn, nullptr);
  return TlsContext(Role::Appliance, std::move(context));
}

Result<TlsContext> TlsContext::for_station(const TlsCredential& own,
                                           std::string_view station_ca_pem) {
  ERR_clear_error();
  LS_TRY(ContextPointer context, new_context(TLS_client_method()));
  LS_CHECK(use_credential(context.get(), own));
  LS_CHECK(trust(context.get(), station_ca_pem));
  LS_CHECK(speak_alpn(context.get(), kStationAlpn));
  LS_CHECK(expect_appliance(context.get()));
  return TlsContext(Role::Station, std::move(context));
}

Result<TlsContext> TlsContext::for_enrollment(const Sha256& ca_fingerprint) {
  ERR_clear_error();
  LS_TRY(ContextPointer inner, new_context(TLS_client_method()));
  LS_CHECK(speak_alpn(inner.get(), kEnrollmentAlpn));
  LS_CHECK(expect_appliance(inner.get()));
  // The fingerprint lives as long as the last copy of the context.
  auto fingerprint = std::make_shared<Sha256>(ca_fingerprint);
  SSL_CTX* raw = inner.get();
  SSL_CTX_set_cert_verify_callback(raw, verify_by_fingerprint, fingerprint.get());
  ContextPointer context(raw, [inner, fingerprint](SSL_CTX* /*owned by inner*/) {});
  return TlsContext(Role::Enrollment, std::move(context));
}

}  // namespace linesign
