#include "hsm/ceremony/config_lines.h"

#include <gtest/gtest.h>

namespace linesign {
namespace {

TEST(ConfigLines, QuoteWhatTomlWouldRead) {
  EXPECT_EQ(toml_text("plain"), "\"plain\"");
  EXPECT_EQ(toml_text("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(toml_text("line\nend\x7f"), "\"line\\u000Aend\\u007F\"");
  EXPECT_EQ(toml_list({"a", "b\""}), "[\"a\", \"b\\\"\"]");
  EXPECT_EQ(toml_list({}), "[]");
}

TEST(ConfigLines, LeaveAHintForWhatIsNotKnown) {
  const std::string lines = config_lines({"/lib/m.so", "line", "12", "", "", ""});
  EXPECT_NE(lines.find("token_label = \"line\"\n"), std::string::npos);
  EXPECT_NE(lines.find("# key_label = "), std::string::npos);
}

}  // namespace
}  // namespace linesign
