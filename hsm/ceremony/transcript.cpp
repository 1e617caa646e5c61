#include "hsm/ceremony/transcript.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <pwd.h>

#include "hsm/ceremony/config_lines.h"
#include "hsm/x509/handles.h"
#include "hsm/x509/openssl_error.h"
#include "protocol/base/clock.h"
#include "protocol/base/ids.h"
#include "protocol/base/version.h"

namespace linesign {
namespace {

std::string user_name() {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const uid_t user = ::getuid();
  if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return fmt::format("{} (uid {})", found->pw_name, user);
  return fmt::format("uid {}", user);
}

std::string host_name() {
  utsname names{};
  return ::uname(&names) == 0 ? names.nodename : "unknown";
}

std::string text_line(std::string_view key, std::string_view value) {
  return fmt::format("{} = {}\n", key, toml_text(value));
}

std::string attribute_table(std::string_view name, const NamedAttributes& attributes) {
  std::string table = fmt::format("\n[{}]\n", name);
  for (const auto& [attribute, value] : attributes) table += text_line(attribute, value);
  return table;
}

std::string key_tables(const CeremonyReport& report, const CaKey& key) {
  return "\n[key]\n" + text_line("label", report.key_label) + text_line("id", report.key_id_hex) +
         text_line("type", to_string(report.key_type)) +
         text_line("public_key_sha256", report.public_key_sha256_hex) +
         fmt::format("attributes_checked = true  # as read back from the token, below\n") +
         attribute_table("key.private", key.private_attributes) +
         attribute_table("key.public", key.public_attributes);
}

std::string certificate_table(const CeremonyReport& report, const TranscriptFacts& facts) {
  if (report.certificate_sha256_hex.empty()) return {};
  return "\n[certificate]\n" + text_line("subject", report.subject) +
         text_line("not_before", report.not_before) + text_line("not_after", report.not_after) +
         text_line("sha256", report.certificate_sha256_hex) +
         fmt::format("stored_in_token = {}\n", facts.certificate_in_token);
}

}  // namespace

Result<std::string> hash_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const DigestContext context(EVP_MD_CTX_new());
  if (!stream) return fail(ErrorCode::Io, file.string() + ": cannot be read");
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1)
    return fail(openssl_error("EVP_DigestInit_ex"));
  std::array<char, 65536> block{};
  while (stream.read(block.data(), block.size()), stream.gcount() > 0) {
    if (EVP_DigestUpdate(context.get(), block.data(), static_cast<size_t>(stream.gcount())) != 1)
      return fail(openssl_error("EVP_DigestUpdate"));
  }
  if (stream.bad()) return fail(ErrorCode::Io, file.string() + ": cannot be read");
  Sha256 hash{};
  if (EVP_DigestFinal_ex(context.get(), hash.data(), nullptr) != 1)
    return fail(openssl_error("EVP_DigestFinal_ex"));
  return to_hex(hash);
}

Result<std::string> write_transcript(const CeremonyPlan& plan,
                                     const CeremonyReport& report,
                                     const TranscriptFacts& facts) {
  LS_TRY(const std::string module_hash, hash_file(plan.token.module));
  LS_TRY(const std::string plan_hash, hash_file(plan.file));
  std::string text = "# Transcript of a linesign key ceremony. Hashes are SHA-256, in hex.\n\n";
  text += "[ceremony]\n" + text_line("action", facts.action) +
          text_line("started_at", to_iso8601(facts.started_at)) +
          text_line("finished_at", to_iso8601(facts.finished_at)) +
          text_line("file", std::filesystem::absolute(plan.file).string()) +
          text_line("file_sha256", plan_hash);
  text += fmt::format("present = {}\n", toml_list(plan.who)) + text_line("user", user_name()) +
          text_line("host", host_name());
  text += "\n[software]\n" + text_line("linesign", kVersion) +
          text_line("openssl", OpenSSL_version(OPENSSL_VERSION));
  text += "\n[module]\n" + text_line("path", plan.token.module.string()) +
          text_line("sha256", module_hash) + text_line("manufacturer", facts.library.manufacturer) +
          text_line("description", facts.library.description) +
          text_line("version", facts.library.library_version) +
          text_line("cryptoki", facts.library.cryptoki_version);
  text += "\n[token]\n" + text_line("label", facts.token.label) +
          text_line("serial", facts.token.serial) +
          text_line("manufacturer", facts.token.manufacturer) +
          text_line("model", facts.token.model);
  text += key_tables(report, *facts.key) + certificate_table(report, facts);
  if (!facts.csr_sha256_hex.empty())
    text += "\n[csr]\n" + text_line("sha256", facts.csr_sha256_hex);
  return text;
}

}  // namespace linesign
