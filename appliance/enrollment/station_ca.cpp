#include "appliance/enrollment/station_ca.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <openssl/pem.h>
#include <openssl/rand.h>

#include "appliance/enrollment/certificate_form.h"
#include "hsm/x509/csr.h"
#include "hsm/x509/handles.h"
#include "hsm/x509/openssl_error.h"
#include "hsm/x509/proof_verifier.h"
#include "protocol/base/file.h"
#include "protocol/base/secret.h"

namespace linesign {
namespace {

constexpr const char* kCaKeyName = "station-ca.key";
constexpr const char* kCaCertificateName = "station-ca.pem";
constexpr const char* kServerKeyName = "server.key";
constexpr const char* kServerCertificateName = "server.pem";
constexpr size_t kMaxFileBytes = 64 * 1024;

constexpr std::chrono::days kCaValidity(365 * 20);
constexpr std::chrono::days kServerValidity(365 * 5);
constexpr std::chrono::days kServerRenewal(365);
// Stations' clocks are not always right.
constexpr std::chrono::hours kBackdate(24);

struct Credential {
  EvpKey key;
  X509Certificate certificate;
};

Result<EvpKey> make_key() {
  EvpKey key(EVP_EC_gen("P-256"));
  if (key == nullptr) return fail(openssl_error("making a key"));
  return key;
}

Result<std::string> read_bio(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  if (size <= 0) return fail(openssl_error("writing PEM"));
  return std::string(data, static_cast<size_t>(size));
}

Result<std::string> key_pem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (bio == nullptr ||
      PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail(openssl_error("writing a key"));
  return read_bio(bio.get());
}

Result<std::string> certificate_text(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || PEM_write_bio_X509(bio.get(), certificate) != 1)
    return fail(openssl_error("writing a certificate"));
  return read_bio(bio.get());
}

Result<Bytes> certificate_der_of(X509* certificate) {
  unsigned char* data = nullptr;
  const int size = i2d_X509(certificate, &data);
  if (size <= 0) return fail(openssl_error("encoding a certificate"));
  Bytes der(data, data + size);
  OPENSSL_free(data);
  return der;
}

std::optional<UnixTime> time_of(const ASN1_TIME* value) {
  const std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, epoch.get(), value) != 1) return std::nullopt;
  return UnixTime(std::chrono::days(days) + std::chrono::seconds(seconds));
}

// Both files, and the key is the certificate's.
Result<Credential> load(const std::filesystem::path& key_file,
                        const std::filesystem::path& certificate_file) {
  LS_TRY(const SecretBytes key_text, read_secret_file(key_file, kMaxFileBytes));
  LS_TRY(const Bytes certificate_pem, read_file(certificate_file, kMaxFileBytes));
  const Bio key_bio(BIO_new_mem_buf(key_text.reveal().data(), static_cast<int>(key_text.size())));
  const Bio certificate_bio(
      BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size())));
  // An empty password instead of OpenSSL's question on the terminal.
  std::array<char, 1> no_password{};
  Credential loaded;
  loaded.key.reset(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, no_password.data()));
  loaded.certificate.reset(
      PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, no_password.data()));
  if (loaded.key == nullptr)
    return fail(ErrorCode::Io, key_file.string() + ": " + openssl_error("no key").detail());
  if (loaded.certificate == nullptr)
    return fail(ErrorCode::Io,
                certificate_file.string() + ": " + openssl_error("no certificate").detail());
  if (X509_check_private_key(loaded.certificate.get(), loaded.key.get()) != 1) {
    clear_openssl_errors();
    return fail(ErrorCode::Io, key_file.string() + ": not the key of the certificate beside it");
  }
  return loaded;
}

