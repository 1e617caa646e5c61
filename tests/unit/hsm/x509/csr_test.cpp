#include "hsm/x509/csr.h"

#include <functional>

#include <gtest/gtest.h>

#include "hsm/x509/algorithm_ids.h"
#include "hsm/x509/der_reader.h"
#include "hsm/x509/der_writer.h"
#include "hsm/x509/proof_verifier.h"
#include "tests/support/software_ca.h"
#include "tests/unit/hsm/x509/csr_forge.h"

namespace linesign {
namespace {

EVP_PKEY* ec_key() { return test::shared_key(KeyType::EcP256); }
EVP_PKEY* rsa_key() { return test::shared_key(KeyType::Rsa2048); }

ErrorCode code_of(ByteView der) {
  const auto csr = parse_csr(der);
  return csr ? ErrorCode::Internal : csr.error().code();
}

// Replaces parts of a good CSR and says which error comes of it; 0 for none.
ErrorCode code_with(EVP_PKEY* key, const std::function<void(test::CsrParts&)>& change) {
  test::CsrParts parts = test::usual_parts(key);
  change(parts);
  return code_of(test::forge_csr(parts, key));
}

TEST(CsrParser, ReadsTheParts) {
  const test::CsrParts parts = test::usual_parts(ec_key());
  const Bytes der = test::forge_csr(parts, ec_key());
  const auto csr = parse_csr(der);
  ASSERT_TRUE(csr) << csr.error().to_string();
  EXPECT_TRUE(equal(csr->subject.whole, parts.subject));
  EXPECT_TRUE(equal(csr->spki, parts.spki));
  EXPECT_EQ(csr->public_key.size(), 65U);
  EXPECT_EQ(csr->key_type, KeyType::EcP256);
  EXPECT_EQ(csr->signature_algorithm, CsrSignature::EcdsaSha256);
}

TEST(CsrParser, HashesThePublicKeyInfo) {
  const Bytes der = test::make_csr(ec_key(), "dev-1");
  const auto csr = parse_csr(der);
  ASSERT_TRUE(csr);
  EXPECT_EQ(public_key_hash(*csr), sha256(csr->spki));
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(CsrParser, RefusesNothing) { EXPECT_EQ(code_of({}), ErrorCode::CsrEmpty); }

TEST(CsrParser, RefusesPemText) {
  EXPECT_EQ(code_of(as_bytes("-----BEGIN CERTIFICATE REQUEST-----\nMIH")), ErrorCode::CsrNotDer);
  EXPECT_EQ(code_of(as_bytes("\n\n-----BEGIN NEW CERTIFICATE REQUEST-----")), ErrorCode::CsrNotDer);
}

TEST(CsrParser, RefusesTrailingBytes) {
  Bytes der = test::make_csr(ec_key(), "dev-1");
  der.push_back(0);
  EXPECT_EQ(code_of(der), ErrorCode::CsrTrailingBytes);
}

TEST(CsrParser, RefusesMoreThanTheLimit) {
  EXPECT_EQ(code_of(Bytes(kMaxCsrBytes + 1, 0x30)), ErrorCode::CsrTooLarge);
}

TEST(CsrParser, RefusesTenThousandNestedSequences) {
  Bytes der;
  for (int i = 0; i < 10000; ++i) append(der, Bytes{0x30, 0x80});
  EXPECT_EQ(code_of(der), ErrorCode::CsrTooLarge);
  EXPECT_EQ(code_of(ByteView(der).first(kMaxCsrBytes)), ErrorCode::CsrMalformed);
}

TEST(CsrParser, RefusesNestingWithinTheSizeLimit) {
  Bytes der = {0x05, 0x00};
  while (der.size() < kMaxCsrBytes - 4) der = make_element(der::kSequence, der);
  EXPECT_EQ(code_of(der), ErrorCode::CsrTooDeep);
}

TEST(CsrParser, RefusesNestingInsideAttributes) {
  Bytes deep = {0x05, 0x00};
  for (int i = 0; i < 20; ++i) deep = make_element(der::kSequence, deep);
  EXPECT_EQ(code_with(ec_key(),
                      [&](auto& parts) {
                        const Bytes oid = *encode_object_id("1.2.3");
                        const Bytes values = make_element(der::kSet, deep);
                        const Bytes one = make_element(der::kSequence, {oid, values});
                        parts.attributes = make_element(0xa0, one);
                      }),
            ErrorCode::CsrTooDeep);
}

TEST(CsrParser, RefusesAnIndefiniteLength) {
  const Bytes good = test::make_csr(ec_key(), "dev-1");
  DerReader reader(good);
  const auto outer = reader.any();
  ASSERT_TRUE(outer);
  Bytes der = {0x30, 0x80};
  append(der, outer->content);
  append(der, Bytes{0, 0});
  EXPECT_EQ(code_of(der), ErrorCode::CsrMalformed);
}

TEST(CsrParser, RefusesANonMinimalLength) {
  const Bytes good = test::make_csr(ec_key(), "dev-1");
  ASSERT_EQ(good[1], 0x81);
  Bytes der = {0x30, 0x82, 0x00};
  append(der, ByteView(good).subspan(2));
  EXPECT_EQ(code_of(der), ErrorCode::CsrMalformed);
  EXPECT_EQ(code_with(ec_key(),
                      [](auto& parts) {
                        parts.version = {0x02, 0x81, 0x01, 0x00};
                      }),
            ErrorCode::CsrMalformed);
}

TEST(CsrParser, RefusesOtherVersions) {
  EXPECT_EQ(code_with(ec_key(),
                      [](auto& parts) {
                        parts.version = {2, 1, 1};
                      }),
            ErrorCode::CsrVersion);
  EXPECT_EQ(code_with(ec_key(),
                      [](auto& parts) {
                        parts.version = {2, 2, 0, 0};
                      }),
            ErrorCode::CsrVersion);
}

TEST(CsrParser, AcceptsAbsentAttributes) {
  test::CsrParts parts = test::usual_parts(ec_key());
  parts.attributes.clear();
  EXPECT_TRUE(parse_csr(test::forge_csr(parts, ec_key())));
}

// Nothing of them is used: a BOOLEAN that is 1, a NULL for an attribute, one without values.
TEST(CsrParser, AcceptsAttributesThatAreNotDer) {
  for (const char* hex : {"a003010101",
                          "a0020500",
                          "a0023000",
                          "a0073005"
                          "06012a3100"}) {
    EXPECT_EQ(code_with(ec_key(), [&](auto& parts) { parts.attributes = *from_hex(hex); }),
              ErrorCode::Internal)
        << hex;
  }
}

TEST(CsrParser, RefusesWhatStandsInPlaceOfAttributes) {
  for (const Bytes& attributes : {Bytes{0xa1, 0},
                                  Bytes{0xa0, 0, 0xa0, 0},
                                  Bytes{0xa0, 3, 0x30, 0x81, 0},
                                  Bytes{0xa0, 4, 0x30, 0x80, 0, 0},
                                  Bytes{0xa0, 2, 0x30, 1},
                                  Bytes{0x80, 0}}) {
    EXPECT_EQ(code_with(ec_key(), [&](auto& parts) { parts.attributes = attributes; }),
              ErrorCode::CsrMalformed)
        << to_hex(attributes);
  }
}

TEST(CsrParser, RefusesAlgorithmsOfNoUse) {
  const EvpKey rsa = test::make_rsa_key(2048, 65537);
  EXPECT_EQ(
      code_of(test::make_csr_with(rsa.get(), {.subject = {}, .extensions = {}, .digest = "SHA1"})),
      ErrorCode::CsrAlgorithm);
  EXPECT_EQ(code_with(ec_key(), [](auto& p) { p.algorithm = to_bytes(algorithm_id::kRsaSha256); }),
            ErrorCode::CsrAlgorithm);
  EXPECT_EQ(
      code_with(rsa_key(), [](auto& p) { p.algorithm = to_bytes(algorithm_id::kEcdsaSha256); }),
      ErrorCode::CsrAlgorithm);
}

// AlgorithmIdentifier of this object identifier with these parameters.
Bytes algorithm_with(ByteView algorithm, ByteView parameters) {
  DerReader outer(algorithm);
  DerReader inner = *outer.enter(der::kSequence, "an algorithm");
  return make_element(der::kSequence, {inner.any()->whole, parameters});
}

TEST(CsrParser, AcceptsEachSignatureAlgorithmWithNullAndWithoutParameters) {
  struct Row {
    EVP_PKEY* key;
    Bytes algorithm;
    CsrSignature signature;
  };
  for (const Row& row :
       {Row{ec_key(), to_bytes(algorithm_id::kEcdsaSha256), CsrSignature::EcdsaSha256},
        Row{ec_key(), to_bytes(algorithm_id::kEcdsaSha384), CsrSignature::EcdsaSha384},
        Row{ec_key(), to_bytes(algorithm_id::kEcdsaSha512), CsrSignature::EcdsaSha512},
        Row{rsa_key(), to_bytes(algorithm_id::kRsaSha256), CsrSignature::RsaSha256},
        Row{rsa_key(), to_bytes(algorithm_id::kRsaSha384), CsrSignature::RsaSha384},
        Row{rsa_key(), to_bytes(algorithm_id::kRsaSha512), CsrSignature::RsaSha512}}) {
    for (const Bytes& parameters : {Bytes{}, Bytes{der::kNull, 0}}) {
      test::CsrParts parts = test::usual_parts(row.key);
      parts.algorithm = algorithm_with(row.algorithm, parameters);
      const Bytes der = test::forge_csr(parts, row.key);
      const auto csr = parse_csr(der);
      ASSERT_TRUE(csr) << to_hex(parts.algorithm) << csr.error().to_string();
      EXPECT_EQ(csr->signature_algorithm, row.signature);
      // forge_csr signs with SHA-256.
      const bool is_proof =
          row.signature == CsrSignature::EcdsaSha256 || row.signature == CsrSignature::RsaSha256;
      EXPECT_EQ(ProofVerifier::create()->verify(*csr).has_value(), is_proof);
    }
  }
}

TEST(CsrParser, RefusesOtherAlgorithmParameters) {
  for (const Bytes& parameters : {Bytes{0x30, 0}, Bytes{5, 0, 5, 0}, Bytes{5, 1, 0}, Bytes{4, 0}}) {
    const auto with = [&](EVP_PKEY* key, ByteView algorithm) {
      return code_with(key, [&](auto& p) { p.algorithm = algorithm_with(algorithm, parameters); });
    };
    EXPECT_EQ(with(ec_key(), algorithm_id::kEcdsaSha256), ErrorCode::CsrAlgorithm);
    EXPECT_EQ(with(rsa_key(), algorithm_id::kRsaSha256), ErrorCode::CsrAlgorithm);
  }
}

TEST(CsrParser, NamesTheAlgorithmThatItDoesNotKnow) {
  const auto csr = parse_csr(
      test::make_csr_with(ec_key(), {.subject = {}, .extensions = {}, .digest = "SHA224"}));
  ASSERT_FALSE(csr);
  EXPECT_EQ(csr.error().code(), ErrorCode::CsrAlgorithm);
  EXPECT_EQ(csr.error().detail(), "ecdsa-with-SHA224");
}

TEST(CsrParser, RefusesAnEcdsaSignatureThatIsNotStrictDer) {
  const test::CsrParts parts = test::usual_parts(ec_key());
  for (const Bytes& signature : {Bytes{},
                                 Bytes{0x30, 6, 2, 1, 1, 2, 1, 1, 0},
                                 Bytes{0x30, 7, 2, 1, 1, 2, 2, 0, 1},
                                 Bytes{0x30, 6, 2, 1, 0, 2, 1, 1},
                                 Bytes{0x30, 6, 2, 1, 1, 2, 1, 0x80},
                                 Bytes{0x30, 0x81, 6, 2, 1, 1, 2, 1, 1},
                                 Bytes{0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1},
                                 Bytes{0x30, 3, 2, 1, 1}}) {
    EXPECT_EQ(code_of(test::wrap_csr(parts, signature)), ErrorCode::CsrMalformed)
        << to_hex(signature);
  }
  EXPECT_TRUE(parse_csr(test::wrap_csr(parts, Bytes{0x30, 6, 2, 1, 1, 2, 1, 1})));
}

TEST(CsrParserKeys, RefusesOtherCurves) {
  for (const char* group : {"secp256k1", "P-224", "P-521", "brainpoolP256r1", "prime192v1"}) {
    const EvpKey key = test::make_ec_key(group);
    EXPECT_EQ(code_of(test::make_csr(key.get(), "dev-1")), ErrorCode::CsrKeyUnsupported) << group;
  }
}

TEST(CsrParserKeys, RefusesExplicitCurveParameters) {
  const EvpKey key = test::make_ec_key("P-256");
  EVP_PKEY_set_utf8_string_param(key.get(), "encoding", "explicit");
  EXPECT_EQ(code_of(test::make_csr(key.get(), "dev-1")), ErrorCode::CsrKeyUnsupported);
}

TEST(CsrParserKeys, RefusesOtherAlgorithms) {
  const EvpKey key{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
  test::CsrParts parts = test::usual_parts(ec_key());
  parts.spki = test::usual_parts(key.get()).spki;
  EXPECT_EQ(code_of(test::forge_csr(parts, ec_key())), ErrorCode::CsrKeyUnsupported);
}

TEST(CsrParserKeys, RefusesCompressedAndHybridPoints) {
  const EvpKey key = test::make_ec_key("P-256");
  EVP_PKEY_set_utf8_string_param(key.get(), "point-format", "compressed");
  EXPECT_EQ(code_of(test::make_csr(key.get(), "dev-1")), ErrorCode::CsrKeyInvalid);
  EVP_PKEY_set_utf8_string_param(key.get(), "point-format", "hybrid");
  EXPECT_EQ(code_of(test::make_csr(key.get(), "dev-1")), ErrorCode::CsrKeyInvalid);
}

TEST(CsrParserKeys, RefusesRsaWithoutNullParameters) {
  test::CsrParts parts = test::usual_parts(rsa_key());
  DerReader outer(parts.spki);
  DerReader inner = *outer.enter(der::kSequence, "a key");
  const Bytes algorithm = algorithm_with(inner.any()->whole, {});
  parts.spki = make_element(der::kSequence, {algorithm, inner.any()->whole});
  const auto csr = parse_csr(test::forge_csr(parts, rsa_key()));
  ASSERT_FALSE(csr);
  EXPECT_EQ(csr.error().code(), ErrorCode::CsrKeyUnsupported);
  EXPECT_NE(csr.error().detail().find("RFC 8017"), std::string::npos) << csr.error().detail();
}

TEST(CsrParserKeys, RefusesOtherRsaSizes) {
  for (const unsigned bits : {1024U, 1536U, 2056U}) {
    const EvpKey key = test::make_rsa_key(bits, 65537);
    EXPECT_EQ(code_of(test::make_csr(key.get(), "dev-1")), ErrorCode::CsrKeyUnsupported) << bits;
  }
}

class CsrParserRsa : public testing::Test {
 protected:
  // A modulus of 2048 bits, as INTEGER content.
  Bytes modulus() const {
    Bytes octets(257, 0xa5);
    octets[0] = 0;
    return octets;
  }
  ErrorCode code_for(const Bytes& modulus, const Bytes& exponent) const {
    return code_with(rsa_key(),
                     [&](auto& parts) { parts.spki = test::rsa_spki(modulus, exponent); });
  }
};

TEST_F(CsrParserRsa, RefusesSmallEvenAndHugeExponents) {
  EXPECT_EQ(code_for(modulus(), {1}), ErrorCode::CsrKeyInvalid);
  EXPECT_EQ(code_for(modulus(), {3}), ErrorCode::CsrKeyInvalid);
  EXPECT_EQ(code_for(modulus(), {1, 0, 0}), ErrorCode::CsrKeyInvalid);
  EXPECT_EQ(code_for(modulus(), Bytes(9, 0x55)), ErrorCode::CsrKeyInvalid);
  EXPECT_EQ(code_for(modulus(), {1, 0, 1}), ErrorCode::Internal);
}

TEST_F(CsrParserRsa, RefusesAModulusThatIsEvenZeroOrNegative) {
  Bytes even = modulus();
  even.back() = 0xa4;
  EXPECT_EQ(code_for(even, {1, 0, 1}), ErrorCode::CsrKeyInvalid);
  EXPECT_EQ(code_for({0}, {1, 0, 1}), ErrorCode::CsrMalformed);
  EXPECT_EQ(code_for(Bytes(256, 0xa5), {1, 0, 1}), ErrorCode::CsrMalformed);
  EXPECT_EQ(code_for(modulus(), {0x81}), ErrorCode::CsrMalformed);
}

TEST_F(CsrParserRsa, RefusesNonMinimalNumbers) {
  Bytes padded = modulus();
  padded.insert(padded.begin(), 0);
  EXPECT_EQ(code_for(padded, {1, 0, 1}), ErrorCode::CsrMalformed);
  EXPECT_EQ(code_for(modulus(), {0, 1, 0, 1}), ErrorCode::CsrMalformed);
}

// What it is good for is for the profile to say.
TEST(CsrParserSubject, IsNotReadBeyondItsLengths) {
  for (const char* hex : {"3000", "3003010101", "30023100", "3009310730050603550403"}) {
    test::CsrParts parts = test::usual_parts(ec_key());
    parts.subject = *from_hex(hex);
    const Bytes der = test::forge_csr(parts, ec_key());
    const auto csr = parse_csr(der);
    ASSERT_TRUE(csr) << hex << csr.error().to_string();
    EXPECT_TRUE(equal(csr->subject.whole, parts.subject));
  }
}

TEST(CsrParserSubject, RefusesBadLengths) {
  for (const char* hex : {"30023101", "3003318100", "300431800000", "3100", "0c0141"}) {
    EXPECT_EQ(code_with(ec_key(), [&](auto& parts) { parts.subject = *from_hex(hex); }),
              ErrorCode::CsrMalformed)
        << hex;
  }
}

}  // namespace
}  // namespace linesign
