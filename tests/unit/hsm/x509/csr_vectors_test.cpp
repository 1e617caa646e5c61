// CSRs of real tools: tests/data/csr/README.md says which.
#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/proof_verifier.h"
#include "protocol/base/file.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

std::vector<std::string> vector_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(LINESIGN_TEST_DATA "/csr")) {
    if (entry.path().extension() == ".der") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class CsrVectors : public testing::TestWithParam<std::string> {
 protected:
  Bytes load() const {
    const auto path = std::filesystem::path(LINESIGN_TEST_DATA "/csr") / (GetParam() + ".der");
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
};

TEST_P(CsrVectors, AreReadAndProved) {
  const Bytes der = load();
  const auto csr = parse_csr(der);
  ASSERT_TRUE(csr) << csr.error().to_string();
  EXPECT_EQ(csr->key_type, key_type());
  EXPECT_EQ(csr->common_name.value_or("none"), has_name() ? "dev-1" : "none");
  auto verifier = ProofVerifier::create();
  ASSERT_TRUE(verifier);
  const auto proof = verifier->verify(*csr);
  EXPECT_TRUE(proof) << proof.error().to_string();
}

// The subject kept, the key copied, and nothing that the CSR asked for.
TEST_P(CsrVectors, GiveCertificatesThatVerify) {
  const Bytes der = load();
  const auto csr = parse_csr(der);
  ASSERT_TRUE(csr);
  const test::SoftwareCa ca;
  Profile profile;
  profile.subject_source = SubjectSource::Csr;
  const auto builder = CertificateBuilder::create(profile, ca.certificate());
  ASSERT_TRUE(builder);
  ASSERT_EQ(builder->check(*csr, "dev-1").has_value(), has_name());
  if (!has_name()) return;  // there is no subject to keep
  CertificateRequest request;
  request.device_id = "dev-1";
  request.serial = *make_serial();
  request.issued_at = test::kTestTime;
  const auto tbs = builder->build_tbs(*csr, request);
  ASSERT_TRUE(tbs);
  const Bytes certificate_der =
      assemble_certificate(*tbs, signature_algorithm_der(KeyType::EcP256), ca.sign(*tbs));
  const unsigned char* position = certificate_der.data();
  const X509Certificate certificate{
      d2i_X509(nullptr, &position, static_cast<long>(certificate_der.size()))};
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_verify(certificate.get(), ca.key()), 1);
  const unsigned char* request_position = der.data();
  const X509Request parsed{d2i_X509_REQ(nullptr, &request_position, static_cast<long>(der.size()))};
  ASSERT_NE(parsed, nullptr);
  EXPECT_EQ(X509_NAME_cmp(X509_get_subject_name(certificate.get()),
                          X509_REQ_get_subject_name(parsed.get())),
            0);
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(certificate.get()), X509_REQ_get0_pubkey(parsed.get())),
            1);
  EXPECT_EQ(X509_get_ext_by_NID(certificate.get(), NID_subject_alt_name, -1), -1);
  EXPECT_EQ(X509_check_ca(certificate.get()), 0);
  EXPECT_EQ(X509_get_key_usage(certificate.get()), static_cast<uint32_t>(KU_DIGITAL_SIGNATURE));
}

INSTANTIATE_TEST_SUITE_P(Tools,
                         CsrVectors,
                         testing::ValuesIn(vector_names()),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(CsrVectorFolder, HoldsFourToolsWithBothKinds) {
  const std::vector<std::string> names = vector_names();
  for (const std::string tool : {"openssl", "certtool", "botan", "strongswan"}) {
    for (const std::string kind : {"-p256", "-rsa2048"}) {
      EXPECT_EQ(std::count(names.begin(), names.end(), tool + kind), 1) << tool << kind;
    }
  }
}

}  // namespace
}  // namespace linesign
