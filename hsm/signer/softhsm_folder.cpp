#include "hsm/signer/softhsm_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace linesign {
namespace {

// As SoftHSM2 looks for it.
std::filesystem::path configuration_file() {
  if (const char* named = ::secure_getenv("SOFTHSM2_CONF")) return named;
  std::error_code error;
  if (const char* home = ::secure_getenv("HOME")) {
    auto own = std::filesystem::path(home) / ".config" / "softhsm2" / "softhsm2.conf";
    if (std::filesystem::exists(own, error)) return own;
  }
  return "/etc/softhsm/softhsm2.conf";
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  const size_t last = text.find_last_not_of(" \t\r");
  return first == std::string::npos ? std::string() : text.substr(first, last - first + 1);
}

std::filesystem::path token_folder() {
  std::ifstream file(configuration_file());
  std::string line;
  while (std::getline(file, line)) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos || trimmed(line.substr(0, equals)) != "directories.tokendir")
      continue;
    return trimmed(line.substr(equals + 1));
  }
  return {};
}

bool mode_lets_us_write(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return false;
  if (status.st_uid == ::geteuid()) return (status.st_mode & S_IWUSR) != 0;
  std::vector<gid_t> groups(static_cast<size_t>(std::max(::getgroups(0, nullptr), 0)));
  if (::getgroups(static_cast<int>(groups.size()), groups.data()) < 0) groups.clear();
  groups.push_back(::getegid());
  const bool ours = std::find(groups.begin(), groups.end(), status.st_gid) != groups.end();
  return (status.st_mode & (ours ? S_IWGRP : S_IWOTH)) != 0;
}

}  // namespace

std::optional<std::filesystem::path> find_softhsm_folder(std::string_view serial) {
  std::error_code error;
  const std::filesystem::path tokens = token_folder();
  if (tokens.empty() || serial.empty()) return std::nullopt;
  for (const auto& entry : std::filesystem::directory_iterator(tokens, error)) {
    // The name is a UUID; the serial number is the last 16 digits of it.
    std::string digits = entry.path().filename().string();
    std::erase(digits, '-');
    if (digits.ends_with(serial)) return entry.path();
  }
  return std::nullopt;
}

bool is_writable_by_mode(const std::filesystem::path& folder) {
  if (mode_lets_us_write(folder)) return true;
  std::error_code error;
  const std::filesystem::directory_iterator files(folder, error);
  return std::any_of(
      begin(files), end(files), [](const auto& entry) { return mode_lets_us_write(entry.path()); });
}

}  // namespace linesign