// The key first: a certificate without its key would be of no use.
Result<void> save(const std::filesystem::path& key_file,
                  const std::filesystem::path& certificate_file,
                  const Credential& credential) {
  LS_TRY(std::string key, key_pem(credential.key.get()));
  const SecretBytes secret(to_bytes(key));
  OPENSSL_cleanse(key.data(), key.size());
  LS_CHECK(
      write_file_atomic(key_file, secret.reveal(), 0600, Overwrite::Replace, Durability::Synced));
  LS_TRY(const std::string certificate, certificate_text(credential.certificate.get()));
  return write_file_atomic(
      certificate_file, as_bytes(certificate), 0600, Overwrite::Replace, Durability::Synced);
}

Result<Credential> make_ca(UnixTime now) {
  std::array<uint8_t, 8> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
    return fail(openssl_error("random bytes"));
  Credential made;
  LS_TRY(made.key, make_key());
  LS_TRY(made.certificate,
         make_certificate({.form = CertificateForm::StationCa,
                           .common_name = "linesign station CA " + to_hex(random),
                           .not_before = now - kBackdate,
                           .not_after = now + kCaValidity,
                           .subject_key = made.key.get(),
                           .issuer_key = made.key.get(),
                           .issuer = nullptr}));
  return made;
}

// Nothing where the first start makes it.
Result<std::optional<Credential>> find_ca(const std::filesystem::path& directory) {
  std::error_code ignored;
  const auto exists = [&](const char* name) {
    return std::filesystem::exists(directory / name, ignored);
  };
  const bool has_both = exists(kCaKeyName) && exists(kCaCertificateName);
  if (has_both) {
    LS_TRY(Credential loaded, load(directory / kCaKeyName, directory / kCaCertificateName));
    return std::optional(std::move(loaded));
  }
  // The server's certificate is made last, so without it the first start did not come to its end
  // and nobody has seen this CA. With it the CA was in use, and a new one would lock stations out.
  if (exists(kServerCertificateName))
    return fail(ErrorCode::Io, directory.string() + ": a file of the station CA is missing");
  return std::optional<Credential>();
}

Result<Credential> open_ca(const std::filesystem::path& directory, UnixTime now) {
  LS_TRY(std::optional<Credential> found, find_ca(directory));
  if (found.has_value()) return std::move(*found);
  LS_TRY(Credential made, make_ca(now));
  LS_CHECK(save(directory / kCaKeyName, directory / kCaCertificateName, made));
  return made;
}

Result<Credential> make_server(const Credential& ca, UnixTime now, UnixTime ca_not_after) {
  Credential made;
  LS_TRY(made.key, make_key());
  LS_TRY(made.certificate,
         make_certificate({.form = CertificateForm::Server,
                           .common_name = kServerName,
                           .not_before = now - kBackdate,
                           .not_after = std::min(now + kServerValidity, ca_not_after),
                           .subject_key = made.key.get(),
                           .issuer_key = ca.key.get(),
                           .issuer = ca.certificate.get()}));
  return made;
}

// Good for another year, or for as long as the CA itself; begun; and the CA's own.
bool is_good(const Credential& server, const Credential& ca, UnixTime now, UnixTime ca_not_after) {
  const auto begin = time_of(X509_get0_notBefore(server.certificate.get()));
  const auto end = time_of(X509_get0_notAfter(server.certificate.get()));
  if (!begin.has_value() || !end.has_value() || now < *begin) return false;
  if (*end < std::min(now + kServerRenewal, ca_not_after)) return false;
  const bool is_signed = X509_verify(server.certificate.get(), ca.key.get()) == 1;
  if (!is_signed) clear_openssl_errors();
  return is_signed;
}

// What cannot be used is made anew: only the CA is known to stations.
Result<Credential> open_server(const std::filesystem::path& directory,
                               const Credential& ca,
                               UnixTime now,
                               UnixTime ca_not_after) {
  auto loaded = load(directory / kServerKeyName, directory / kServerCertificateName);
  if (loaded.has_value() && is_good(*loaded, ca, now, ca_not_after)) return loaded;
  LS_TRY(Credential made, make_server(ca, now, ca_not_after));
  LS_CHECK(save(directory / kServerKeyName, directory / kServerCertificateName, made));
  return made;
}

