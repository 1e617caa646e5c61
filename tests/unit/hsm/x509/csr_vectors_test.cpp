// CSRs of real tools: tests/data/csr/README.md says which.
#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/distinguished_name.h"
#include "hsm/x509/proof_verifier.h"
#include "protocol/base/file.h"
#include "tests/support/software_ca.h"
#include "tests/support/source_tree.h"

namespace linesign {
namespace {

std::vector<std::string> vector_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(test::test_data_dir() / "csr")) {
    if (entry.path().extension() == ".der") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class CsrVectors : public testing::TestWithParam<std::string> {
 protected:
  Bytes load() const {
    const auto path = test::test_data_dir() / "csr" / (GetParam() + ".der");
    auto der = read_file(path, kMaxCsrBytes);
    return der ? *std::move(der) : Bytes();
  }
  KeyType key_type() const {
    const std::string& name = GetParam();
    if (name.find("p384") != std::string::npos) return KeyType::EcP384;
    if (name.find("rsa2048") != std::string::npos) return KeyType::Rsa2048;
    if (name.find("rsa3072") != std::string::npos) return KeyType::Rsa3072;
    if (name.find("rsa4096") != std::string::npos) return KeyType::Rsa4096;
    return KeyType::EcP256;
  }
  bool has_name() const { return GetParam().find("no-subject") == std::string::npos; }
  // Its subject can stand in a certificate.
  bool is_name_kept() const {
    return has_name() && GetParam().find("odd-name") == std::string::npos;
  }

  void expect_certificate(SubjectSource source);
};

TEST_P(CsrVectors, AreReadAndProved) {
  const Bytes der = load();
  const auto csr = parse_csr(der);
  ASSERT_TRUE(csr) << csr.error().to_string();
  EXPECT_EQ(csr->key_type, key_type());
  const auto common_name = read_common_name(DerReader(csr->subject));
  ASSERT_TRUE(common_name) << common_name.error().to_string();
  EXPECT_EQ(common_name->value_or("none"), has_name() ? "dev-1" : "none");
  auto verifier = ProofVerifier::create();
  ASSERT_TRUE(verifier);
  const auto proof = verifier->verify(*csr);
  EXPECT_TRUE(proof) << proof.error().to_string();
}

// The subject as the profile says, the key copied, and nothing that the CSR asked for: strict DER,
// whatever came in.
void CsrVectors::expect_certificate(SubjectSource source) {
  const Bytes der = load();
  const auto csr = parse_csr(der);
  ASSERT_TRUE(csr);
  const test::SoftwareCa ca;
  Profile profile;
  profile.subject_source = source;
  const auto builder = CertificateBuilder::create(profile, ca.certificate());
  ASSERT_TRUE(builder);
  const auto checked = builder->check(*csr, "dev-1");
  ASSERT_TRUE(checked) << checked.error().to_string();
  CertificateRequest request;
  request.device_id = "dev-1";
  request.serial = *make_serial();
  request.issued_at = test::kTestTime;
  const auto tbs = builder->build_tbs(*csr, request);
  ASSERT_TRUE(tbs);
  const Bytes certificate_der =
      assemble_certificate(*tbs, signature_algorithm_der(KeyType::EcP256), ca.sign(*tbs));
  EXPECT_TRUE(check_der(certificate_der, 16));
  const unsigned char* position = certificate_der.data();
  const X509Certificate certificate{
      d2i_X509(nullptr, &position, static_cast<long>(certificate_der.size()))};
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_verify(certificate.get(), ca.key()), 1);
  const unsigned char* request_position = der.data();
  const X509Request parsed{d2i_X509_REQ(nullptr, &request_position, static_cast<long>(der.size()))};
  ASSERT_NE(parsed, nullptr);
  if (source == SubjectSource::Csr) {
    EXPECT_EQ(X509_NAME_cmp(X509_get_subject_name(certificate.get()),
                            X509_REQ_get_subject_name(parsed.get())),
              0);
  }
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(certificate.get()), X509_REQ_get0_pubkey(parsed.get())),
            1);
  EXPECT_EQ(X509_get_ext_by_NID(certificate.get(), NID_subject_alt_name, -1), -1);
  EXPECT_EQ(X509_check_ca(certificate.get()), 0);
  EXPECT_EQ(X509_get_key_usage(certificate.get()), static_cast<uint32_t>(KU_DIGITAL_SIGNATURE));
}

TEST_P(CsrVectors, GiveCertificatesNamedAfterTheDevice) {
  expect_certificate(SubjectSource::DeviceId);
}

TEST_P(CsrVectors, GiveCertificatesOfTheirSubjectIfItIsSound) {
  if (is_name_kept()) {
    expect_certificate(SubjectSource::Csr);
    return;
  }
  const Bytes der = load();
  const auto csr = parse_csr(der);
  ASSERT_TRUE(csr);
  const test::SoftwareCa ca;
  Profile profile;
  profile.subject_source = SubjectSource::Csr;
  const auto checked = CertificateBuilder::create(profile, ca.certificate())->check(*csr, "dev-1");
  ASSERT_FALSE(checked);
  EXPECT_TRUE(checked.error().detail().find("byte ") != std::string::npos || !has_name());
}

INSTANTIATE_TEST_SUITE_P(Tools,
                         CsrVectors,
                         testing::ValuesIn(vector_names()),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(CsrVectorFolder, HoldsSixToolsWithBothKinds) {
  const std::vector<std::string> names = vector_names();
  for (const std::string tool :
       {"openssl", "certtool", "botan", "strongswan", "mbedtls", "wolfssl"}) {
    for (const std::string kind : {"-p256", "-rsa2048"}) {
      EXPECT_EQ(std::count(names.begin(), names.end(), tool + kind), 1) << tool << kind;
    }
  }
}

}  // namespace
}  // namespace linesign
