// The key ceremony, from its file to the certificate that signers accept, on SoftHSM2.
#include "hsm/ceremony/ceremony.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "hsm/pkcs11/key_proof.h"
#include "hsm/x509/certificate_builder.h"
#include "protocol/settings/settings_file.h"
#include "tests/contract/ceremony_fixture.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

using test::SoftwareCa;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr CeremonyOptions kForce{.force = true};

// A parent CA in memory that signs what a CSR asks for.
class Parent {
 public:
  Parent() : ca_(spec({{"O", "Example"}, {"CN", "Example Root"}}, "critical,CA:TRUE")) {}
  std::string pem() const { return ca_.pem(); }

  std::string sign_csr(const std::filesystem::path& csr_file,
                       const std::string& constraints = "critical,CA:TRUE,pathlen:0") const {
    const std::string text = read_text(csr_file);
    const Bio memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    const X509Request request(PEM_read_bio_X509_REQ(memory.get(), nullptr, nullptr, nullptr));
    if (!request) std::abort();
    return issue(X509_REQ_get0_pubkey(request.get()), constraints);
  }

  std::string issue(EVP_PKEY* key, const std::string& constraints) const {
    test::CaSpec wanted = spec({{"O", "Example"}, {"CN", "Example Device CA"}}, constraints);
    wanted.issuer = &ca_;
    wanted.key = key;
    return SoftwareCa(wanted).pem();
  }

 private:
  static test::CaSpec spec(test::NamedTexts subject, const std::string& constraints) {
    const UnixTime now = SystemClock().now();
    test::CaSpec wanted;
    wanted.subject = std::move(subject);
    wanted.not_before = now - std::chrono::days(1);
    wanted.not_after = now + std::chrono::days(365);
    wanted.extensions = {{"basicConstraints", constraints},
                         {"keyUsage", "critical,keyCertSign,cRLSign"},
                         {"subjectKeyIdentifier", "hash"}};
    return wanted;
  }

  SoftwareCa ca_;
};

class Ceremony : public test::CeremonyFixture {
 protected:
  static void expect_error(const Result<CeremonyReport>& report, ErrorCode code) {
    ASSERT_FALSE(report.has_value());
    EXPECT_EQ(report.error().code(), code) << report.error().to_string();
  }

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder() / name) << text;
    return folder() / name;
  }

  bool has_key() const {
    auto token = open_token(Access::ReadOnly);
    if (!token) std::abort();
    return find_ca_key(token->session(), {test::kKeyLabel, {}}).has_value();
  }
};

class RootCeremony : public Ceremony, public testing::WithParamInterface<KeyType> {};

TEST_P(RootCeremony, MakesACaThatSignersAccept) {
  const auto report = init_ca(plan(GetParam()), {});
  ASSERT_TRUE(report.has_value()) << report.error().to_string();
  EXPECT_THAT(report->notes, IsEmpty());
  const auto certificate = CaCertificate::load(folder() / "ca.pem");
  ASSERT_TRUE(certificate.has_value()) << certificate.error().to_string();
  EXPECT_EQ(certificate->key_type(), GetParam());
  EXPECT_EQ(certificate->subject_text(), "CN=Example Device CA,O=Example");
  const auto token = open_signing_token(GetParam());
  ASSERT_TRUE(token.has_value()) << token.error().to_string();
  const auto key = token->make_signing_key();
  ASSERT_TRUE(key.has_value());
  EXPECT_TRUE(prove_key(**key, *certificate).has_value());
}

INSTANTIATE_TEST_SUITE_P(
    Types,
    RootCeremony,
    testing::Values(KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048, KeyType::Rsa3072),
    [](const auto& row) {
      std::string name(to_string(row.param));
      std::erase(name, '-');
      return name;
    });