Result<EvpKey> key_of(const Csr& csr) {
  const unsigned char* data = csr.spki.data();
  EvpKey key(d2i_PUBKEY(nullptr, &data, static_cast<long>(csr.spki.size())));
  if (key == nullptr) {
    clear_openssl_errors();
    return fail(ErrorCode::CsrKeyInvalid);
  }
  return key;
}

}  // namespace

struct StationCa::State {
  explicit State(const Clock& its_clock) : clock(&its_clock) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { OPENSSL_cleanse(server_key_pem.data(), server_key_pem.size()); }

  const Clock* clock;
  Credential ca;
  UnixTime not_after;
  UnixTime server_not_after;
  Bytes der;
  Sha256 fingerprint{};
  std::string ca_pem;
  std::string server_pem;
  std::string server_key_pem;
};

StationCa::StationCa(std::unique_ptr<State> state) : state_(std::move(state)) {}
StationCa::~StationCa() = default;

Result<std::unique_ptr<StationCa>> StationCa::open(const std::filesystem::path& directory,
                                                   const Clock& clock) {
  LS_CHECK(make_directories(directory, 0700));
  const UnixTime now = clock.now();
  auto state = std::make_unique<State>(clock);
  LS_TRY(state->ca, open_ca(directory, now));
  const auto not_after = time_of(X509_get0_notAfter(state->ca.certificate.get()));
  if (!not_after.has_value()) return fail(openssl_error("the station CA's validity"));
  state->not_after = *not_after;
  LS_TRY(state->der, certificate_der_of(state->ca.certificate.get()));
  state->fingerprint = sha256(state->der);
  LS_TRY(state->ca_pem, certificate_text(state->ca.certificate.get()));
  LS_TRY(const Credential server, open_server(directory, state->ca, now, *not_after));
  state->server_not_after =
      time_of(X509_get0_notAfter(server.certificate.get())).value_or(UnixTime{});
  LS_TRY(const std::string own, certificate_text(server.certificate.get()));
  state->server_pem = own + state->ca_pem;
  LS_TRY(state->server_key_pem, key_pem(server.key.get()));
  return std::unique_ptr<StationCa>(new StationCa(std::move(state)));
}

Result<std::optional<UnixTime>> StationCa::examine(const std::filesystem::path& directory) {
  LS_TRY(const std::optional<Credential> found, find_ca(directory));
  if (!found.has_value()) return std::optional<UnixTime>();
  return time_of(X509_get0_notAfter(found->certificate.get()));
}

UnixTime StationCa::not_after() const { return state_->not_after; }
UnixTime StationCa::server_not_after() const { return state_->server_not_after; }
Bytes StationCa::certificate_der() const { return state_->der; }
Sha256 StationCa::fingerprint() const { return state_->fingerprint; }
const std::string& StationCa::ca_pem() const { return state_->ca_pem; }
const std::string& StationCa::server_certificate_pem() const { return state_->server_pem; }
const std::string& StationCa::server_key_pem() const { return state_->server_key_pem; }

Result<Bytes> StationCa::issue(std::string_view station_name,
                               ByteView csr_der,
                               std::chrono::seconds validity) const {
  LS_CHECK(check_station_name(station_name));
  LS_TRY(const Csr csr, parse_csr(csr_der));
  LS_TRY(ProofVerifier verifier, ProofVerifier::create());
  LS_CHECK(verifier.verify(csr));
  LS_TRY(const EvpKey key, key_of(csr));
  const UnixTime now = state_->clock->now();
  LS_TRY(const X509Certificate certificate,
         make_certificate({.form = CertificateForm::Station,
                           .common_name = std::string(station_name),
                           .not_before = now - kBackdate,
                           .not_after = std::min(now + validity, state_->not_after),
                           .subject_key = key.get(),
                           .issuer_key = state_->ca.key.get(),
                           .issuer = state_->ca.certificate.get()}));
  return certificate_der_of(certificate.get());
}

}  // namespace linesign
