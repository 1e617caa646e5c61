#include "stations/client/key_maker.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "stations/client/der.h"
#include "stations/client/handles.h"

namespace linesign::client {
namespace {

using Request = std::unique_ptr<X509_REQ, Free<X509_REQ_free>>;

Request parse(const Bytes& csr) {
  const uint8_t* cursor = csr.data();
  return Request(d2i_X509_REQ(nullptr, &cursor, static_cast<long>(csr.size())));
}

Key load_key(ByteView pem) {
  const Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Key(PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, nullptr));
}

class EveryKeyKind : public testing::TestWithParam<KeyKind> {};

TEST_P(EveryKeyKind, MakesACsrThatOpenSslVerifies) {
  auto maker = KeyMaker::open(GetParam());
  ASSERT_TRUE(maker.has_value());
  const auto made = maker->make("line-7-000001");
  ASSERT_TRUE(made.has_value()) << made.error().to_string();
  const Request request = parse(made->csr_der);
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(X509_REQ_verify(request.get(), X509_REQ_get0_pubkey(request.get())), 1);
  EXPECT_EQ(find_common_name(outline_csr(made->csr_der)->subject), "line-7-000001");
  const Key key = load_key(made->private_key_pem.reveal());
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(EVP_PKEY_eq(key.get(), X509_REQ_get0_pubkey(request.get())), 1);
}

TEST_P(EveryKeyKind, MakesAnotherCsrForTheSameKey) {
  auto maker = KeyMaker::open(GetParam());
  const auto made = maker->make("unit-1");
  ASSERT_TRUE(made.has_value());
  const auto again = make_csr(made->private_key_pem.reveal(), "unit-1");
  ASSERT_TRUE(again.has_value()) << again.error().to_string();
  const Request request = parse(*again);
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(X509_REQ_verify(request.get(), X509_REQ_get0_pubkey(request.get())), 1);
  EXPECT_TRUE(equal(outline_csr(*again)->spki, outline_csr(made->csr_der)->spki));
  EXPECT_EQ(public_key_of(made->private_key_pem.reveal()).value(),
            to_bytes(outline_csr(made->csr_der)->spki));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    EveryKeyKind,
    testing::Values(KeyKind::EcP256, KeyKind::EcP384, KeyKind::Rsa2048, KeyKind::Rsa3072),
    [](const auto& kind) {
      std::string name(kKeyKindNames[static_cast<size_t>(kind.param)]);
      std::erase(name, '-');
      return name;
    });

TEST(KeyMaker, MakesAnotherKeyEachTime) {
  auto maker = KeyMaker::open(KeyKind::EcP256);
  const auto first = maker->make("a");
  const auto second = maker->make("a");
  EXPECT_FALSE(equal(outline_csr(first->csr_der)->spki, outline_csr(second->csr_der)->spki));
}

TEST(KeyKinds, AreKnownByName) {
  EXPECT_EQ(parse_key_kind("P-384"), KeyKind::EcP384);
  EXPECT_EQ(parse_key_kind("RSA-4096"), KeyKind::Rsa4096);
  EXPECT_FALSE(parse_key_kind("secp256k1").has_value());
}

TEST(PrivateKeys, ThatAreNoneAreRefused) {
  EXPECT_EQ(public_key_of(as_bytes("nonsense")).error().code(), ErrorCode::InputInvalid);
  EXPECT_EQ(public_key_of({}).error().code(), ErrorCode::InputInvalid);
}

}  // namespace
}  // namespace linesign::client
