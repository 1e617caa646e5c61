#include "appliance/enrollment/station_ca.h"

#include <sys/stat.h>

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "hsm/x509/csr.h"
#include "hsm/x509/handles.h"
#include "protocol/base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

constexpr std::chrono::days kYear(365);

Bytes make_csr(EVP_PKEY* key) { return test::make_csr(key, "ignored"); }

X509Certificate from_der(const Bytes& der) {
  const unsigned char* data = der.data();
  return X509Certificate(d2i_X509(nullptr, &data, static_cast<long>(der.size())));
}

X509Certificate from_pem(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return X509Certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

EvpKey key_from_pem(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return EvpKey(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

// 0, or OpenSSL's reason why not.
int verify_error(X509* certificate, X509* ca, int purpose, UnixTime at, const char* host) {
  const X509TrustStore store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), ca);
  const X509StoreContext context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr);
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_STORE_CTX_set_purpose(context.get(), purpose);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_time(parameters, at.time_since_epoch().count());
  if (host != nullptr) X509_VERIFY_PARAM_set1_host(parameters, host, 0);
  return X509_verify_cert(context.get()) == 1 ? 0 : X509_STORE_CTX_get_error(context.get());
}

class StationCaTest : public ::testing::Test {
 protected:
  std::unique_ptr<StationCa> open() {
    auto opened = StationCa::open(directory(), clock_);
    EXPECT_TRUE(opened.has_value()) << (opened.has_value() ? "" : opened.error().to_string());
    return opened.has_value() ? std::move(*opened) : nullptr;
  }
  std::filesystem::path directory() const { return folder_.path() / "station-ca"; }

  TempDir folder_;
  FakeClock clock_;
};

