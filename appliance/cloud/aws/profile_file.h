// ProfileFile: one of AWS's two shared files, ~/.aws/config and ~/.aws/credentials.
//
// Shape    [section], then "key = value"; lines that begin with # or ; say nothing. After "key ="
//          without a value, indented lines "name = value" belong to that key
// Limits   1 MiB
// Errors   AwsSettings with file and line
// Secrets  secret keys and session tokens are kept apart and wiped, like the text they came from
// Source   AWS SDKs and Tools Reference Guide, "Shared config and credentials files"
// Threads  plain value
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_PROFILE_FILE_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_PROFILE_FILE_H_

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace linesign::aws {

class ProfileSection final {
 public:
  // Empty when it is not there.
  const std::string& get(std::string_view key) const;
  // An indented line below `key`.
  const std::string& get(std::string_view key, std::string_view name) const;
  // aws_secret_access_key or aws_session_token; get() does not know them. Empty: not there.
  const SecretBytes& secret(std::string_view key) const;

 private:
  friend class ProfileReader;
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
  static Result<ProfileFile> load(const std::filesystem::path& path);
  static Result<ProfileFile> parse(std::string_view text, std::string_view name);

  // The section "[name]", white space and quotes taken out: "profile dev". Null: none.
  const ProfileSection* find(std::string_view name) const;

 private:
  friend class ProfileReader;
  std::map<std::string, ProfileSection, std::less<>> sections_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_PROFILE_FILE_H_
