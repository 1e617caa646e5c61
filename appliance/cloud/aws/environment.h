// Environment: the variables of a process as a value, so that one target's settings do not depend
// on where they are read, and tests bring their own.
//
// Threads  plain value
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_ENVIRONMENT_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_ENVIRONMENT_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace linesign::aws {

class Environment final {
 public:
  Environment() = default;
  explicit Environment(std::map<std::string, std::string, std::less<>> variables)
      : variables_(std::move(variables)) {}

  // Of main's third argument, or of `environ`: "NAME=value" texts up to a null pointer.
  static Environment from_block(const char* const* block);

  // Empty when it is not set: AWS's tools do not tell the two apart.
  const std::string& get(std::string_view name) const;

  // "NAME=value" of all, for a child process.
  std::vector<std::string> lines() const;

 private:
  std::map<std::string, std::string, std::less<>> variables_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_ENVIRONMENT_H_
