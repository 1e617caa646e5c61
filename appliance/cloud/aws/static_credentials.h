// Credentials that lie somewhere: given by the caller, in the environment, in a shared file.
//
// Errors   AwsCredentialsFailed: half of a key, or a key that is gone
// Threads  see CredentialProvider
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_STATIC_CREDENTIALS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_STATIC_CREDENTIALS_H_

#include <filesystem>

#include "appliance/cloud/aws/credentials.h"
#include "appliance/cloud/aws/environment.h"
#include "appliance/cloud/aws/profile_file.h"

namespace linesign::aws {

class GivenCredentials final : public CredentialProvider {
 public:
  explicit GivenCredentials(Credentials credentials) : credentials_(std::move(credentials)) {}
  std::string source() const override { return "the configuration"; }
  Result<Credentials> fetch() override;

 private:
  const Credentials credentials_;
};

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
class EnvironmentCredentials final : public CredentialProvider {
 public:
  // Borrowed.
  explicit EnvironmentCredentials(const Environment& environment) : environment_(environment) {}
  std::string source() const override { return "the environment"; }
  Result<Credentials> fetch() override;

 private:
  const Environment& environment_;
};

// One section of a shared file, read anew each time: keys are replaced below a running service.
class FileCredentials final : public CredentialProvider {
 public:
  FileCredentials(std::filesystem::path file, std::string section)
      : file_(std::move(file)), section_(std::move(section)) {}
  std::string source() const override { return file_.string() + " [" + section_ + "]"; }
  Result<Credentials> fetch() override;

 private:
  const std::filesystem::path file_;
  const std::string section_;
};

// Does the section hold an access key, or half of one?
bool has_key(const ProfileSection* section);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_STATIC_CREDENTIALS_H_
