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

}  // namespace
}  // namespace linesign
