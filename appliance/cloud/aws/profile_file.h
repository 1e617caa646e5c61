// ProfileFile: one of AWS's two shared files, ~/.aws/config and ~/.aws/credentials, read as
// AWS's own tools read it (botocore, and the INI reader of Python below it).
//
// Shape    "[section]", what follows the bracket says nothing; then "key = value" or "key: value".
//          A line that begins with # or ; says nothing; behind a value, both are part of it. A line
//          that is indented deeper than the key above it goes on with its value; where the value
//          is empty, such lines are "name = value" and belong to the key. [DEFAULT] stands in for
//          what another section does not have
// Limits   1 MiB
// Errors   where those tools refuse the whole file, only the section that the bad line is in is
//          unusable: AwsSettings with file and line when somebody wants it. Never what stands there
// Secrets  secret keys and session tokens are kept apart and wiped, like the text they came from
// Source   AWS SDKs and Tools Reference Guide, "Shared config and credentials files"
// Threads  plain value
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_PROFILE_FILE_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_PROFILE_FILE_H_

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace linesign::aws {

class ProfileSection final {
 public:
  // AwsSettings: a line of it that cannot be read, or a value that cannot be used.
  Result<void> check() const;

  bool has(std::string_view key) const;  // also with an empty value
  // Empty when it is not there.
  const std::string& get(std::string_view key) const;
  // An indented line below `key`.
  const std::string& get(std::string_view key, std::string_view name) const;
  // aws_secret_access_key or aws_session_token; get() does not know them. Empty: not there.
  const SecretBytes& secret(std::string_view key) const;
  size_t line() const { return line_; }  // where it begins

 private:
  friend class ProfileReader;
  size_t line_ = 0;
  std::optional<Error> fault_;                              // the first
  std::map<std::string, std::string, std::less<>> values_;  // "key" and "key/name"
  std::map<std::string, SecretBytes, std::less<>> secrets_;
};

class ProfileFile final {
 public:
  ProfileFile() = default;
  ProfileFile(ProfileFile&&) = default;
  ProfileFile& operator=(ProfileFile&&) = default;
  ProfileFile(const ProfileFile&) = delete;
  ProfileFile& operator=(const ProfileFile&) = delete;
  ~ProfileFile() = default;

  // A file that does not exist is empty.
  static ProfileFile load(const std::filesystem::path& path);
  static ProfileFile parse(std::string_view text, std::string_view name);

  // AwsSettings: it is there and cannot be read.
  Result<void> check() const;

  // The section of this name; of the config file "profile NAME", whatever its quotes. Null: none.
  const ProfileSection* find(std::string_view name) const;

  // What may have been meant by a name that find() does not know: "FILE:LINE: …". Empty: nothing.
  std::string hint(std::string_view name) const;

 private:
  friend class ProfileReader;
  // A header that AWS's tools read as something else, or a line above all sections.
  struct Stray {
    std::string name;  // perhaps meant; empty: any
    std::string text;
  };
  std::optional<Error> fault_;
  std::map<std::string, ProfileSection, std::less<>> sections_;
  std::vector<Stray> strays_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_PROFILE_FILE_H_
