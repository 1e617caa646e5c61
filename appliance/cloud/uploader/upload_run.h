// UploadRun: all targets at work, each on a thread of its own and at its own pace, until nothing
// waits or a signal comes.
//
// Threads  run() on the main thread
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_UPLOAD_RUN_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_UPLOAD_RUN_H_

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "appliance/cloud/registration/target_loop.h"
#include "appliance/cloud/registration/target_setup.h"
#include "appliance/cloud/uploader/progress_file.h"
#include "appliance/cloud/uploader/stop_signal.h"

namespace linesign {

struct UploadParts {
  const std::vector<TargetSetup>* setups = nullptr;  // borrowed, as all below
  Outbox* outbox = nullptr;
  const Clock* clock = nullptr;
  const StopSignal* stop = nullptr;
  std::filesystem::path state_dir;
  aws::Environment environment;
  std::function<void(const std::string& target, const std::optional<Error>& hold)> log;
  std::function<void(const std::string& target, const std::string& note)> on_note = nullptr;
  // Once a second and at the end, on the main thread; may be absent.
  std::function<void(const std::vector<TargetReport>& reports)> on_report = nullptr;
};

// The error of a target that stopped (RunMode::Once). Interrupted: a signal came before all was
// done; not for Serve, where nothing else is expected.
Result<void> run_upload(const UploadParts& parts, RunMode mode);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_UPLOAD_RUN_H_
