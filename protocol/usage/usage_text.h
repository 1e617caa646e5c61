// UsageText: what is wrong with a command line, in one sentence that names the word that nobody
// knows and lists what there is instead. CLI11 alone says "A subcommand is required" of both.
//
// Threads  no state, safe anywhere
#ifndef LINESIGN_PROTOCOL_USAGE_USAGE_TEXT_H_
#define LINESIGN_PROTOCOL_USAGE_USAGE_TEXT_H_

#include <string>

#include <CLI/CLI.hpp>

namespace linesign {

// After app.parse() threw `error`. No newline.
std::string usage_text(const CLI::App& app, const CLI::ParseError& error);

// The subcommand that the command line chose, as far as it was understood; else the program.
const CLI::App& chosen_command(const CLI::App& app);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_USAGE_USAGE_TEXT_H_
