#include "hsm/x509/distinguished_name.h"

#include <gtest/gtest.h>

#include "hsm/x509/der_writer.h"

namespace linesign {
namespace {

Bytes attribute(std::string_view oid, uint8_t tag, std::string_view text) {
  const Bytes type = *encode_object_id(oid);
  const Bytes value = make_element(tag, as_bytes(text));
  return make_element(der::kSequence, {type, value});
}

Bytes set_of(std::initializer_list<ByteView> attributes) {
  return make_element(der::kSet, attributes);
}

constexpr std::string_view kCn = "2.5.4.3";
constexpr std::string_view kOu = "2.5.4.11";

TEST(DistinguishedName, FindsTheCommonNameInAMultiValuedPart) {
  const Bytes content =
      set_of({attribute(kCn, der::kUtf8String, "dev"), attribute(kOu, der::kUtf8String, "line")});
  const auto name = check_name(DerReader(content));
  ASSERT_TRUE(name) << name.error().to_string();
  EXPECT_EQ(*name, "dev");
}

TEST(DistinguishedName, RefusesASetThatIsNotInOrder) {
  const Bytes content =
      set_of({attribute(kOu, der::kUtf8String, "line"), attribute(kCn, der::kUtf8String, "dev")});
  EXPECT_FALSE(check_name(DerReader(content)));
}

TEST(DistinguishedName, RefusesTwoCommonNames) {
  Bytes content = set_of({attribute(kCn, der::kUtf8String, "dev")});
  append(content, set_of({attribute(kCn, der::kPrintableString, "dev")}));
  const auto name = check_name(DerReader(content));
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().code(), ErrorCode::CsrSubjectInvalid);
}

TEST(DistinguishedName, ChecksOtherAttributesToo) {
  const Bytes content = set_of({attribute(kOu, der::kUtf8String, "line\n7")});
  EXPECT_FALSE(check_name(DerReader(content)));
}

TEST(DistinguishedName, AcceptsAUniqueIdentifier) {
  const Bytes content =
      set_of({attribute("2.5.4.45", der::kBitString, std::string_view("\0\x55", 2))});
  EXPECT_TRUE(check_name(DerReader(content)));
}

TEST(DistinguishedName, RefusesACommonNameThatIsNoString) {
  const Bytes content = set_of({attribute(kCn, der::kBitString, std::string_view("\0\x55", 2))});
  EXPECT_FALSE(check_name(DerReader(content)));
}

TEST(DistinguishedName, RefusesOtherShapes) {
  for (const char* hex : {"3100",                       // an empty SET
                          "3000",                       // no SET
                          "31023000",                   // an empty attribute
                          "310730050603550403",         // no value
                          "310b3009060355040304004100"  // something after it
                          "00"}) {
    EXPECT_FALSE(check_name(DerReader(*from_hex(hex)))) << hex;
  }
}

std::string fault_of(ByteView content) {
  const auto name = check_name(DerReader(content));
  return name ? "none" : name.error().detail();
}

TEST(DistinguishedName, NamesAttributeAndByteOfAFault) {
  Bytes content = set_of({attribute(kCn, der::kUtf8String, "dev")});
  append(content, set_of({attribute(kOu, der::kUtf8String, "")}));
  EXPECT_EQ(fault_of(content), "OU: byte 23: an empty string");
  EXPECT_EQ(fault_of(set_of({attribute("2.5.4.5", der::kPrintableString, "SN_1")})),
            "serialNumber: byte 9: a character that its string type does not allow");
  EXPECT_EQ(fault_of(set_of({attribute("1.3.6.1.4.1.55555.1", der::kUtf8String, "a\nb")})),
            "1.3.6.1.4.1.55555.1: byte 15: a NUL or control character");
  EXPECT_EQ(fault_of(set_of({attribute(kOu, der::kUtf8String, "line"),
                             attribute(kCn, der::kUtf8String, "dev")})),
            "CN: byte 15: not in DER's order within its SET");
  EXPECT_EQ(fault_of(set_of({attribute(kOu, der::kBoolean, "\x01")})), "OU: byte 9: not a BOOLEAN");
  EXPECT_EQ(fault_of(set_of({attribute(kOu, der::kInteger, "\x01")})), "OU: byte 9: not a string");
}

std::string common_name_of(ByteView content) {
  const auto name = read_common_name(DerReader(content));
  return !name ? "refused: " + name.error().detail() : name->value_or("none");
}

TEST(CommonName, IsFoundAmongAttributesThatAreNotDer) {
  const Bytes boolean = attribute(kOu, der::kBoolean, "\x01");
  const Bytes empty = attribute(kOu, der::kUtf8String, "");
  const Bytes odd = attribute("2.5.4.5", der::kPrintableString, "a_&@*\n");
  const Bytes own = attribute(kCn, der::kUtf8String, "dev");
  const Bytes no_value = *from_hex("30050603550406");
  EXPECT_EQ(common_name_of(set_of({odd, own, empty, boolean, no_value})), "dev");
  EXPECT_EQ(common_name_of(set_of({odd, empty, boolean})), "none");
  EXPECT_EQ(common_name_of(*from_hex("3100")), "none");
  EXPECT_EQ(common_name_of({}), "none");
}

TEST(CommonName, MayHoldWhatItsStringTypeDoesNotAllow) {
  EXPECT_EQ(common_name_of(set_of({attribute(kCn, der::kPrintableString, "dev_1")})), "dev_1");
  EXPECT_EQ(common_name_of(set_of({attribute(kCn, der::kNumericString, "A:1")})), "A:1");
  EXPECT_EQ(common_name_of(set_of({attribute(kCn, der::kBmpString, {"\0A\0_", 4})})), "A_");
}

TEST(CommonName, ThatIsEmptyIsNone) {
  EXPECT_EQ(common_name_of(set_of({attribute(kCn, der::kUtf8String, "")})), "none");
}

TEST(CommonName, OfNoUseIsRefused) {
  for (const std::string& name : {std::string("dev\0-1", 6),
                                  std::string("dev\r\n-1"),
                                  std::string("dev\x7f"),
                                  std::string(65, 'a'),
                                  std::string("\xff")}) {
    EXPECT_EQ(common_name_of(set_of({attribute(kCn, der::kUtf8String, name)})).find("refused: CN:"),
              0U)
        << to_hex(as_bytes(name));
  }
  EXPECT_EQ(common_name_of(set_of({attribute(kCn, der::kBitString, {"\0U", 2})})),
            "refused: CN: byte 9: not a string");
  const Bytes one = attribute(kCn, der::kUtf8String, "dev");
  EXPECT_EQ(common_name_of(set_of({one, one})), "refused: CN: byte 21: more than one common name");
}

TEST(CommonName, HasAtMostSixtyFourCharacters) {
  std::string name;
  for (int i = 0; i < 64; ++i) name += "ö";
  EXPECT_EQ(common_name_of(set_of({attribute(kCn, der::kUtf8String, name)})), name);
}

TEST(CommonName, IsNotLookedForInWhatIsNoName) {
  for (const char* hex : {"3000", "31023100", "31023000", "310730050603550403"}) {
    EXPECT_EQ(common_name_of(*from_hex(hex)).find("refused: byte"), 0U) << hex;
  }
}

}  // namespace
}  // namespace linesign
