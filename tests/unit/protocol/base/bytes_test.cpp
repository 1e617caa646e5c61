#include "protocol/base/bytes.h"

#include <gtest/gtest.h>

namespace linesign {
namespace {

TEST(Bytes, HexGoesThereAndBack) {
  const Bytes bytes = {0x00, 0x7f, 0x80, 0xff};
  EXPECT_EQ(to_hex(bytes), "007f80ff");
  EXPECT_EQ(from_hex("007f80FF"), bytes);
}

TEST(Bytes, HexRefusesWhatIsNotHex) {
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0g"));
  EXPECT_FALSE(from_hex(" 0"));
  EXPECT_EQ(from_hex(""), Bytes());
}

TEST(Bytes, Base64urlMatchesTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg"},
                                                         {"fo", "Zm8"},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg"},
                                                         {"fooba", "Zm9vYmE"},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64url(as_bytes(plain)), encoded);
    EXPECT_EQ(from_base64url(encoded), to_bytes(std::string_view(plain)));
  }
  EXPECT_EQ(to_base64url(Bytes{0xfb, 0xff}), "-_8");
}

TEST(Bytes, Base64urlRefusesPaddingForeignDigitsAndStrayBits) {
  EXPECT_FALSE(from_base64url("Zg=="));
  EXPECT_FALSE(from_base64url("Zg+/"));
  EXPECT_FALSE(from_base64url("A"));
  EXPECT_FALSE(from_base64url("Zh"));  // 'h' has bits that no byte holds
}

TEST(Bytes, ComparisonsAgree) {
  const Bytes a = {1, 2, 3};
  const Bytes b = {1, 2, 4};
  const Bytes longer = {1, 2, 3, 0};
  EXPECT_TRUE(equal(a, a));
  EXPECT_FALSE(equal(a, b));
  EXPECT_FALSE(equal(a, longer));
  EXPECT_TRUE(equal({}, {}));
}

}  // namespace
}  // namespace linesign
