#include "hsm/pkcs11/uri.h"

#include <string>

#include <gtest/gtest.h>

namespace linesign {
namespace {

TEST(Pkcs11Uri, TakesTheAttributesThatChooseAKey) {
  const auto uri = parse_pkcs11_uri(
      "pkcs11:token=Line%20CA;serial=127ad8c75dbbb064;object=device-ca;id=%01%fe;type=private"
      "?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/linesign/pin");
  ASSERT_TRUE(uri.has_value()) << uri.error().to_string();
  EXPECT_EQ(uri->token, "Line CA");
  EXPECT_EQ(uri->serial, "127ad8c75dbbb064");
  EXPECT_EQ(uri->object, "device-ca");
  EXPECT_EQ(uri->id, (Bytes{0x01, 0xfe}));
  EXPECT_EQ(uri->module_path, "/usr/lib/softhsm/libsofthsm2.so");
  EXPECT_EQ(uri->pin_source, "/etc/linesign/pin");
}

TEST(Pkcs11Uri, LeavesAbsentAttributesEmpty) {
  const auto uri = parse_pkcs11_uri("pkcs11:");
  ASSERT_TRUE(uri.has_value());
  EXPECT_TRUE(uri->token.empty());
  EXPECT_TRUE(uri->id.empty());
}

TEST(Pkcs11Uri, TakesTheLongFormOfAFileUri) {
  const auto uri = parse_pkcs11_uri("pkcs11:token=a?pin-source=file:///run/pin");
  ASSERT_TRUE(uri.has_value()) << uri.error().to_string();
  EXPECT_EQ(uri->pin_source, "/run/pin");
}

TEST(Pkcs11Uri, TakesAmpersandInAPathAttribute) {
  const auto uri = parse_pkcs11_uri("pkcs11:token=a&b");
  ASSERT_TRUE(uri.has_value());
  EXPECT_EQ(uri->token, "a&b");
}

struct BadUri {
  const char* name;
  const char* text;
};

class Pkcs11UriRefuses : public ::testing::TestWithParam<BadUri> {};

TEST_P(Pkcs11UriRefuses, WithInputInvalid) {
  const auto uri = parse_pkcs11_uri(GetParam().text);
  ASSERT_FALSE(uri.has_value());
  EXPECT_EQ(uri.error().code(), ErrorCode::InputInvalid);
  EXPECT_FALSE(uri.error().detail().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Table,
    Pkcs11UriRefuses,
    ::testing::Values(BadUri{"OtherScheme", "pkcs12:token=a"},
                      BadUri{"UpperCaseScheme", "PKCS11:token=a"},
                      BadUri{"NoValue", "pkcs11:token"},
                      BadUri{"NoName", "pkcs11:=a"},
                      BadUri{"TwiceTheSame", "pkcs11:token=a;token=b"},
                      BadUri{"CutPercent", "pkcs11:token=a%2"},
                      BadUri{"NoHexDigits", "pkcs11:token=a%zz"},
                      BadUri{"BareBlank", "pkcs11:token=a b"},
                      BadUri{"BareSlashInPath", "pkcs11:token=a/b"},
                      BadUri{"ControlCharacter", "pkcs11:token=a%0ab"},
                      BadUri{"NulByte", "pkcs11:token=a%00"},
                      BadUri{"SlotNumber", "pkcs11:slot-id=3"},
                      BadUri{"UnknownAttribute", "pkcs11:colour=red"},
                      BadUri{"PublicKey", "pkcs11:token=a;type=public"},
                      BadUri{"PinValue", "pkcs11:token=a?pin-value=1234"},
                      BadUri{"UnknownQuery", "pkcs11:token=a?colour=red"},
                      BadUri{"RelativeModule", "pkcs11:token=a?module-path=lib.so"},
                      BadUri{"RelativePin", "pkcs11:token=a?pin-source=pin"},
                      BadUri{"PinOfACommand", "pkcs11:token=a?pin-source=%7C/bin/cat"},
                      BadUri{"PinOfAHost", "pkcs11:token=a?pin-source=file://host/pin"}),
    [](const auto& row) { return row.param.name; });

TEST(Pkcs11Uri, RefusesMoreThanTheLimit) {
  EXPECT_FALSE(parse_pkcs11_uri("pkcs11:token=" + std::string(kMaxUriBytes, 'a')).has_value());
}

TEST(Pkcs11Uri, NeverRepeatsAPinInItsError) {
  const auto uri = parse_pkcs11_uri("pkcs11:token=a?pin-value=271828");
  ASSERT_FALSE(uri.has_value());
  EXPECT_EQ(uri.error().to_string().find("271828"), std::string::npos);
}

}  // namespace
}  // namespace linesign
