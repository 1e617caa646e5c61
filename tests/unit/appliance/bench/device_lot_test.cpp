#include "appliance/bench/device_lot.h"

#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "hsm/x509/csr.h"
#include "hsm/x509/distinguished_name.h"
#include "hsm/x509/proof_verifier.h"
#include "protocol/base/file.h"
#include "tests/support/temp_dir.h"

namespace linesign::bench {
namespace {

std::vector<IssueRequest> lot_of(KeyType key, size_t count) {
  auto lot = make_lot({.device_key = key, .count = count, .order = "default", .threads = 2}, {});
  EXPECT_TRUE(lot.has_value()) << (lot.has_value() ? "" : lot.error().to_string());
  return lot.has_value() ? std::move(*lot) : std::vector<IssueRequest>();
}

void expect_good(const std::vector<IssueRequest>& lot, KeyType key) {
  std::set<Sha256> keys;
  std::set<RequestId> ids;
  auto verifier = *ProofVerifier::create();
  for (const IssueRequest& request : lot) {
    const auto csr = parse_csr(request.csr_der);
    ASSERT_TRUE(csr.has_value()) << csr.error().to_string();
    EXPECT_EQ(csr->key_type, key);
    EXPECT_EQ(*read_common_name(DerReader(csr->subject)), request.device_id);
    EXPECT_TRUE(verifier.verify(*csr).has_value());
    keys.insert(public_key_hash(*csr));
    ids.insert(request.request_id);
  }
  EXPECT_EQ(keys.size(), lot.size());
  EXPECT_EQ(ids.size(), lot.size());
}

TEST(DeviceLot, EachDeviceHasAKeyOfItsOwn) {
  for (const KeyType key : {KeyType::EcP256, KeyType::EcP384}) {
    const auto lot = lot_of(key, 20);
    EXPECT_EQ(lot.size(), 20U);
    expect_good(lot, key);
  }
}

TEST(DeviceLot, RsaKeysShareNothingThatTheApplianceLooksAt) {
  expect_good(lot_of(KeyType::Rsa2048, 15), KeyType::Rsa2048);
}

TEST(DeviceLot, TwoLotsHaveNoDeviceInCommon) {
  EXPECT_NE(lot_of(KeyType::EcP256, 1)[0].device_id, lot_of(KeyType::EcP256, 1)[0].device_id);
}

TEST(DeviceLot, AFileIsUsedAgainAndGrows) {
  const TempDir folder;
  const auto file = folder.path() / "lot.pem";
  LotSpec spec{.count = 10, .order = "order-7", .threads = 2};
  const auto first = *load_lot(file, spec, {});
  EXPECT_EQ(first.size(), 10U);
  spec.count = 25;
  const auto second = *load_lot(file, spec, {});
  ASSERT_EQ(second.size(), 25U);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(second[i].request_id, first[i].request_id);
    EXPECT_EQ(second[i].csr_der, first[i].csr_der);
    EXPECT_EQ(second[i].order_id, "order-7");
  }
  expect_good(second, KeyType::EcP256);
  spec.count = 3;
  EXPECT_EQ(load_lot(file, spec, {})->size(), 3U);
}

TEST(DeviceLot, AFileOfOtherKeysIsRefused) {
  const TempDir folder;
  const auto file = folder.path() / "lot.pem";
  ASSERT_TRUE(load_lot(file, {.count = 1}, {}).has_value());
  const auto other = load_lot(file, {.device_key = KeyType::EcP384, .count = 1}, {});
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code(), ErrorCode::InputInvalid);
}

TEST(DeviceLot, AFileThatIsCutOffIsRefused) {
  const TempDir folder;
  const auto file = folder.path() / "lot.pem";
  ASSERT_TRUE(load_lot(file, {.count = 2}, {}).has_value());
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 40);
  EXPECT_FALSE(load_lot(file, {.count = 2}, {}).has_value());
}

TEST(DeviceLot, WritesNothingOverAFileThatExists) {
  const TempDir folder;
  const auto file = folder.path() / "precious";
  std::ofstream(file) << "x";
  const auto lot = lot_of(KeyType::EcP256, 1);
  ASSERT_FALSE(write_lot(file, lot, 1).has_value());
  EXPECT_EQ(as_text(*read_file(file, 10)), "x");
}

}  // namespace
}  // namespace linesign::bench
