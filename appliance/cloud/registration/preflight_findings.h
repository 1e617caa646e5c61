// PreflightFindings: what a preflight has found so far, each in one line.
//
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_FINDINGS_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_FINDINGS_H_

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "appliance/cloud/registration/preflight.h"

namespace linesign {

class PreflightFindings final {
 public:
  using Severity = PreflightFinding::Severity;

  void good(std::string text) { findings_.push_back({Severity::Good, std::move(text)}); }
  void warning(std::string text) { findings_.push_back({Severity::Warning, std::move(text)}); }
  void problem(std::string text) { findings_.push_back({Severity::Problem, std::move(text)}); }

  // `what` is there, or why not. `permission`: of a look that only a preflight takes; registering
  // works without it, so whoever does not have it is told and not stopped.
  template <typename T>
  bool found(const Result<T>& answer,
             const std::string& what,
             const std::string& advice,
             const std::string& permission = "") {
    if (answer.has_value()) return true;
    if (answer.error().code() == ErrorCode::AwsDenied && !permission.empty()) {
      warning(fmt::format("{} is not checked: the credentials lack {}.", what, permission));
    } else if (answer.error().code() == ErrorCode::AwsNotFound) {
      problem(fmt::format("{} is not there: {}", what, advice));
    } else {
      problem(fmt::format("{} cannot be looked at: {}", what, answer.error().to_string()));
    }
    return false;
  }

  // To see afterwards whether a check found anything wrong.
  size_t problems() const;
  std::vector<PreflightFinding> take() { return std::move(findings_); }

 private:
  std::vector<PreflightFinding> findings_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_FINDINGS_H_
