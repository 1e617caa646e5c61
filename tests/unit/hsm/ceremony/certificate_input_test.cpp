#include "hsm/ceremony/certificate_input.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

class CertificateInput : public testing::Test {
 protected:
  Result<std::vector<X509Certificate>> read(std::string_view content) {
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << content;
    return read_certificate_input(file_);
  }
  void expect_refused(std::string_view content, std::string_view why) {
    const auto refused = read(content);
    ASSERT_FALSE(refused.has_value()) << why;
    EXPECT_EQ(refused.error().code(), ErrorCode::CaCertificateInvalid);
    EXPECT_NE(refused.error().detail().find(file_.string() + ": "), std::string::npos);
    EXPECT_NE(refused.error().detail().find(why), std::string::npos) << refused.error().detail();
  }

  TempDir folder_;
  std::filesystem::path file_ = folder_.path() / "given";
  const test::SoftwareCa ca_;
  const std::string pem_ = ca_.pem();
  const Bytes der_ = ca_.der();
};

TEST_F(CertificateInput, IsPemOrDer) {
  const std::string der(as_text(der_));
  for (const std::string& each :
       {pem_, der, der + "\r\n", "text\n" + pem_, "\xef\xbb\xbf  " + pem_}) {
    const auto given = read(each);
    ASSERT_TRUE(given.has_value()) << given.error().to_string();
    ASSERT_EQ(given->size(), 1U);
    EXPECT_EQ(encode_certificate(given->front().get()).value(), der_);
  }
  EXPECT_EQ(read(pem_ + pem_)->size(), 2U);
}

TEST_F(CertificateInput, IsNothingElse) {
  const std::string der(as_text(der_));
  expect_refused("", "the file holds no certificate");
  expect_refused("to follow", "the file holds no certificate");
  expect_refused(der + "x", "bytes after the end of the certificate");
  expect_refused(pem_.substr(0, 100), "a PEM block is damaged or cut off");
  expect_refused("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + pem_,
                 "the file holds a PRIVATE KEY block");
  expect_refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                 "a CERTIFICATE block is damaged");
}

TEST_F(CertificateInput, HasALimit) {
  std::string many;
  for (size_t i = 0; i < kMaxInputCertificates; ++i) many += pem_;
  EXPECT_EQ(read(many)->size(), kMaxInputCertificates);
  expect_refused(many + pem_, "more than 64 certificates");
}

}  // namespace
}  // namespace linesign