TEST_F(StationCaTest, MakesPrivateFilesOnce) {
  const auto first = open();
  ASSERT_NE(first, nullptr);
  for (const char* name : {"station-ca.key", "station-ca.pem", "server.key", "server.pem"}) {
    struct stat status {};
    ASSERT_EQ(::stat((directory() / name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777, 0600U) << name;
  }
  const auto second = open();
  EXPECT_EQ(second->fingerprint(), first->fingerprint());
  EXPECT_EQ(second->certificate_der(), first->certificate_der());
  EXPECT_EQ(second->server_certificate_pem(), first->server_certificate_pem());
  EXPECT_EQ(second->server_key_pem(), first->server_key_pem());
}

TEST_F(StationCaTest, IsACaOfItsOwnForTwentyYears) {
  const auto ca = open();
  const X509Certificate certificate = from_der(ca->certificate_der());
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(ca->fingerprint(), sha256(ca->certificate_der()));
  EXPECT_EQ(X509_check_ca(certificate.get()), 1);
  EXPECT_EQ(X509_get_pathlen(certificate.get()), 0);
  EXPECT_EQ(X509_get_key_usage(certificate.get()),
            static_cast<uint32_t>(KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  const std::unique_ptr<char, decltype([](char* text) { OPENSSL_free(text); })> name(
      X509_NAME_oneline(X509_get_subject_name(certificate.get()), nullptr, 0));
  EXPECT_EQ(std::string(name.get()).rfind("/CN=linesign station CA ", 0), 0U) << name.get();
  EXPECT_EQ(verify_error(certificate.get(),
                         certificate.get(),
                         X509_PURPOSE_ANY,
                         clock_.now() + 20 * kYear - std::chrono::days(1),
                         nullptr),
            0);
  EXPECT_EQ(verify_error(certificate.get(),
                         certificate.get(),
                         X509_PURPOSE_ANY,
                         clock_.now() + 20 * kYear + std::chrono::days(1),
                         nullptr),
            X509_V_ERR_CERT_HAS_EXPIRED);
}

TEST_F(StationCaTest, IsAnotherOneInEachPlant) {
  const auto one = open();
  const auto other = StationCa::open(folder_.path() / "other", clock_);
  ASSERT_TRUE(other.has_value());
  EXPECT_NE(one->fingerprint(), (*other)->fingerprint());
  EXPECT_NE(
      X509_NAME_hash_ex(
          X509_get_subject_name(from_pem(one->ca_pem()).get()), nullptr, nullptr, nullptr),
      X509_NAME_hash_ex(
          X509_get_subject_name(from_pem((*other)->ca_pem()).get()), nullptr, nullptr, nullptr));
}

TEST_F(StationCaTest, GivesTheServerACertificateThatStationsAccept) {
  const auto ca = open();
  const X509Certificate server = from_pem(ca->server_certificate_pem());
  const X509Certificate issuer = from_pem(ca->ca_pem());
  const EvpKey key = key_from_pem(ca->server_key_pem());
  ASSERT_TRUE(server != nullptr && issuer != nullptr && key != nullptr);
  EXPECT_EQ(X509_check_private_key(server.get(), key.get()), 1);
  const auto verify = [&](int purpose, UnixTime at, const char* host) {
    return verify_error(server.get(), issuer.get(), purpose, at, host);
  };
  EXPECT_EQ(verify(X509_PURPOSE_SSL_SERVER, clock_.now(), "linesign-appliance"), 0);
  EXPECT_EQ(verify(X509_PURPOSE_SSL_SERVER, clock_.now(), "another"), X509_V_ERR_HOSTNAME_MISMATCH);
  EXPECT_NE(verify(X509_PURPOSE_SSL_CLIENT, clock_.now(), nullptr), 0);
  EXPECT_EQ(
      verify(X509_PURPOSE_SSL_SERVER, clock_.now() + 5 * kYear - std::chrono::days(1), nullptr), 0);
  EXPECT_NE(
      verify(X509_PURPOSE_SSL_SERVER, clock_.now() + 5 * kYear + std::chrono::days(1), nullptr), 0);
}

TEST_F(StationCaTest, RenewsTheServersCertificateInItsLastYear) {
  const std::string first = open()->server_certificate_pem();
  clock_.set(clock_.now() + 4 * kYear - std::chrono::days(2));
  EXPECT_EQ(open()->server_certificate_pem(), first);
  clock_.set(clock_.now() + std::chrono::days(4));
  const auto renewed = open();
  EXPECT_NE(renewed->server_certificate_pem(), first);
  EXPECT_EQ(open()->server_certificate_pem(), renewed->server_certificate_pem());
}

TEST_F(StationCaTest, MakesADamagedServerCredentialAnew) {
  const auto first = open();
  std::filesystem::resize_file(directory() / "server.key", 10);
  const auto second = open();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->fingerprint(), first->fingerprint());
  EXPECT_NE(second->server_key_pem(), first->server_key_pem());
}

TEST_F(StationCaTest, IsNeverMadeAnewOnceItWasInUse) {
  open();
  std::filesystem::remove(directory() / "station-ca.key");
  const auto opened = StationCa::open(directory(), clock_);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::Io);
}

TEST_F(StationCaTest, FinishesAFirstStartThatWasInterrupted) {
  open();
  std::filesystem::remove(directory() / "server.key");
  std::filesystem::remove(directory() / "server.pem");
  std::filesystem::remove(directory() / "station-ca.pem");
  EXPECT_NE(open(), nullptr);
}

TEST_F(StationCaTest, RefusesAKeyThatIsNotTheCertificates) {
  open();
  const auto other = StationCa::open(folder_.path() / "other", clock_);
  ASSERT_TRUE(other.has_value());
  std::filesystem::copy_file(folder_.path() / "other" / "station-ca.key",
                             directory() / "station-ca.key",
                             std::filesystem::copy_options::overwrite_existing);
  const auto opened = StationCa::open(directory(), clock_);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::Io);
}

class StationCaKeys : public StationCaTest, public ::testing::WithParamInterface<KeyType> {};

TEST_P(StationCaKeys, GetAStationCertificate) {
  const auto ca = open();
  EVP_PKEY* key = test::shared_key(GetParam());
  const auto der = ca->issue("line-1", make_csr(key), std::chrono::days(30));
  ASSERT_TRUE(der.has_value()) << der.error().to_string();
  const X509Certificate certificate = from_der(*der);
  const X509Certificate issuer = from_pem(ca->ca_pem());
  EXPECT_EQ(X509_check_private_key(certificate.get(), key), 1);
  const std::unique_ptr<char, decltype([](char* text) { OPENSSL_free(text); })> name(
      X509_NAME_oneline(X509_get_subject_name(certificate.get()), nullptr, 0));
  EXPECT_STREQ(name.get(), "/CN=line-1");
  const auto verify = [&](int purpose, UnixTime at) {
    return verify_error(certificate.get(), issuer.get(), purpose, at, nullptr);
  };
  EXPECT_EQ(verify(X509_PURPOSE_SSL_CLIENT, clock_.now()), 0);
  EXPECT_NE(verify(X509_PURPOSE_SSL_SERVER, clock_.now()), 0);
  EXPECT_EQ(verify(X509_PURPOSE_SSL_CLIENT, clock_.now() + std::chrono::days(31)),
            X509_V_ERR_CERT_HAS_EXPIRED);
  EXPECT_EQ(X509_check_ca(certificate.get()), 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds,
                         StationCaKeys,
                         ::testing::Values(KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048),
                         [](const auto& param) {
                           std::string name(to_string(param.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(StationCaTest, RefusesAWrongProofOfPossession) {
  const auto ca = open();
  Bytes csr = make_csr(test::shared_key(KeyType::EcP256));
  csr.back() ^= 1;
  const auto refused = ca->issue("line-1", csr, std::chrono::days(30));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::CsrProofWrong);
}

TEST_F(StationCaTest, RefusesWhatIsNoCsr) {
  const auto ca = open();
  EXPECT_EQ(ca->issue("line-1", Bytes{}, std::chrono::days(30)).error().code(),
            ErrorCode::CsrEmpty);
  EXPECT_EQ(ca->issue("line-1", Bytes{0x30, 0x00}, std::chrono::days(30)).error().code(),
            ErrorCode::CsrMalformed);
  const EvpKey key = test::make_ec_key("secp256k1");
  EXPECT_EQ(ca->issue("line-1", make_csr(key.get()), std::chrono::days(30)).error().code(),
            ErrorCode::CsrKeyUnsupported);
}

TEST_F(StationCaTest, RefusesABadName) {
  const auto ca = open();
  const Bytes csr = make_csr(test::shared_key(KeyType::EcP256));
  EXPECT_EQ(ca->issue("line 1", csr, std::chrono::days(30)).error().code(),
            ErrorCode::StationNameInvalid);
}

TEST_F(StationCaTest, NeverOutlivesItself) {
  const auto ca = open();
  const Bytes csr = make_csr(test::shared_key(KeyType::EcP256));
  const auto der = ca->issue("line-1", csr, 100 * kYear);
  ASSERT_TRUE(der.has_value());
  const X509Certificate certificate = from_der(*der);
  const X509Certificate issuer = from_pem(ca->ca_pem());
  EXPECT_EQ(
      ASN1_TIME_compare(X509_get0_notAfter(certificate.get()), X509_get0_notAfter(issuer.get())),
      0);
}

}  // namespace
}  // namespace linesign
