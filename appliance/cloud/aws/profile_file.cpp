#include "appliance/cloud/aws/profile_file.h"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include "appliance/cloud/aws/uri.h"
#include "protocol/base/file.h"

namespace linesign::aws {
namespace {

constexpr size_t kMaxFileBytes = 1024 * 1024;
constexpr std::string_view kSpaces = " \t\r";

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

// [profile "my name"] and [profile   my name] are the same.
std::string section_name(std::string_view text) {
  std::string name;
  for (const char c : trim(text)) {
    const bool is_space = kSpaces.find(c) != std::string_view::npos;
    if (c == '"' || c == '\'' || (is_space && name.ends_with(' '))) continue;
    name += is_space ? ' ' : c;
  }
  return name;
}

template <typename Value>
const Value& value_of(const std::map<std::string, Value, std::less<>>& values,
                      std::string_view key) {
  static const Value kNone;
  const auto found = values.find(key);
  return found != values.end() ? found->second : kNone;
}

bool is_secret(std::string_view key) {
  return key == "aws_secret_access_key" || key == "aws_session_token" ||
         key == "aws_security_token";
}

}  // namespace

class ProfileReader final {
 public:
  explicit ProfileReader(std::string_view name) : name_(name) {}

  Result<void> take(std::string_view line) {
    ++number_;
    const std::string_view text = trim(line);
    if (text.empty() || text.front() == '#' || text.front() == ';') return {};
    const bool is_indented = kSpaces.find(line.front()) != std::string_view::npos;
    if (text.front() == '[' && !is_indented) return begin_section(text);
    if (section_ == nullptr) return wrong("a [section] is expected first");
    const size_t equals = text.find('=');
    if (is_indented) return take_indented(text, equals);
    if (equals == std::string_view::npos || equals == 0)
      return wrong("\"key = value\" is expected");
    key_ = to_lower(trim(text.substr(0, equals)));
    const std::string_view value = trim(text.substr(equals + 1));
    if (is_secret(key_)) {
      section_->secrets_[key_] = SecretBytes(to_bytes(value));
    } else {
      section_->values_[key_] = value;
    }
    return {};
  }

  ProfileFile file;

 private:
  Result<void> begin_section(std::string_view text) {
    if (text.back() != ']') return wrong("the section does not end with ']'");
    section_ = &file.sections_[section_name(text.substr(1, text.size() - 2))];
    key_.clear();
    return {};
  }

  Result<void> take_indented(std::string_view text, size_t equals) {
    if (key_.empty()) return wrong("it is indented, and there is no key above it");
    // A value that goes on in the next line, where there is one already.
    const bool is_nested = section_->get(key_).empty() && !is_secret(key_);
    if (!is_nested || equals == std::string_view::npos) return {};
    section_->values_[key_ + "/" + to_lower(trim(text.substr(0, equals)))] =
        trim(text.substr(equals + 1));
    return {};
  }

  tl::unexpected<Error> wrong(std::string_view what) const {
    return fail(ErrorCode::AwsSettings, fmt::format("{}:{}: {}", name_, number_, what));
  }

  std::string name_;
  size_t number_ = 0;
  ProfileSection* section_ = nullptr;
  std::string key_;
};

const std::string& ProfileSection::get(std::string_view key) const {
  return value_of(values_, key);
}

const std::string& ProfileSection::get(std::string_view key, std::string_view name) const {
  return value_of(values_, fmt::format("{}/{}", key, name));
}

const SecretBytes& ProfileSection::secret(std::string_view key) const {
  return value_of(secrets_, key);
}

Result<ProfileFile> ProfileFile::load(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return ProfileFile();
  auto content = read_file(path, kMaxFileBytes);
  if (!content.has_value()) return fail(ErrorCode::AwsSettings, content.error().detail());
  auto file = parse(as_text(*content), path.string());
  wipe(*content);
  return file;
}

Result<ProfileFile> ProfileFile::parse(std::string_view text, std::string_view name) {
  ProfileReader reader(name);
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    LS_CHECK(reader.take(text.substr(from, end - from)));
    from = end + 1;
  }
  return std::move(reader.file);
}

const ProfileSection* ProfileFile::find(std::string_view name) const {
  const auto found = sections_.find(name);
  return found != sections_.end() ? &found->second : nullptr;
}

}  // namespace linesign::aws
