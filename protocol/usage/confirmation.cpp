#include "protocol/usage/confirmation.h"

#include <unistd.h>

#include <iostream>

namespace linesign {

Result<void> confirm(bool is_sure, const std::string& what) {
  if (is_sure) return {};
  if (::isatty(STDIN_FILENO) != 1)
    return fail(ErrorCode::Usage, what + ": say --yes if that is what you want");
  std::cerr << what << ". Go on? Type yes: ";
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "yes") return {};
  return fail(ErrorCode::Usage, "not done");
}

}  // namespace linesign
