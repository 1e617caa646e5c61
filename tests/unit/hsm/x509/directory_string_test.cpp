#include "hsm/x509/directory_string.h"

#include <gtest/gtest.h>

#include "hsm/x509/der_reader.h"

namespace linesign {
namespace {

std::string decoded(uint8_t tag, std::string_view hex) {
  const auto text = decode_directory_string(tag, *from_hex(hex));
  return text ? text->utf8 : "refused";
}

TEST(DirectoryString, ReadsEveryType) {
  EXPECT_EQ(decoded(der::kUtf8String, "c3a9f09f8fad"), "é🏭");
  EXPECT_EQ(decoded(der::kPrintableString, "412d31"), "A-1");
  EXPECT_EQ(decoded(der::kNumericString, "3120"), "1 ");
  EXPECT_EQ(decoded(der::kT61String, "41e9"), "Aé");
  EXPECT_EQ(decoded(der::kIa5String, "615f40"), "a_@");
  EXPECT_EQ(decoded(der::kVisibleString, "7e"), "~");
  EXPECT_EQ(decoded(der::kBmpString, "004101418272"), "AŁ色");
  EXPECT_EQ(decoded(der::kUniversalString, "000000410001f3ed"), "A🏭");
}

TEST(DirectoryString, CountsCharacters) {
  const auto text = decode_directory_string(der::kUtf8String, *from_hex("c3a9f09f8fad41"));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->characters, 3U);
}

TEST(DirectoryString, RefusesControlCharacters) {
  EXPECT_EQ(decoded(der::kUtf8String, "4100"), "refused");
  EXPECT_EQ(decoded(der::kUtf8String, "0d0a"), "refused");
  EXPECT_EQ(decoded(der::kUtf8String, "7f"), "refused");
  EXPECT_EQ(decoded(der::kUtf8String, "c285"), "refused");
  EXPECT_EQ(decoded(der::kT61String, "85"), "refused");
  EXPECT_EQ(decoded(der::kBmpString, "00410000"), "refused");
  EXPECT_EQ(decoded(der::kUniversalString, "0000000a"), "refused");
}

TEST(DirectoryString, RefusesWhatTheTypeDoesNotAllow) {
  EXPECT_EQ(decoded(der::kPrintableString, "5f"), "refused");
  EXPECT_EQ(decoded(der::kPrintableString, "40"), "refused");
  EXPECT_EQ(decoded(der::kPrintableString, "e9"), "refused");
  EXPECT_EQ(decoded(der::kNumericString, "41"), "refused");
  EXPECT_EQ(decoded(der::kIa5String, "e9"), "refused");
}

TEST(DirectoryString, RefusesBadUtf8) {
  for (const char* hex : {"80",        // a continuation byte alone
                          "c3",        // cut off
                          "c328",      // no continuation
                          "c080",      // overlong NUL
                          "c1bf",      // overlong
                          "e08080",    // overlong
                          "f0808080",  // overlong
                          "eda080",    // surrogate
                          "f4908080",  // above U+10FFFF
                          "f888808080"}) {
    EXPECT_EQ(decoded(der::kUtf8String, hex), "refused") << hex;
  }
}

TEST(DirectoryString, RefusesBrokenWideStrings) {
  EXPECT_EQ(decoded(der::kBmpString,
                    "0041"
                    "00"),
            "refused");
  EXPECT_EQ(decoded(der::kBmpString, "d83cdfed"), "refused");
  EXPECT_EQ(decoded(der::kUniversalString,
                    "00000041"
                    "0000"),
            "refused");
  EXPECT_EQ(decoded(der::kUniversalString, "00110000"), "refused");
}

TEST(DirectoryString, RefusesEmptiness) { EXPECT_EQ(decoded(der::kUtf8String, ""), "refused"); }

}  // namespace
}  // namespace linesign
