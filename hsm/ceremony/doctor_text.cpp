#include <fmt/format.h>

#include "hsm/ceremony/doctor.h"

namespace linesign {
namespace {

std::string join(const std::vector<std::string>& texts, std::string_view between) {
  std::string all;
  for (const std::string& text : texts) {
    if (!all.empty()) all += between;
    all += text;
  }
  return all;
}

std::string session_text(const DoctorToken& token) {
  const std::string open = token.sessions ? std::to_string(*token.sessions) : "not told";
  const std::string most =
      token.session_maximum ? std::to_string(*token.session_maximum) : "no limit told";
  return fmt::format("{} open, at most: {}", open, most);
}

std::string mechanism_text(const DoctorMechanism& mechanism) {
  if (!mechanism.present) return fmt::format("      {:<28} missing\n", mechanism.name);
  if (mechanism.max_key_bits == 0) return fmt::format("      {:<28} present\n", mechanism.name);
  return fmt::format("      {:<28} keys of {} to {} bits\n",
                     mechanism.name,
                     mechanism.min_key_bits,
                     mechanism.max_key_bits);
}

std::string key_text(const DoctorKey& key) {
  std::string text = fmt::format("      '{}'  {}  id {}\n", key.label, key.type, key.id_hex);
  for (const auto& [name, value] : key.attributes)
    text += fmt::format("        {:<26} {}\n", name, value);
  for (const std::string& fault : key.faults) text += fmt::format("        refused: {}\n", fault);
  return text;
}

std::string token_text(const DoctorToken& token) {
  std::string text = fmt::format("    token '{}'  serial {}\n", token.label, token.serial);
  text += fmt::format("      made by        {}, model {}\n", token.manufacturer, token.model);
  text += fmt::format("      flags          {}\n", join(token.flags, " "));
  text += fmt::format("      sessions       {}\n", session_text(token));
  for (const DoctorMechanism& mechanism : token.mechanisms) text += mechanism_text(mechanism);
  if (!token.logged_in) return text;
  text += token.keys.empty() ? "      no private keys\n" : "      private keys\n";
  for (const DoctorKey& key : token.keys) text += key_text(key);
  return text;
}

}  // namespace

std::string doctor_text(const DoctorReport& report) {
  std::string text = fmt::format("module    {}\n", report.module.string());
  if (!report.module_sha256_hex.empty())
    text += fmt::format("sha256    {}\n", report.module_sha256_hex);
  if (!report.library.empty())
    text += fmt::format("library   {} (PKCS#11 {})\n", report.library, report.cryptoki_version);
  for (const DoctorSlot& slot : report.slots) {
    text += fmt::format("  slot {:#x}  {}\n", slot.id, slot.description);
    text += slot.token ? token_text(*slot.token) : "    no initialised token\n";
  }
  text += "\nfindings\n";
  for (const DoctorFinding& finding : report.findings)
    text += fmt::format("  {:<8} {}\n", to_string(finding.severity), finding.text);
  if (!report.config_lines.empty()) text += "\nlines for linesign.toml\n\n" + report.config_lines;
  return text;
}

}  // namespace linesign
