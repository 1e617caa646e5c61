#include "appliance/cloud/aws/profile_file.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "appliance/cloud/aws/child_process.h"
#include "appliance/cloud/aws/credentials.h"
#include "appliance/cloud/aws/profile_values.h"
#include "appliance/cloud/aws/uri.h"
#include "protocol/base/file.h"

namespace linesign::aws {
namespace {

constexpr size_t kMaxFileBytes = 1024 * 1024;
constexpr std::string_view kForAll = "DEFAULT";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

template <typename Value>
const Value& value_of(const std::map<std::string, Value, std::less<>>& values,
                      std::string_view key) {
  static const Value kNone;
  const auto found = values.find(key);
  return found != values.end() ? found->second : kNone;
}

// [profile "my name"] and [profile   'my name'] are the same; [profile my name] is no profile, and
// nobody finds it under the name that this gives.
std::string section_name(std::string_view header) {
  for (const std::string_view kind : {"profile", "sso-session", "services"}) {
    if (!header.starts_with(kind) || leading_space(header.substr(kind.size())) == 0) continue;
    const auto words = split_words(header);
    const bool has_name = words.has_value() && words->size() == 2;
    return has_name ? fmt::format("{} {}", kind, words->back()) : fmt::format("[{}]", header);
  }
  return std::string(header);
}

// What a person may mean by a header: up to the first bracket, without spaces and quotes around.
std::string meant_name(std::string_view text) {
  text = strip(text.substr(0, text.find(']')));
  for (const char quote : {'"', '\''}) {
    if (text.size() > 1 && text.front() == quote && text.back() == quote)
      text = strip(text.substr(1, text.size() - 2));
  }
  return std::string(text);
}

}  // namespace

// The rules of Python's configparser.RawConfigParser, line by line.
class ProfileReader final {
 public:
  explicit ProfileReader(std::string_view name) : name_(name) {}

  void take(std::string_view line) {
    ++number_;
    const std::string_view text = strip(line);
    if (text.starts_with('#') || text.starts_with(';')) return;
    if (text.empty()) {
      ++empty_lines_;
      return;
    }
    size_t indent = 0;
    for (size_t space = 0; (space = leading_space(line)) > 0; ++indent) line.remove_prefix(space);
    if (!is_utf8(text)) wrong("this line is not UTF-8");
    if (!key_.empty() && indent > indent_) {
      value_.append(std::exchange(empty_lines_, 0) + 1, '\n').append(text);
      return;
    }
    indent_ = indent;
    if (text.starts_with('[')) return begin_section(text);
    if (section_ == &lost_ && lost_.line_ == 0) note_first_line(text);
    take_key(text);
  }

  ProfileFile finish() {
    end_value();
    const auto for_all = file_.sections_.extract(std::string(kForAll));
    if (for_all.empty()) return std::move(file_);
    for (auto& [name, section] : file_.sections_) fill_in(section, for_all.mapped());
    return std::move(file_);
  }

 private:
  std::string place() const { return fmt::format("{}:{}", name_, number_); }

  void wrong(std::string_view what) {
    if (!section_->fault_)
      section_->fault_ = Error(ErrorCode::AwsSettings, fmt::format("{}: {}", place(), what));
  }

  void note_stray(std::string name, std::string_view what) {
    file_.strays_.push_back({std::move(name), fmt::format("{}: {}", place(), what)});
  }

  void lose(std::string name, std::string_view what) {
    note_stray(std::move(name), what);
    section_ = &lost_;
    lost_.line_ = number_;
  }

  void note_first_line(std::string_view text) {
    lose({},
         text.starts_with(kByteOrderMark)
             ? "the file begins with a byte order mark: save it as UTF-8 without one"
             : "a [section] is expected before the first key");
  }

  void begin_section(std::string_view text) {
    end_value();
    key_.clear();
    const size_t end = text.rfind(']');
    if (end == std::string_view::npos || end < 2)
      return lose(meant_name(text.substr(1)), "the section does not end with ']'");
    const std::string_view header = text.substr(1, end - 1);
    const std::string name = section_name(header);
    const std::string meant = meant_name(header);
    if (meant != name)
      note_stray(meant,
                 R"(AWS's tools read this name otherwise: write [name], and [profile "a b"] where )"
                 "it has a space");
    ProfileSection& section = file_.sections_[name];
    section_ = &section;
    if (section.line_ != 0 && name != kForAll)
      wrong(fmt::format("the section stands in line {} already", section.line_));
    section.line_ = number_;
  }

