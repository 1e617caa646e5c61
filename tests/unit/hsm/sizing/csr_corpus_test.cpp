#include "hsm/sizing/csr_corpus.h"

#include <fstream>
#include <set>

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "hsm/x509/distinguished_name.h"
#include "hsm/x509/proof_verifier.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

class CsrCorpus : public testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "csrs.pem"; }

  std::vector<CorpusCsr> make(const CorpusSpec& spec) const {
    const auto written = write_csr_corpus(file(), spec);
    EXPECT_TRUE(written.has_value()) << written.error().to_string();
    auto corpus = read_csr_corpus(file());
    EXPECT_TRUE(corpus.has_value()) << corpus.error().to_string();
    return std::move(*corpus);
  }

  ErrorCode read_code(const std::string& text) const {
    std::ofstream(file(), std::ios::trunc) << text;
    const auto corpus = read_csr_corpus(file());
    return corpus ? ErrorCode::Internal : corpus.error().code();
  }

  TempDir folder_;
};

TEST_F(CsrCorpus, HoldsCsrsOfDistinctDevicesThatProveTheirKeys) {
  CorpusSpec spec;
  spec.count = 20;
  const auto corpus = make(spec);
  ASSERT_EQ(corpus.size(), 20U);
  std::set<std::string> ids;
  std::set<Sha256> keys;
  auto verifier = *ProofVerifier::create();
  for (const CorpusCsr& each : corpus) {
    const auto csr = parse_csr(each.der);
    ASSERT_TRUE(csr.has_value());
    EXPECT_EQ(csr->key_type, KeyType::EcP256);
    EXPECT_EQ(*read_common_name(DerReader(csr->subject)), each.device_id);
    EXPECT_TRUE(verifier.verify(*csr).has_value());
    ids.insert(each.device_id);
    keys.insert(public_key_hash(*csr));
  }
  EXPECT_EQ(ids.size(), 20U);
  EXPECT_EQ(keys.size(), 20U);
}

TEST_F(CsrCorpus, UsesRsaKeysAgainUnderOtherNames) {
  CorpusSpec spec;
  spec.device_key = KeyType::Rsa2048;
  spec.count = 6;
  spec.distinct_rsa_keys = 2;
  std::set<std::string> ids;
  std::set<Sha256> keys;
  for (const CorpusCsr& each : make(spec)) {
    const auto csr = parse_csr(each.der);
    ASSERT_TRUE(csr.has_value());
    EXPECT_EQ(csr->key_type, KeyType::Rsa2048);
    ids.insert(each.device_id);
    keys.insert(public_key_hash(*csr));
  }
  EXPECT_EQ(ids.size(), 6U);
  EXPECT_EQ(keys.size(), 2U);
}

TEST_F(CsrCorpus, NeverReplacesAFile) {
  std::ofstream(file()) << "mine";
  const auto written = write_csr_corpus(file(), {});
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code(), ErrorCode::FileExists);
}

TEST_F(CsrCorpus, TakesTheCsrsOfRealDevices) {
  const Bytes der = test::make_csr(test::shared_key(KeyType::EcP256), "unit-7");
  const Bio pem{BIO_new(BIO_s_mem())};
  PEM_write_bio(pem.get(), "CERTIFICATE REQUEST", "", der.data(), static_cast<long>(der.size()));
  char* text = nullptr;
  const long size = BIO_get_mem_data(pem.get(), &text);
  std::ofstream(file()) << "Subject: CN=unit-7\n" << std::string(text, static_cast<size_t>(size));
  const auto corpus = read_csr_corpus(file());
  ASSERT_TRUE(corpus.has_value()) << corpus.error().to_string();
  ASSERT_EQ(corpus->size(), 1U);
  EXPECT_EQ(corpus->front().device_id, "unit-7");
  EXPECT_EQ(corpus->front().der, der);
}

TEST_F(CsrCorpus, RefusesWhatIsNoCsr) {
  EXPECT_EQ(read_code(""), ErrorCode::InputInvalid);
  EXPECT_EQ(read_code("no PEM at all\n"), ErrorCode::InputInvalid);
  EXPECT_EQ(read_code(test::SoftwareCa().pem()), ErrorCode::InputInvalid);
  EXPECT_EQ(read_code("-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n"), ErrorCode::InputInvalid);
  EXPECT_NE(read_code("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n"
                      "-----END CERTIFICATE REQUEST-----\n"),
            ErrorCode::Internal);
  std::filesystem::remove(file());
  EXPECT_EQ(read_csr_corpus(file()).error().code(), ErrorCode::Io);
}

TEST_F(CsrCorpus, IsNeitherEmptyNorEndless) {
  CorpusSpec spec;
  spec.count = 0;
  EXPECT_EQ(write_csr_corpus(file(), spec).error().code(), ErrorCode::InputInvalid);
  spec.count = kMaxCorpusCsrs + 1;
  EXPECT_EQ(write_csr_corpus(file(), spec).error().code(), ErrorCode::InputInvalid);
}

}  // namespace
}  // namespace linesign
