// DocumentTables: the parts of docs/ that are made from tables in the code.
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_CLI_DOCUMENT_TABLES_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_CLI_DOCUMENT_TABLES_H_

#include <string>

namespace linesign {

// For docs/errors.md: one Markdown table per hundred of error_list.h, with a heading.
std::string error_tables();

// For docs/operations.md: what to do about each reason for not producing.
std::string advice_table();

}  // namespace linesign

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_CLI_DOCUMENT_TABLES_H_
