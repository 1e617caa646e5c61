#include "appliance/cloud/aws/environment.h"

#include <fmt/format.h>

namespace linesign::aws {

Environment Environment::from_block(const char* const* block) {
  Environment environment;
  for (; block != nullptr && *block != nullptr; ++block) {
    const std::string_view line(*block);
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    environment.variables_.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return environment;
}

const std::string& Environment::get(std::string_view name) const {
  static const std::string kNone;
  const auto found = variables_.find(name);
  return found != variables_.end() ? found->second : kNone;
}

std::vector<std::string> Environment::lines() const {
  std::vector<std::string> lines;
  lines.reserve(variables_.size());
  for (const auto& [name, value] : variables_) lines.push_back(fmt::format("{}={}", name, value));
  return lines;
}

}  // namespace linesign::aws