TEST_F(Ceremony, WritesAllThatACaCertificateNeeds) {
  ASSERT_TRUE(init_ca(plan(), {}).has_value());
  const std::string pem = read_text(folder() / "ca.pem");
  const Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const X509Certificate certificate(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_get_version(certificate.get()), X509_VERSION_3);
  EXPECT_EQ(X509_check_ca(certificate.get()), 1);
  EXPECT_EQ(X509_get_pathlen(certificate.get()), 0);
  EXPECT_EQ(X509_get_key_usage(certificate.get()),
            static_cast<uint32_t>(KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  const ASN1_OCTET_STRING* subject_id = X509_get0_subject_key_id(certificate.get());
  const ASN1_OCTET_STRING* authority_id = X509_get0_authority_key_id(certificate.get());
  ASSERT_NE(subject_id, nullptr);
  ASSERT_NE(authority_id, nullptr);
  EXPECT_EQ(ASN1_OCTET_STRING_cmp(subject_id, authority_id), 0);
  EXPECT_EQ(ASN1_STRING_length(X509_get0_serialNumber(certificate.get())), 16);
  int days = 0;
  int seconds = 0;
  ASSERT_EQ(ASN1_TIME_diff(&days,
                           &seconds,
                           X509_get0_notBefore(certificate.get()),
                           X509_get0_notAfter(certificate.get())),
            1);
  EXPECT_EQ(days, 20 * 365 - 1);
  EXPECT_EQ(seconds, 86399);
}

TEST_F(Ceremony, MakesACertificateWithoutAnEnd) {
  CeremonyPlan endless = plan();
  endless.no_expiry = true;
  const auto report = init_ca(endless, {});
  ASSERT_TRUE(report.has_value()) << report.error().to_string();
  EXPECT_EQ(report->not_after, "9999-12-31T23:59:59Z");
}

TEST_F(Ceremony, WritesATranscriptThatAProgramCanRead) {
  const auto report = init_ca(plan(), {});
  ASSERT_TRUE(report.has_value()) << report.error().to_string();
  const std::string text = read_text(folder() / "ca-transcript.txt");
  EXPECT_EQ(text, report->transcript);
  EXPECT_THAT(text, HasSubstr("present = [\"A\", \"B\"]"));
  EXPECT_THAT(text, HasSubstr(report->public_key_sha256_hex));
  EXPECT_THAT(text, HasSubstr(report->certificate_sha256_hex));
  EXPECT_THAT(text, HasSubstr("serial = \"" + serial_ + "\""));
  EXPECT_THAT(text, HasSubstr("CKA_NEVER_EXTRACTABLE = \"true\""));
  EXPECT_THAT(text, HasSubstr("CKA_EXTRACTABLE = \"false\""));
  EXPECT_THAT(text, Not(HasSubstr(std::string(test::kUserPin))));
  const auto parsed = SettingsFile::parse(text, "transcript");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().to_string();
  EXPECT_TRUE(parsed->root().table("module")->has("sha256"));
  EXPECT_TRUE(parsed->root().table("ceremony")->has("user"));
}

TEST_F(Ceremony, TellsTheConfigurationThatUsesItsKey) {
  const auto report = init_ca(plan(), {});
  ASSERT_TRUE(report.has_value());
  const auto parsed = SettingsFile::parse(report->config_lines, "/linesign.toml");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().to_string();
  const auto settings = read_signer_settings(parsed->root());
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  EXPECT_EQ(settings->token.token_serial, serial_);
  EXPECT_EQ(settings->token.key_label, test::kKeyLabel);
  EXPECT_EQ(settings->ca_certificate, folder() / "ca.pem");
}

TEST_F(Ceremony, NeverReplacesAKeyEvenWhenForced) {
  ASSERT_TRUE(init_ca(plan(), {}).has_value());
  const std::string before = read_text(folder() / "ca.pem");
  expect_error(init_ca(plan(), kForce), ErrorCode::HsmKeyLabelTaken);
  EXPECT_EQ(read_text(folder() / "ca.pem"), before);
  EXPECT_TRUE(has_key());
}

TEST_F(Ceremony, OverwritesNoFileAndThenMakesNoKey) {
  write("ca.pem", "precious");
  expect_error(init_ca(plan(), {}), ErrorCode::FileExists);
  EXPECT_EQ(read_text(folder() / "ca.pem"), "precious");
  EXPECT_FALSE(has_key());
}

TEST_F(Ceremony, LeavesNoKeyBehindWhenAFileCannotBeWritten) {
  CeremonyPlan broken = plan();
  broken.transcript = folder() / "absent" / "transcript.txt";
  expect_error(init_ca(broken, {}), ErrorCode::Io);
  EXPECT_FALSE(has_key());
  EXPECT_FALSE(std::filesystem::exists(folder() / "ca.pem"));
  EXPECT_TRUE(init_ca(plan(), {}).has_value()) << "it can be done again";
}

TEST_F(Ceremony, RefusesAWrongPin) {
  hsm_.write_pin("999999");
  expect_error(init_ca(plan(), {}), ErrorCode::HsmPinRefused);
}

TEST_F(Ceremony, MakesACsrAndTakesTheCertificateForIt) {
  const CeremonyPlan intermediate = plan(KeyType::EcP256, "intermediate");
  const auto made = init_ca(intermediate, {});
  ASSERT_TRUE(made.has_value()) << made.error().to_string();
  EXPECT_TRUE(made->certificate_sha256_hex.empty());
  EXPECT_THAT(made->notes, SizeIs(1));
  const Parent parent;
  const CaImport input{write("issued.pem", parent.sign_csr(folder() / "ca.csr")),
                       write("root.pem", parent.pem())};
  const auto imported = import_ca(intermediate, input, {});
  ASSERT_TRUE(imported.has_value()) << imported.error().to_string();
  EXPECT_EQ(imported->public_key_sha256_hex, made->public_key_sha256_hex);
  EXPECT_THAT(imported->written, SizeIs(2));
  const auto certificate = CaCertificate::load(folder() / "ca.pem");
  ASSERT_TRUE(certificate.has_value());
  EXPECT_THAT(certificate->chain_der(), SizeIs(1)) << "the root stands behind the CA";
  EXPECT_TRUE(std::filesystem::exists(folder() / "ca-transcript.txt"));
  EXPECT_TRUE(show_ca(intermediate).has_value());
}

TEST_F(Ceremony, MakesTheCsrAgainForTheSameKey) {
  const CeremonyPlan intermediate = plan(KeyType::EcP256, "intermediate");
  const auto made = init_ca(intermediate, {});
  ASSERT_TRUE(made.has_value());
  expect_error(make_ca_csr(intermediate, {}), ErrorCode::FileExists);
  std::filesystem::remove(folder() / "ca.csr");
  const auto again = make_ca_csr(intermediate, {});
  ASSERT_TRUE(again.has_value()) << again.error().to_string();
  EXPECT_EQ(again->public_key_sha256_hex, made->public_key_sha256_hex);
  EXPECT_TRUE(std::filesystem::exists(folder() / "ca.csr"));
}

class Import : public Ceremony {
 protected:
  void SetUp() override { ASSERT_TRUE(init_ca(plan(KeyType::EcP256, "intermediate"), {})); }

  Result<CeremonyReport> import(const std::string& certificate, const std::string& root) const {
    return import_ca(plan(KeyType::EcP256, "intermediate"),
                     {write("issued.pem", certificate), write("root.pem", root)},
                     {});
  }

  std::filesystem::path csr() const { return folder() / "ca.csr"; }
  Parent parent_;
};

TEST_F(Import, RefusesTheCertificateOfAnotherKey) {
  const EvpKey other = test::make_key(KeyType::EcP256);
  expect_error(import(parent_.issue(other.get(), "critical,CA:TRUE"), parent_.pem()),
               ErrorCode::CaCertificateMismatch);
  EXPECT_FALSE(std::filesystem::exists(folder() / "ca.pem"));
}

TEST_F(Import, RefusesACertificateThatIsNoCa) {
  expect_error(import(parent_.sign_csr(csr(), "critical,CA:FALSE"), parent_.pem()),
               ErrorCode::CaCertificateInvalid);
}

TEST_F(Import, RefusesAChainToAnotherRoot) {
  test::CaSpec other;
  other.subject = {{"O", "Example"}, {"CN", "Example Root"}};
  other.key = test::shared_key(KeyType::EcP384);
  other.key_type = KeyType::EcP384;
  expect_error(import(parent_.sign_csr(csr()), SoftwareCa(other).pem()), ErrorCode::CaChainInvalid);
}

TEST_F(Import, RefusesADamagedSignature) {
  const std::string pem = parent_.sign_csr(csr());
  const Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const X509Certificate certificate(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
  Bytes der = test::to_der(certificate.get());
  der.back() ^= 1;
  expect_error(import(certificate_pem(der), parent_.pem()), ErrorCode::CaChainInvalid);
}

TEST_F(Import, OverwritesNoCertificate) {
  ASSERT_TRUE(import(parent_.sign_csr(csr()), parent_.pem()).has_value());
  expect_error(import(parent_.sign_csr(csr()), parent_.pem()), ErrorCode::FileExists);
}

TEST_F(Import, WorksOnAReadOnlyTokenAndSaysWhatItCouldNotStore) {
  hsm_.make_read_only();
  const auto imported = import(parent_.sign_csr(csr()), parent_.pem());
  ASSERT_TRUE(imported.has_value()) << imported.error().to_string();
  if (::geteuid() != 0) {
    EXPECT_THAT(imported->notes, SizeIs(1));
  }
}

TEST_F(Ceremony, ShowsWhatIsThere) {
  const auto made = init_ca(plan(), {});
  ASSERT_TRUE(made.has_value());
  const auto shown = show_ca(plan());
  ASSERT_TRUE(shown.has_value()) << shown.error().to_string();
  EXPECT_EQ(shown->certificate_sha256_hex, made->certificate_sha256_hex);
  EXPECT_THAT(shown->written, IsEmpty());
}

TEST_F(Ceremony, ShowsThatTheCertificateIsAnothers) {
  ASSERT_TRUE(init_ca(plan(), {}).has_value());
  write("ca.pem", SoftwareCa().pem());
  expect_error(show_ca(plan()), ErrorCode::CaCertificateMismatch);
}

TEST_F(Ceremony, ShowsThatThereIsNoKey) {
  expect_error(show_ca(plan()), ErrorCode::HsmKeyNotFound);
}

TEST_F(Ceremony, RefusesAKeyThatTheCeremonyDidNotMake) {
  hsm_.import_key(test::kTokenLabel, test::kKeyLabel, "01", test::make_key(KeyType::EcP256).get());
  expect_error(show_ca(plan()), ErrorCode::HsmKeyUnsafe);
  expect_error(make_ca_csr(plan(KeyType::EcP256, "intermediate"), {}), ErrorCode::HsmKeyUnsafe);
}

}  // namespace
}  // namespace linesign
