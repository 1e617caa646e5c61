// AwsDouble: the test double of AWS (tests/support/aws) as a process of this test.
//
// Errors   none: what fails here aborts the test program and says where
// Threads  one thread at a time
#ifndef LINESIGN_TESTS_SUPPORT_AWS_DOUBLE_H_
#define LINESIGN_TESTS_SUPPORT_AWS_DOUBLE_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>

#include "appliance/cloud/aws/environment.h"
#include "appliance/cloud/aws/http_transport.h"
#include "appliance/cloud/aws/json.h"
#include "protocol/base/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace linesign::test {

class AwsDouble final {
 public:
  using Variables = std::map<std::string, std::string, std::less<>>;

  static constexpr const char* kAccount = "111122223333";
  static constexpr const char* kOtherAccount = "444455556666";
  static constexpr const char* kRegion = "eu-west-1";
  static constexpr const char* kBucket = "manifests";

  AwsDouble();
  AwsDouble(const AwsDouble&) = delete;
  AwsDouble& operator=(const AwsDouble&) = delete;
  ~AwsDouble();

  // What brings a client here, with the key of the first account.
  Variables variables() const;
  // "endpoint", "plain", "proxy", "metadata", "ca": see its README.
  std::string port(const std::string& name) const { return ports_.text(name).value_or(""); }

  // The control API: GET for an empty `given`.
  aws::JsonObject control(const std::string& name, const std::string& given = {});
  int64_t count(const std::string& operation);
  // What kAccount holds in kRegion: "certificates", "things" …
  aws::JsonObject space();
  // Forgets everything but accounts, keys, roles and empty buckets.
  void reset();

 private:
  TempDir dir_;
  UniqueFd stdin_;
  pid_t pid_ = -1;
  aws::JsonObject ports_;
  std::unique_ptr<aws::HttpTransport> transport_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_AWS_DOUBLE_H_
