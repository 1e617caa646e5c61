// Target: the appliance that is measured: a plant of our own, or one that runs already.
//
// Errors   as bench.h says
// Threads  one at a time
#ifndef LINESIGN_APPLIANCE_BENCH_TARGET_H_
#define LINESIGN_APPLIANCE_BENCH_TARGET_H_

#include <filesystem>
#include <memory>
#include <string>

#include "appliance/admin/client/admin_client.h"
#include "appliance/bench/bench.h"
#include "appliance/bench/plant.h"
#include "hsm/sizing/sizing.h"
#include "protocol/base/result.h"

namespace linesign::bench {

class Target {
 public:
  Target() = default;
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  virtual ~Target() = default;

  // Only now linesignd is needed: everything below may be asked for before, except daemon_pid().
  virtual Result<void> start() = 0;
  // Nothing is asked of it any more.
  virtual Result<void> stop() = 0;
  virtual AdminClient admin() const = 0;
  virtual Result<int> daemon_pid() const = 0;
  virtual SizingTarget sizing_target() const = 0;
  virtual KeyType ca_key() const = 0;
  virtual std::string order() const = 0;
  virtual std::string name() const = 0;  // for the report
  virtual int threads_per_signer() const = 0;
  virtual bool is_real() const = 0;
  // For the bench's own files.
  virtual const std::filesystem::path& work_folder() const = 0;
};

Result<std::unique_ptr<Target>> open_target(const BenchSettings& settings);

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_TARGET_H_
