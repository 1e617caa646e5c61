// Migrations: the numbered .sql files of this folder's migrations/, built into the program.
//
// Shape    migration N takes a ledger of schema N - 1 to schema N; files are never changed once
//          released. migrations.cpp is made by CMake from the files
#ifndef LINESIGN_APPLIANCE_LEDGER_MIGRATIONS_H_
#define LINESIGN_APPLIANCE_LEDGER_MIGRATIONS_H_

#include <span>
#include <string_view>

namespace linesign {

struct Migration {
  std::string_view name;  // of the file, without ".sql"
  const char* sql;
};

// In order: the first one makes schema 1.
std::span<const Migration> ledger_migrations();

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_MIGRATIONS_H_
