#include "appliance/bench/target.h"

#include <utility>

#include "appliance/bench/process_usage.h"
#include "appliance/config/config.h"
#include "hsm/x509/ca_certificate.h"

namespace linesign::bench {
namespace {

class PlantTarget final : public Target {
 public:
  PlantTarget(std::unique_ptr<Plant> plant, const PlantSettings& settings)
      : plant_(std::move(plant)), settings_(settings) {}

  Result<void> start() override { return plant_->start(); }
  Result<void> stop() override { return plant_->stop(); }
  AdminClient admin() const override { return plant_->admin(); }
  Result<int> daemon_pid() const override { return plant_->daemon_pid(); }
  SizingTarget sizing_target() const override { return linesign::sizing_target(plant_->token()); }
  KeyType ca_key() const override { return settings_.ca_key; }
  std::string order() const override { return "default"; }
  std::string name() const override { return plant_->folder().string(); }
  int threads_per_signer() const override { return settings_.threads_per_signer; }
  bool is_real() const override { return false; }
  const std::filesystem::path& work_folder() const override { return plant_->folder(); }

 private:
  std::unique_ptr<Plant> plant_;
  PlantSettings settings_;
};

class RunningTarget final : public Target {
 public:
  RunningTarget(
      Config config, SizingTarget sizing, KeyType ca_key, std::string order, WorkFolder folder)
      : config_(std::move(config)),
        sizing_(std::move(sizing)),
        ca_key_(ca_key),
        order_(std::move(order)),
        folder_(std::move(folder)) {}

  Result<void> start() override {
    LS_TRY(const ApplianceStatus status, admin().status());
    if (status.producing) return {};
    return fail(ErrorCode::Unavailable,
                status.obstacles.empty() ? "" : status.obstacles.front().error.to_string());
  }
  Result<void> stop() override { return {}; }
  AdminClient admin() const override { return AdminClient(config_.admin.socket); }
  // Signers are children of linesignd.
  Result<int> daemon_pid() const override {
    LS_TRY(const ApplianceStatus status, admin().status());
    for (const SignerStatus& signer : status.signers) {
      if (signer.pid <= 0) continue;
      LS_TRY(const ProcessUsage process, read_process_usage(signer.pid));
      return process.parent;
    }
    return fail(ErrorCode::Unavailable, "the appliance has no signer");
  }
  SizingTarget sizing_target() const override { return sizing_; }
  KeyType ca_key() const override { return ca_key_; }
  std::string order() const override { return order_; }
  std::string name() const override { return config_.file.string(); }
  int threads_per_signer() const override {
    return static_cast<int>(config_.signer.threads_per_signer);
  }
  bool is_real() const override { return true; }
  const std::filesystem::path& work_folder() const override { return folder_.path(); }

 private:
  Config config_;
  SizingTarget sizing_;
  KeyType ca_key_;
  std::string order_;
  WorkFolder folder_;
};

}  // namespace

Result<std::unique_ptr<Target>> open_target(const BenchSettings& settings) {
  if (!settings.running) {
    LS_TRY(auto plant, Plant::build(settings.plant));
    return std::make_unique<PlantTarget>(std::move(plant), settings.plant);
  }
  LS_TRY(Config config, load_config(settings.running->config));
  LS_TRY(SizingTarget sizing, load_sizing_target(settings.running->config));
  LS_TRY(const CaCertificate ca, CaCertificate::load(config.signer.ca_certificate));
  LS_TRY(WorkFolder folder, WorkFolder::take(settings.plant.folder));
  return std::make_unique<RunningTarget>(std::move(config),
                                         std::move(sizing),
                                         ca.key_type(),
                                         settings.running->order,
                                         std::move(folder));
}

}  // namespace linesign::bench
