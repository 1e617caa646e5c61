// Preflight: would devices get through? Asked before the first one is made.
//
// Reads only. Each finding is one line that says what is so and what to do about it.
//
// Threads  one
// Source   docs/aws.md
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_H_

#include <string>
#include <vector>

#include "appliance/cloud/registration/target_setup.h"

namespace linesign {

struct PreflightFinding {
  enum class Severity : uint8_t { Good, Warning, Problem };
  Severity severity = Severity::Good;
  std::string text;
};

// Never empty. It ends early where nothing more can be asked: without a network or credentials.
std::vector<PreflightFinding> preflight(const TargetSetup& setup,
                                        const TargetConnection& connection);

bool has_problem(const std::vector<PreflightFinding>& findings);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_H_
