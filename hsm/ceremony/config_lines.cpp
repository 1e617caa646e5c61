#include "hsm/ceremony/config_lines.h"

#include <fmt/format.h>

namespace linesign {
namespace {

std::string line(std::string_view key, const std::string& value, std::string_view hint) {
  if (value.empty()) return fmt::format("# {} = \"...\"  # {}\n", key, hint);
  return fmt::format("{} = {}\n", key, toml_text(value));
}

std::string absolute_text(const std::filesystem::path& path) {
  return path.empty() ? std::string() : std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

std::string config_lines(const ConfigChoice& choice) {
  return "[hsm]\n" + line("module", absolute_text(choice.module), "the PKCS#11 module") +
         line("token_label", choice.token_label, "the label of the token") +
         line("token_serial", choice.token_serial, "the serial number of the token") +
         line("key_label", choice.key_label, "the label of the CA key") +
         line("pin_file", absolute_text(choice.pin_file), "a file of mode 0600 with the user PIN") +
         "\n[ca]\n" +
         line("certificate", absolute_text(choice.ca_certificate), "the CA certificate, PEM");
}

std::string toml_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\u{:04X}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string toml_list(const std::vector<std::string>& texts) {
  std::string list = "[";
  for (const std::string& text : texts) list += (list.size() > 1 ? ", " : "") + toml_text(text);
  return list + "]";
}

}  // namespace linesign
