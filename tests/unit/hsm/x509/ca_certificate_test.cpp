#include "hsm/x509/ca_certificate.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "protocol/base/file.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using test::CaSpec;
using test::SoftwareCa;

TEST(CaCertificate, SaysWhatItIs) {
  for (const KeyType type : {KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048}) {
    const CaSpec spec{.key_type = type};
    const SoftwareCa made(spec);
    const auto ca = CaCertificate::from_der(made.der());
    ASSERT_TRUE(ca) << ca.error().to_string();
    EXPECT_TRUE(equal(ca->der(), made.der()));
    EXPECT_EQ(ca->key_type(), type);
    EXPECT_EQ(ca->not_before(), spec.not_before);
    EXPECT_EQ(ca->not_after(), spec.not_after);
    EXPECT_EQ(ca->subject_text(), "CN=Test Device CA,O=Example");
    EXPECT_EQ(ca->subject_key_id().size(), 20U);
    EXPECT_EQ(ca->pem(), made.pem());
    EXPECT_EQ(EVP_PKEY_eq(ca->public_key(), made.key()), 1);
  }
}

struct BadCa {
  const char* name;
  CaSpec spec;
  const char* says;
};

class BadCaCertificate : public testing::TestWithParam<BadCa> {};

TEST_P(BadCaCertificate, IsRefused) {
  const SoftwareCa made(GetParam().spec);
  const auto ca = CaCertificate::from_der(made.der());
  ASSERT_FALSE(ca);
  EXPECT_EQ(ca.error().code(), ErrorCode::CaCertificateInvalid);
  EXPECT_NE(ca.error().detail().find(GetParam().says), std::string::npos) << ca.error().detail();
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

const std::pair<std::string, std::string> kCa = {"basicConstraints", "critical,CA:TRUE"};
const std::pair<std::string, std::string> kUsage = {"keyUsage", "critical,keyCertSign"};
const std::pair<std::string, std::string> kKeyId = {"subjectKeyIdentifier", "hash"};

INSTANTIATE_TEST_SUITE_P(
    Cases,
    BadCaCertificate,
    testing::Values(
        BadCa{"NotACa",
              {.extensions = {{"basicConstraints", "critical,CA:FALSE"}, kUsage, kKeyId}},
              "CA:TRUE"},
        BadCa{"NotCritical",
              {.extensions = {{"basicConstraints", "CA:TRUE"}, kUsage, kKeyId}},
              "not critical"},
        BadCa{"NoBasicConstraints", {.extensions = {kUsage, kKeyId}}, "CA:TRUE"},
        BadCa{"NoKeyUsage", {.extensions = {kCa, kKeyId}}, "keyCertSign"},
        BadCa{"OtherKeyUsage",
              {.extensions = {kCa, {"keyUsage", "critical,cRLSign"}, kKeyId}},
              "keyCertSign"},
        BadCa{"NoKeyId", {.extensions = {kCa, kUsage}}, "subject key identifier"},
        BadCa{"NoSubject", {.subject = {}}, "subject is empty"},
        BadCa{"Version1", {.extensions = {}, .version = X509_VERSION_1}, "version 3"},
        BadCa{"UnknownCriticalExtension",
              {.extensions = {kCa, kUsage, kKeyId, {"1.2.3.4", "critical,DER:0500"}}},
              "critical extension"},
        BadCa{"EndsBeforeItBegins",
              {.not_before = test::kTestTime, .not_after = test::kTestTime - std::chrono::hours(1)},
              "ends before"}),
    [](const auto& tested) { return tested.param.name; });

TEST(CaCertificate, RefusesOtherKeys) {
  for (const EvpKey& key : {test::make_ec_key("P-521"), test::make_rsa_key(1024, 65537)}) {
    const SoftwareCa made({.key = key.get()});
    const auto ca = CaCertificate::from_der(made.der());
    ASSERT_FALSE(ca);
    EXPECT_EQ(ca.error().code(), ErrorCode::CaCertificateInvalid);
  }
}

TEST(CaCertificate, RefusesBytesAfterTheEnd) {
  Bytes der = SoftwareCa().der();
  der.push_back(0);
  EXPECT_FALSE(CaCertificate::from_der(der));
  EXPECT_FALSE(CaCertificate::from_der(as_bytes("no certificate")));
  EXPECT_FALSE(CaCertificate::from_der({}));
}

class CaCertificateFile : public testing::Test {
 protected:
  Result<CaCertificate> load(const std::string& pem) {
    const auto path = dir_.path() / "ca.pem";
    auto written =
        write_file_atomic(path, as_bytes(pem), 0644, Overwrite::Replace, Durability::Renamed);
    if (!written) return fail(written.error());
    return CaCertificate::load(path);
  }

  TempDir dir_;
  EvpKey root_key_ = test::make_key(KeyType::EcP384);
  SoftwareCa root_{{.subject = {{"CN", "Test Root"}}, .key = root_key_.get()}};
  SoftwareCa device_{{.issuer = &root_}};
};

TEST_F(CaCertificateFile, HoldsTheCaAndItsChain) {
  const auto ca = load(device_.pem() + root_.pem());
  ASSERT_TRUE(ca) << ca.error().to_string();
  EXPECT_TRUE(equal(ca->der(), device_.der()));
  ASSERT_EQ(ca->chain_der().size(), 1U);
  EXPECT_TRUE(equal(ca->chain_der()[0], root_.der()));
}

TEST_F(CaCertificateFile, MayHoldTheCaOnly) {
  const auto ca = load(device_.pem());
  ASSERT_TRUE(ca);
  EXPECT_TRUE(ca->chain_der().empty());
}

TEST_F(CaCertificateFile, RefusesAChainThatIsNone) {
  const SoftwareCa impostor({.subject = {{"CN", "Test Root"}}});
  for (const std::string& pem : {root_.pem() + device_.pem(), device_.pem() + impostor.pem()}) {
    const auto ca = load(pem);
    ASSERT_FALSE(ca);
    EXPECT_EQ(ca.error().code(), ErrorCode::CaCertificateInvalid);
    EXPECT_NE(ca.error().detail().find("certificate 2"), std::string::npos);
  }
}

TEST_F(CaCertificateFile, RefusesDamage) {
  std::string damaged = root_.pem();
  damaged.resize(damaged.size() / 2);
  EXPECT_FALSE(load(device_.pem() + damaged));
  EXPECT_FALSE(load(""));
  EXPECT_FALSE(load("no PEM"));
  EXPECT_FALSE(load(test::private_key_pem(root_.key())));
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

TEST_F(CaCertificateFile, NamesTheFileThatIsMissing) {
  const auto ca = CaCertificate::load(dir_.path() / "nothing.pem");
  ASSERT_FALSE(ca);
  EXPECT_EQ(ca.error().code(), ErrorCode::Io);
}

class SignatureVerifierKinds : public testing::TestWithParam<KeyType> {};

TEST_P(SignatureVerifierKinds, TellsRightFromWrong) {
  const SoftwareCa made({.key_type = GetParam()});
  const CaCertificate ca = made.certificate();
  auto verifier = SignatureVerifier::create(ca);
  ASSERT_TRUE(verifier);
  const Bytes message = to_bytes("to be signed");
  Bytes digest(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  EVP_Digest(message.data(),
             message.size(),
             digest.data(),
             &size,
             signature_digest(ca.key_type()),
             nullptr);
  digest.resize(size);
  Bytes signature = made.sign(message);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(verifier->verify(digest, signature));
    signature.back() ^= 1U;
    EXPECT_EQ(verifier->verify(digest, signature).error().code(), ErrorCode::HsmSignatureWrong);
    EXPECT_FALSE(verifier->verify(digest, ByteView(signature).first(signature.size() - 1)));
    EXPECT_FALSE(verifier->verify(digest, {}));
    signature.back() ^= 1U;
    digest[0] ^= 1U;
    EXPECT_FALSE(verifier->verify(digest, signature));
    digest[0] ^= 1U;
  }
  EXPECT_FALSE(verifier->verify(ByteView(digest).first(20), signature));
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

INSTANTIATE_TEST_SUITE_P(Kinds,
                         SignatureVerifierKinds,
                         testing::Values(KeyType::EcP256,
                                         KeyType::EcP384,
                                         KeyType::Rsa2048,
                                         KeyType::Rsa3072,
                                         KeyType::Rsa4096));

}  // namespace
}  // namespace linesign
