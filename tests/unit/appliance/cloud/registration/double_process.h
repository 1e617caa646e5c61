// DoubleProcess: the test double of AWS (tests/support/aws) as a child, and a session with it.
//
// Threads  one
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_REGISTRATION_DOUBLE_PROCESS_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_REGISTRATION_DOUBLE_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include <Poco/JSON/Object.h>

#include "appliance/cloud/aws/curl_transport.h"
#include "appliance/cloud/registration/target_connection.h"
#include "protocol/base/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace linesign::test {

constexpr const char* kAccount = "111122223333";
constexpr const char* kRegion = "eu-west-1";

class DoubleProcess final {
 public:
  DoubleProcess();
  DoubleProcess(const DoubleProcess&) = delete;
  DoubleProcess& operator=(const DoubleProcess&) = delete;
  ~DoubleProcess();

  // POST with a body, GET without; the answer.
  Poco::JSON::Object::Ptr control(const std::string& call, const std::string& json = "");
  // What account and region hold: "certificates", "things" …
  Poco::JSON::Object::Ptr space();

  std::unique_ptr<TargetConnection> connect(const aws::SessionTools& tools);

 private:
  TempDir folder_;
  UniqueFd stdin_;
  pid_t pid_ = -1;
  Poco::JSON::Object::Ptr ports_;
  std::unique_ptr<aws::CurlTransport> transport_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_REGISTRATION_DOUBLE_PROCESS_H_
