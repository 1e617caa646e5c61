#include "hsm/sizing/flat_json.h"

#include <gtest/gtest.h>

namespace linesign {
namespace {

TEST(FlatJson, IsOneLineThatComesBackAsItWas) {
  const std::string line = FlatJson()
                               .text("path", "/tmp/a \"b\"\\c\n\t\x01 \xc3\xa4")
                               .number("count", 18446744073709551615U)
                               .text("", "")
                               .line();
  EXPECT_EQ(line,
            "{\"path\":\"/tmp/a \\\"b\\\"\\\\c\\u000a\\u0009\\u0001 \xc3\xa4\","
            "\"count\":18446744073709551615,\"\":\"\"}");
  const auto json = FlatJson::parse(line);
  ASSERT_TRUE(json.has_value()) << json.error().to_string();
  EXPECT_EQ(*json->get_text("path"), "/tmp/a \"b\"\\c\n\t\x01 \xc3\xa4");
  EXPECT_EQ(*json->get_number("count"), 18446744073709551615U);
  EXPECT_EQ(*json->get_text(""), "");
  EXPECT_EQ(json->line(), line);
}

TEST(FlatJson, MayBeEmpty) {
  const auto json = FlatJson::parse("{}");
  ASSERT_TRUE(json.has_value());
  EXPECT_FALSE(json->has("a"));
}

TEST(FlatJson, SaysWhatIsNotThere) {
  const auto json = FlatJson::parse(R"({"text":"a","number":1})");
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ(json->get_text("number").error().code(), ErrorCode::InputInvalid);
  EXPECT_EQ(json->get_number("text").error().code(), ErrorCode::InputInvalid);
  EXPECT_EQ(json->get_number("other").error().code(), ErrorCode::InputInvalid);
}

TEST(FlatJson, RefusesEverythingElse) {
  for (const char* line : {"",
                           "{",
                           "}",
                           "[]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1",
                           "{\"a\":1,}",
                           "{\"a\":1}x",
                           "{\"a\":-1}",
                           "{\"a\":1.5}",
                           "{\"a\":18446744073709551616}",
                           "{\"a\":true}",
                           "{\"a\":{}}",
                           "{\"a\":\"b}",
                           "{\"a\":\"b\\",
                           "{\"a\":\"\\q\"}",
                           "{\"a\":\"\\u00\"}",
                           "{\"a\":\"\\u00zz\"}",
                           "{\"a\":\"\\u1234\"}",
                           "{\"a\":\"line\nbreak\"}",
                           "{\"a\":1,\"a\":2}",
                           "{\"a\":1\"b\":2}",
                           "{a:1}"}) {
    const auto json = FlatJson::parse(line);
    ASSERT_FALSE(json.has_value()) << line;
    EXPECT_EQ(json.error().code(), ErrorCode::InputInvalid) << line;
  }
  const std::string long_text(kMaxFlatJsonBytes, 'a');
  EXPECT_FALSE(FlatJson::parse("{\"a\":\"" + long_text + "\"}").has_value());
}

}  // namespace
}  // namespace linesign
