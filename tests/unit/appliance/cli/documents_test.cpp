// docs/errors.md and docs/operations.md say what the code says.
#include <string>

#include <gtest/gtest.h>

#include "protocol/base/file.h"
#include "tests/support/source_tree.h"
#include "tests/unit/appliance/cli/document_tables.h"

namespace linesign {
namespace {

// What stands between "<!-- NAME begin -->\n" and "<!-- NAME end -->".
std::string marked_part(const std::string& document, const std::string& name) {
  const auto content = read_file(test::source_dir() / "docs" / document, 1024 * 1024);
  if (!content.has_value()) return content.error().to_string();
  const std::string text(as_text(*content));
  const std::string begin = "<!-- " + name + " begin -->\n";
  const size_t from = text.find(begin);
  const size_t to = text.find("\n<!-- " + name + " end -->");
  if (from == std::string::npos || to == std::string::npos) return "(no marks)";
  return text.substr(from + begin.size(), to - from - begin.size());
}

TEST(Documents, ListExactlyTheErrorsOfTheCode) {
  EXPECT_EQ(marked_part("errors.md", "errors"), error_tables())
      << "paste the output of: build/dev/tests/document_tables errors";
}

TEST(Documents, GiveTheAdviceOfTheStatus) {
  EXPECT_EQ(marked_part("operations.md", "advice"), advice_table())
      << "paste the output of: build/dev/tests/document_tables advice";
}

}  // namespace
}  // namespace linesign
