// Plant: a whole appliance in an empty folder: token, CA, configuration, linesignd.
//
// Errors   FileExists when the folder holds anything; InputInvalid when linesignd ends or does not
//          produce, with the end of its log; Interrupted; those of the token
// Threads  the one that built it. REQUIRES: no other thread while it is built
#ifndef LINESIGN_APPLIANCE_BENCH_PLANT_H_
#define LINESIGN_APPLIANCE_BENCH_PLANT_H_

#include <cstdint>
#include <filesystem>
#include <memory>

#include "appliance/admin/client/admin_client.h"
#include "appliance/bench/daemon_process.h"
#include "appliance/bench/work_folder.h"
#include "hsm/sizing/throwaway_token.h"
#include "protocol/base/result.h"

namespace linesign::bench {

struct PlantSettings {
  std::filesystem::path folder;     // as of WorkFolder::take()
  std::filesystem::path linesignd;  // the program
  std::filesystem::path module;     // SoftHSM2's, or one that wraps it
  KeyType ca_key = KeyType::EcP256;
  int signers = 0;  // 0: one for each core
  int threads_per_signer = 1;
  uint32_t window = 256;
  uint32_t max_sessions = 2048;
  int cancel_descriptor = -1;
};

class Plant final {
 public:
  // The token and the CA, and the configuration; nothing runs yet.
  static Result<std::unique_ptr<Plant>> build(const PlantSettings& settings);
  Plant(const Plant&) = delete;
  Plant& operator=(const Plant&) = delete;
  ~Plant();

  // Starts linesignd and waits until it produces.
  Result<void> start();
  Result<void> stop();

  const std::filesystem::path& folder() const { return folder_.path(); }
  const ThrowawayToken& token() const { return token_; }
  AdminClient admin() const { return AdminClient(folder() / "admin.sock"); }
  int daemon_pid() const { return daemon_ ? daemon_->pid() : 0; }

 private:
  Plant(PlantSettings settings, WorkFolder folder)
      : settings_(std::move(settings)), folder_(std::move(folder)) {}
  Result<void> make_token_and_configuration();
  Result<void> wait_until_producing();
  Error with_log(const std::string& what) const;

  PlantSettings settings_;
  WorkFolder folder_;  // removed last
  ThrowawayToken token_;
  std::unique_ptr<DaemonProcess> daemon_;
};

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_PLANT_H_
