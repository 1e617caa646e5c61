#include "hsm/x509/der_reader.h"

#include <gtest/gtest.h>

#include "hsm/x509/der_writer.h"

namespace linesign {
namespace {

constexpr size_t kDepth = 16;

TEST(DerReader, ReadsShortAndLongLengths) {
  for (const size_t size : {0U, 1U, 127U, 128U, 255U, 256U, 65535U, 65536U}) {
    const Bytes der = make_element(der::kOctetString, Bytes(size, 7));
    DerReader reader(der);
    const auto element = reader.read(der::kOctetString, "octets");
    ASSERT_TRUE(element) << size;
    EXPECT_EQ(element->content.size(), size);
    EXPECT_EQ(element->whole.size(), der_size(size));
    EXPECT_TRUE(reader.empty());
    EXPECT_TRUE(check_der(der, kDepth));
  }
}

TEST(DerReader, NamesThePositionOfAFault) {
  const Bytes der = {0x30, 0x05, 0x02, 0x01, 0x00, 0x04, 0x00};
  DerReader outer(der);
  auto inner = outer.enter(der::kSequence, "a list");
  ASSERT_TRUE(inner);
  ASSERT_TRUE(inner->read(der::kInteger, "a number"));
  const auto wrong = inner->read(der::kInteger, "a second number");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::CsrMalformed);
  EXPECT_EQ(wrong.error().detail(), "byte 5: expected a second number");
}

TEST(DerReader, ReadsPositiveIntegers) {
  const Bytes der = {2, 1, 1, 2, 2, 0, 0x80};
  DerReader reader(der);
  EXPECT_TRUE(equal(*reader.positive_integer("one"), Bytes{1}));
  EXPECT_TRUE(equal(*reader.positive_integer("128"), Bytes{0x80}));
  EXPECT_TRUE(reader.finish("the numbers"));
}

TEST(DerReader, RefusesABitStringWithUnusedBits) {
  const Bytes der = {3, 2, 1, 0x80};
  EXPECT_FALSE(DerReader(der).bit_string("bits"));
  const Bytes empty = {3, 0};
  EXPECT_FALSE(DerReader(empty).bit_string("bits"));
}

struct BadCase {
  const char* name;
  const char* hex;
};

class BadDer : public testing::TestWithParam<BadCase> {};

TEST_P(BadDer, IsRefused) {
  const Bytes der = *from_hex(GetParam().hex);
  const auto checked = check_der(der, kDepth);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::CsrMalformed);
}

INSTANTIATE_TEST_SUITE_P(Cases,
                         BadDer,
                         testing::Values(BadCase{"TagOnly", "30"},
                                         BadCase{"LengthPastTheEnd",
                                                 "300105"
                                                 "00"},
                                         BadCase{"LengthPastTheParent",
                                                 "3003"
                                                 "0403"
                                                 "0102"},
                                         BadCase{"IndefiniteLength", "30800000"},
                                         BadCase{"LongFormOfAShortLength", "04810100"},
                                         BadCase{"LeadingZeroInTheLength", "0482008000"},
                                         BadCase{"LengthOfFourBytes", "048400000000"},
                                         BadCase{"LengthOf127Bytes", "04ff01"},
                                         BadCase{"ReservedLength", "0480"},
                                         BadCase{"HighTagNumber",
                                                 "1f8100"
                                                 "00"},
                                         BadCase{"EndOfContents", "0000"},
                                         BadCase{"ConstructedOctetString", "24020400"},
                                         BadCase{"PrimitiveSequence", "1000"},
                                         BadCase{"PrimitiveSet", "1100"},
                                         BadCase{"BooleanOfTwoBytes", "01020000"},
                                         BadCase{"BooleanOfOne", "010101"},
                                         BadCase{"EmptyInteger", "0200"},
                                         BadCase{"IntegerWithSpareZero", "02020001"},
                                         BadCase{"IntegerWithSpareOnes", "0202ff80"},
                                         BadCase{"NullWithContent", "050100"},
                                         BadCase{"EmptyObjectId", "0600"},
                                         BadCase{"ObjectIdCutOff", "06022a86"},
                                         BadCase{"ObjectIdWithLeadingZero", "06032a8001"},
                                         BadCase{"EmptyBitString", "0300"},
                                         BadCase{"EightUnusedBits", "03020800"},
                                         BadCase{"UnusedBitsOfNothing", "030101"},
                                         BadCase{"UnusedBitsThatAreSet",
                                                 "030201"
                                                 "01"}),
                         [](const auto& tested) { return tested.param.name; });

// Only lengths and tags: the content is for who reads it.
TEST_P(BadDer, HasSoundStructureIfOnlyItsContentIsWrong) {
  const Bytes der = *from_hex(GetParam().hex);
  const bool is_content = check_der_structure(der, kDepth).has_value();
  const std::string_view name = GetParam().name;
  const bool is_expected = name.find("Constructed") == 0 || name.find("Primitive") == 0 ||
                           name.find("Boolean") == 0 || name.find("Integer") != name.npos ||
                           name.find("ObjectId") != name.npos || name.find("Null") == 0 ||
                           name.find("BitString") != name.npos || name.find("Unused") != name.npos;
  EXPECT_EQ(is_content, is_expected);
}

TEST(DerCheck, CountsFromTheGivenOffset) {
  const auto checked = check_der(*from_hex("3003010101"), kDepth, 100);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().detail(), "byte 102: not a BOOLEAN");
}

Bytes nested(size_t levels) {
  Bytes der = {5, 0};
  for (size_t i = 0; i < levels; ++i) der = make_element(der::kSequence, der);
  return der;
}

TEST(DerCheck, AllowsTheDepthAndNoMore) {
  EXPECT_TRUE(check_der(nested(kDepth), kDepth));
  const auto deeper = check_der(nested(kDepth + 1), kDepth);
  ASSERT_FALSE(deeper);
  EXPECT_EQ(deeper.error().code(), ErrorCode::CsrTooDeep);
}

TEST(DerCheck, ComesBackUpBetweenSiblings) {
  Bytes siblings;
  for (int i = 0; i < 100; ++i) append(siblings, nested(kDepth - 1));
  EXPECT_TRUE(check_der(make_element(der::kSequence, siblings), kDepth));
}

TEST(DerCheck, AcceptsEmptyAndNegative) {
  EXPECT_TRUE(check_der({}, kDepth));
  EXPECT_TRUE(check_der(*from_hex("30003100020180"
                                  "0301"
                                  "00"
                                  "a000"
                                  "8000"),
                        kDepth));
}

}  // namespace
}  // namespace linesign
