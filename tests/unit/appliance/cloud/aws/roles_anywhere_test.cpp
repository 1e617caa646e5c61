// Roles Anywhere with keys in memory: the signature is checked with OpenSSL.
#include "appliance/cloud/aws/roles_anywhere.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "appliance/cloud/aws/digests.h"
#include "tests/support/software_ca.h"
#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign::aws {
namespace {

class SoftwareSigner final : public X509Signer {
 public:
  explicit SoftwareSigner(KeyType type)
      : ca_({.key_type = type}), der_(ca_.der()), is_rsa_(type == KeyType::Rsa2048) {}

  KeyKind key_kind() const override { return is_rsa_ ? KeyKind::Rsa : KeyKind::Ecdsa; }
  const Bytes& certificate_der() const override { return der_; }
  const std::vector<Bytes>& chain_der() const override { return chain; }
  Result<Bytes> sign(const Sha256& digest) override {
    if (fails) return fail(ErrorCode::HsmUnavailable, "gone");
    const EvpKeyContext context(EVP_PKEY_CTX_new(ca_.key(), nullptr));
    EXPECT_EQ(EVP_PKEY_sign_init(context.get()), 1);
    EXPECT_EQ(EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()), 1);
    size_t size = 1024;
    Bytes signature(size);
    EXPECT_EQ(EVP_PKEY_sign(context.get(), signature.data(), &size, digest.data(), digest.size()),
              1);
    signature.resize(size);
    return signature;
  }

  bool verifies(const std::string& text, const Bytes& signature) const {
    const DigestContext context(EVP_MD_CTX_new());
    return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, ca_.key()) == 1 &&
           EVP_DigestVerify(context.get(),
                            signature.data(),
                            signature.size(),
                            reinterpret_cast<const uint8_t*>(text.data()),
                            text.size()) == 1;
  }
  std::string serial() const {
    const BigNumber number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(ca_.x509()), nullptr));
    char* text = BN_bn2dec(number.get());
    std::string decimal(text);
    OPENSSL_free(text);
    return decimal;
  }

  std::vector<Bytes> chain;
  bool fails = false;

 private:
  linesign::test::SoftwareCa ca_;
  Bytes der_;
  bool is_rsa_;
};

class RolesAnywhereTest : public ::testing::TestWithParam<KeyType> {
 protected:
  Result<Credentials> fetch() {
    ClientParts parts = world_.parts();
    parts.authenticator = std::make_shared<X509Authenticator>(signer_);
    RolesAnywhereCredentials provider({"arn:aws:rolesanywhere:eu-west-1:1:trust-anchor/t",
                                       "arn:profile",
                                       "arn:role",
                                       "",
                                       std::chrono::seconds(3600)},
                                      parts,
                                      test::endpoint_of(Service::RolesAnywhere));
    return provider.fetch();
  }
  static constexpr const char* kAnswer =
      R"({"credentialSet":[{"credentials":{"accessKeyId":"ASIA","secretAccessKey":"S",)"
      R"("sessionToken":"T","expiration":"2027-01-15T09:00:00Z"},"roleArn":"arn:role"}],)"
      R"("subjectArn":"arn:s"})";

  test::World world_;
  std::shared_ptr<SoftwareSigner> signer_ = std::make_shared<SoftwareSigner>(GetParam());
};

TEST_P(RolesAnywhereTest, TheKeyOfTheCertificateSignsTheRequest) {
  signer_->chain = {to_bytes(std::string_view("first")), to_bytes(std::string_view("second"))};
  world_.transport.then(test::answer(201, kAnswer));
  const Credentials credentials = fetch().value();
  EXPECT_EQ(credentials.access_key_id, "ASIA");
  EXPECT_EQ(reveal_text(credentials.session_token), "T");
  EXPECT_EQ(credentials.expires_at, test::kNow + std::chrono::hours(1));

  HttpRequest request = world_.transport.requests.at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url.path, "/sessions");
  EXPECT_EQ(
      request.url.query,
      "profileArn=arn%3Aprofile&roleArn=arn%3Arole&trustAnchorArn=arn%3Aaws%3Arolesanywhere%3A"
      "eu-west-1%3A1%3Atrust-anchor%2Ft");
  EXPECT_EQ(request.body, R"({"durationSeconds":3600})");
  EXPECT_EQ(test::header_of(request, "x-amz-x509"), to_base64(signer_->certificate_der()));
  EXPECT_EQ(test::header_of(request, "x-amz-x509-chain"), "Zmlyc3Q=,c2Vjb25k");

  const std::string algorithm =
      GetParam() == KeyType::Rsa2048 ? "AWS4-X509-RSA-SHA256" : "AWS4-X509-ECDSA-SHA256";
  const std::string authorization = test::header_of(request, "authorization");
  const std::string expected = algorithm + " Credential=" + signer_->serial() +
                               "/20270115/eu-west-1/rolesanywhere/aws4_request, "
                               "SignedHeaders=content-type;host;x-amz-date;x-amz-x509;"
                               "x-amz-x509-chain, Signature=";
  ASSERT_EQ(authorization.substr(0, expected.size()), expected);
  std::erase_if(request.headers, [](const auto& header) { return header.name == "Authorization"; });
  const std::string canonical =
      canonical_request(request, PathRule::Normalize, to_hex(sha256(as_bytes(request.body)))).text;
  const std::string text =
      string_to_sign(algorithm, {"eu-west-1", "rolesanywhere", test::kNow}, canonical);
  EXPECT_TRUE(signer_->verifies(text, *from_hex(authorization.substr(expected.size()))));
}

TEST_P(RolesAnywhereTest, AKeyThatDoesNotSignIsNamed) {
  signer_->fails = true;
  const auto credentials = fetch();
  EXPECT_EQ(credentials.error().code(), ErrorCode::AwsCredentialsFailed);
  EXPECT_NE(credentials.error().detail().find("HsmUnavailable"), std::string::npos);
  EXPECT_TRUE(world_.transport.requests.empty());
}

TEST_P(RolesAnywhereTest, AnEmptyAnswerCannotBeRead) {
  world_.transport.then(test::answer(201, R"({"credentialSet":[]})"));
  EXPECT_EQ(fetch().error().code(), ErrorCode::AwsAnswerUnreadable);
}

INSTANTIATE_TEST_SUITE_P(Keys,
                         RolesAnywhereTest,
                         ::testing::Values(KeyType::EcP256, KeyType::Rsa2048));

TEST(RegionOfArn, IsItsFourthPart) {
  EXPECT_EQ(region_of_arn("arn:aws:rolesanywhere:eu-west-1:1:trust-anchor/t").value(), "eu-west-1");
  for (const char* arn : {"", "arn:aws:iam::1:role/x", "arn:aws:x", "a:b:c:d:e"})
    EXPECT_FALSE(region_of_arn(arn).has_value()) << arn;
}

}  // namespace
}  // namespace linesign::aws