  void take_key(std::string_view text) {
    end_value();
    key_.clear();
    const size_t sign = text.find_first_of("=:");
    if (sign == std::string_view::npos || strip(text.substr(0, sign)).empty())
      return wrong("\"key = value\" is expected");
    key_ = to_lower(strip(text.substr(0, sign)));
    key_line_ = number_;
    if (section_->has(key_)) wrong(fmt::format("{} stands in this section twice", key_));
    value_ = strip(text.substr(sign + 1));
  }

  // Only then it is known how many lines the value has.
  void end_value() {
    empty_lines_ = 0;
    if (key_.empty()) return;
    const size_t now = std::exchange(number_, key_line_);
    if (const std::string_view fault = value_fault(key_, value_); !fault.empty())
      wrong(fmt::format("{}: {}", key_, fault));
    if (is_secret_key(key_)) {
      section_->secrets_[key_] = take_secret(value_);
    } else if (value_.starts_with('\n')) {
      take_nested(value_);
    } else {
      section_->values_[key_] = value_;
    }
    value_.clear();
    number_ = now;
  }

  void take_nested(std::string_view text) {
    section_->values_[key_].clear();
    while (!text.empty()) {
      const std::string_view line = strip(text.substr(0, text.find('\n')));
      text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
      if (line.empty()) continue;
      const size_t equals = line.find('=');
      if (equals == std::string_view::npos)
        return wrong(fmt::format("{}: \"name = value\" is expected in the lines below", key_));
      section_->values_[fmt::format("{}/{}", key_, strip(line.substr(0, equals)))] =
          strip(line.substr(equals + 1));
    }
  }

  static void fill_in(ProfileSection& section, const ProfileSection& for_all) {
    if (!section.fault_) section.fault_ = for_all.fault_;
    const auto own = section.values_;
    for (const auto& [key, value] : for_all.values_)
      if (!own.contains(key.substr(0, key.find('/')))) section.values_.emplace(key, value);
    for (const auto& [key, secret] : for_all.secrets_)
      section.secrets_.try_emplace(key, to_bytes(secret.reveal()));
  }

  std::string name_;
  size_t number_ = 0;
  ProfileSection lost_;  // what belongs to no section
  ProfileSection* section_ = &lost_;
  std::string key_;  // whose value is being read; empty: none
  std::string value_;
  size_t key_line_ = 0;
  size_t empty_lines_ = 0;  // since the last one of the value
  size_t indent_ = 0;
  ProfileFile file_;
};

Result<void> ProfileSection::check() const {
  if (fault_) return fail(*fault_);
  return {};
}

bool ProfileSection::has(std::string_view key) const {
  return values_.contains(key) || secrets_.contains(key);
}

const std::string& ProfileSection::get(std::string_view key) const {
  return value_of(values_, key);
}

const std::string& ProfileSection::get(std::string_view key, std::string_view name) const {
  return value_of(values_, fmt::format("{}/{}", key, name));
}

const SecretBytes& ProfileSection::secret(std::string_view key) const {
  return value_of(secrets_, key);
}

ProfileFile ProfileFile::load(const std::filesystem::path& path) {
  std::error_code problem;
  const auto status = std::filesystem::status(path, problem);
  if (status.type() == std::filesystem::file_type::not_found) return {};
  ProfileFile file;
  auto content = read_file(path, kMaxFileBytes);
  if (!content.has_value()) {
    file.fault_ = Error(ErrorCode::AwsSettings, content.error().detail());
    return file;
  }
  file = parse(as_text(*content), path.string());
  wipe(*content);
  return file;
}

ProfileFile ProfileFile::parse(std::string_view text, std::string_view name) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    ProfileFile file;
    file.fault_ =
        Error(ErrorCode::AwsSettings, fmt::format("{}: it is UTF-16: save it as UTF-8", name));
    return file;
  }
  ProfileReader reader(name);
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    reader.take(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(text.starts_with("\r\n") ? 2 : std::min<size_t>(text.size(), 1));
  }
  return reader.finish();
}

Result<void> ProfileFile::check() const {
  if (fault_) return fail(*fault_);
  return {};
}

const ProfileSection* ProfileFile::find(std::string_view name) const {
  const auto found = sections_.find(name);
  return found != sections_.end() ? &found->second : nullptr;
}

std::string ProfileFile::hint(std::string_view name) const {
  const auto about = [&](std::string_view wanted) {
    return std::find_if(
        strays_.begin(), strays_.end(), [&](const Stray& each) { return each.name == wanted; });
  };
  auto found = about(name);
  if (found == strays_.end()) found = about("");
  return found != strays_.end() ? found->text : std::string();
}

}  // namespace linesign::aws
