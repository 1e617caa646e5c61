// Way: how one target gets its devices: call by call, in bulk, by a file, or at their first
// connection.
//
// A way does its work in steps that may end at any moment and be done again by a new process.
//
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_WAY_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_WAY_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/error.h"

namespace linesign {

struct WayStep {
  uint64_t registered = 0;  // handed over ones too
  uint64_t parked = 0;
  bool is_idle = false;                      // nothing waits
  std::chrono::milliseconds again_after{0};  // something runs elsewhere: look again then
  std::optional<Error> hold;                 // nobody gets further now
  std::vector<std::string> notes;            // what the log says of this step
};

class Way {
 public:
  Way() = default;
  Way(const Way&) = delete;
  Way& operator=(const Way&) = delete;
  virtual ~Way() = default;

  virtual WayStep step() = 0;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_WAY_H_
