#include "tests/unit/appliance/cli/document_tables.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

#include "appliance/cli/advice.h"
#include "protocol/base/error.h"

namespace linesign {
namespace {

// By the hundreds of the numbers.
constexpr std::array<std::string_view, 11> kHeadings = {"",
                                                        "Between a station and the appliance",
                                                        "A certificate signing request",
                                                        "Identities and orders",
                                                        "Try later",
                                                        "HSM and signers",
                                                        "Ledger",
                                                        "Configuration",
                                                        "Key ceremony and CA certificate",
                                                        "Everything else",
                                                        "AWS"};

// A bar would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string error_tables() {
  std::string text;
  size_t hundred = 0;
  for (const ErrorInfo& info : error_list()) {
    const auto number = static_cast<size_t>(info.code);
    if (number / 100 != hundred) {
      hundred = number / 100;
      text += fmt::format(
          "\n### {}xx: {}\n\n| number | name | kind | exit code | what it says |\n"
          "|---|---|---|---|---|\n",
          hundred,
          kHeadings.at(hundred));
    }
    text += fmt::format("| {} | `{}` | {} | {} | {} |\n",
                        number,
                        info.name,
                        to_string(info.kind),
                        info.exit_code,
                        cell(info.sentence));
  }
  return text;
}

std::string advice_table() {
  std::string text = "\n| reason | what it says | what to do |\n|---|---|---|\n";
  for (const Advice& advice : advice_list()) {
    const ErrorInfo& info = error_info(advice.code);
    text += fmt::format("| {} `{}` | {} | {} |\n",
                        static_cast<int>(info.code),
                        info.name,
                        cell(info.sentence),
                        cell(advice.text));
  }
  return text;
}

}  // namespace linesign
