// Config lines: the tables of linesign.toml that use a given token and key.
#ifndef LINESIGN_HSM_CEREMONY_CONFIG_LINES_H_
#define LINESIGN_HSM_CEREMONY_CONFIG_LINES_H_

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace linesign {

struct ConfigChoice {
  std::filesystem::path module;
  std::string token_label;
  std::string token_serial;
  std::string key_label;
  std::filesystem::path pin_file;
  std::filesystem::path ca_certificate;
};

// Empty parts are written as a comment that says what belongs there.
std::string config_lines(const ConfigChoice& choice);

// A TOML basic string, in quotes.
std::string toml_text(std::string_view text);
std::string toml_list(const std::vector<std::string>& texts);

}  // namespace linesign

#endif  // LINESIGN_HSM_CEREMONY_CONFIG_LINES_H_
