// Where the sources are that a test reads: documents, example files, data. Only source_tree.cpp is
// compiled with the path, so that all other objects are the same in every checkout.
#ifndef LINESIGN_TESTS_SUPPORT_SOURCE_TREE_H_
#define LINESIGN_TESTS_SUPPORT_SOURCE_TREE_H_

#include <filesystem>

namespace linesign::test {

std::filesystem::path source_dir();     // of the project
std::filesystem::path test_data_dir();  // tests/data in it

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_SOURCE_TREE_H_
