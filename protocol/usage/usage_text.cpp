#include "protocol/usage/usage_text.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace linesign {
namespace {

// "linesign aws"
std::string full_name(const CLI::App& command) {
  const CLI::App* const parent = command.get_parent();
  return parent == nullptr ? command.get_name() : full_name(*parent) + " " + command.get_name();
}

bool is_option(const std::string& word) { return word.starts_with('-') && word.size() > 1; }

// Hidden ones are for programs; option groups have no name.
std::vector<std::string> subcommands_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* each : command.get_subcommands([](const CLI::App*) { return true; }))
    if (!each->get_name().empty() && !each->get_group().empty()) names.push_back(each->get_name());
  return names;
}

void add_options_of(const CLI::App& command, std::vector<std::string>& names) {
  for (const CLI::Option* each : command.get_options())
    for (const std::string& name : each->get_lnames()) names.push_back("--" + name);
  for (const CLI::App* each : command.get_subcommands([](const CLI::App*) { return true; }))
    if (each->get_name().empty()) add_options_of(*each, names);
}

std::vector<std::string> options_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* at = &command; at != nullptr; at = at->get_parent()) {
    add_options_of(*at, names);
    if (!at->get_fallthrough()) break;
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

const CLI::App& chosen_command(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().back();
  return *at;
}

std::string usage_text(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = chosen_command(app);
  const std::vector<std::string> unknown = app.remaining(true);
  const std::vector<std::string> subcommands = subcommands_of(command);
  const bool is_extra = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  const bool is_missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (!subcommands.empty() && (is_extra || is_missing)) {
    const auto word = std::find_if_not(unknown.begin(), unknown.end(), is_option);
    const auto option = std::find_if(unknown.begin(), unknown.end(), is_option);
    if (option == unknown.end() || word < option)
      return word == unknown.end()
                 ? fmt::format(
                       "{} needs one of: {}", full_name(command), fmt::join(subcommands, ", "))
                 : fmt::format("{} has no \"{}\"; it has: {}",
                               full_name(command),
                               *word,
                               fmt::join(subcommands, ", "));
  }
  if (unknown.empty() || !(is_extra || is_missing)) return error.what();
  const auto option = std::find_if(unknown.begin(), unknown.end(), is_option);
  if (option == unknown.end())
    return fmt::format("{} takes no \"{}\"", full_name(command), unknown.front());
  return fmt::format("{} has no {}; it has: {}",
                     full_name(command),
                     *option,
                     fmt::join(options_of(command), ", "));
}

}  // namespace linesign
