#include "hsm/ceremony/ca_documents.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "hsm/x509/ca_certificate.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

CeremonyPlan make_plan(KeyType type) {
  CeremonyPlan plan;
  plan.key_type = type;
  plan.subject = {{"O", "Example"}, {"CN", "Grün & Söhne"}};
  plan.validity = std::chrono::days(365);
  plan.path_length = 2;
  return plan;
}

class CaDocuments : public testing::TestWithParam<KeyType> {
 protected:
  CaKeyPair keys() const { return {test::shared_key(GetParam()), test::shared_key(GetParam())}; }
};

TEST_P(CaDocuments, MakeARootThatTheSignersRead) {
  const auto der = make_root_certificate(make_plan(GetParam()), keys(), test::kTestTime);
  ASSERT_TRUE(der.has_value()) << der.error().to_string();
  const auto certificate = CaCertificate::from_der(*der);
  ASSERT_TRUE(certificate.has_value()) << certificate.error().to_string();
  EXPECT_EQ(certificate->not_before(), test::kTestTime);
  EXPECT_EQ(certificate->not_after(),
            test::kTestTime + std::chrono::days(365) - std::chrono::seconds(1));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST_P(CaDocuments, MakeACsrThatAsksForACa) {
  const auto der = make_csr_for_ca(make_plan(GetParam()), keys());
  ASSERT_TRUE(der.has_value()) << der.error().to_string();
  const unsigned char* cursor = der->data();
  const X509Request request(d2i_X509_REQ(nullptr, &cursor, static_cast<long>(der->size())));
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(X509_REQ_verify(request.get(), keys().public_key), 1);
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request.get());
  EXPECT_EQ(sk_X509_EXTENSION_num(extensions), 3);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  EXPECT_TRUE(csr_pem(*der).starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
}

INSTANTIATE_TEST_SUITE_P(Types,
                         CaDocuments,
                         testing::Values(KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048),
                         [](const auto& row) {
                           std::string name(to_string(row.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST(CaDocumentsOfTwoKeys, AreRefused) {
  const EvpKey other = test::make_key(KeyType::EcP256);
  const CaKeyPair wrong{test::shared_key(KeyType::EcP256), other.get()};
  const auto root = make_root_certificate(make_plan(KeyType::EcP256), wrong, test::kTestTime);
  ASSERT_FALSE(root.has_value());
  EXPECT_EQ(root.error().code(), ErrorCode::HsmSignatureWrong);
  const auto csr = make_csr_for_ca(make_plan(KeyType::EcP256), wrong);
  ASSERT_FALSE(csr.has_value());
  EXPECT_EQ(csr.error().code(), ErrorCode::HsmSignatureWrong);
}

}  // namespace
}  // namespace linesign
