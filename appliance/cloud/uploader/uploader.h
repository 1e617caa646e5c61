// Uploader: what the program does: registering for ever, registering what waits, or one thing that
// an operator asks for.
//
// Exit     0 done; 65 devices are parked, or the sides differ; 75 stopped before the end, or
//          another uploader works in this state folder; 78 preflight found a problem; else of the
//          error
// Threads  one; REQUIRES for Serve and Upload: no other thread has been started
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_UPLOADER_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_UPLOADER_H_

#include <filesystem>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/cloud/aws/environment.h"
#include "appliance/cloud/uploader/progress_file.h"
#include "appliance/cloud/uploader/revocation.h"
#include "appliance/config/config.h"

namespace linesign {

struct UploaderCommand {
  enum class What : uint8_t {
    Serve,
    Upload,  // until nothing waits
    Preflight,
    RegistrationCode,
    RegisterCa,
    DeactivateCa,
    DeleteCa,
    Reconcile,
    CheckConfig,  // of each target's credentials and files; AWS is not called
    Revoke,
  };
  std::vector<std::string> targets;  // none: all
  std::vector<std::string> devices;  // Reconcile: those to look at closely or to repair; none: all
  std::string ca;     // of a CA call: a former CA, its file or its id; empty: present
  std::string proof;  // RegisterCa: PEM, for mode DEFAULT
  RevocationWish revocation;
  What what = What::Serve;
  bool once = false;             // Upload: ends at the first obstacle
  bool may_change_mode = false;  // RegisterCa: delete what is registered in the other mode
  bool force = false;            // DeleteCa: though devices still to come need it
  bool deep = false;             // Reconcile: things and policies too
  bool repair = false;           // Reconcile: registers again what the account lacks
  bool is_sure = false;          // Revoke: does not ask
};

struct UploaderSurroundings {
  aws::Environment environment;
  std::filesystem::path linesign;  // the program that signs with keys in tokens
  std::ostream* out = nullptr;     // borrowed
  std::ostream* errors = nullptr;  // borrowed: one line for each target that fails
  // Serve: what the log says. `hold`: absent when the target goes on.
  std::function<void(const std::string& target, const std::optional<Error>& hold)> log;
  std::function<void(const std::string& target, const std::string& note)> on_note = nullptr;
  // Serve: once a second, and at the end.
  std::function<void(const std::vector<TargetReport>& reports)> on_report = nullptr;
  // Revoke: whether to go on, after it was listed what will be done.
  std::function<Result<void>(const std::string& what)> confirm = nullptr;
};

Result<int> run_uploader(const Config& config,
                         const UploaderSurroundings& surroundings,
                         const UploaderCommand& command);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_UPLOADER_H_
