#include "tests/support/source_tree.h"

namespace linesign::test {

std::filesystem::path source_dir() { return LINESIGN_SOURCE_DIR; }
std::filesystem::path test_data_dir() { return source_dir() / "tests/data"; }

}  // namespace linesign::test
