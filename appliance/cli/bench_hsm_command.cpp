// linesign bench hsm: how many signers and threads an HSM is worth, and the lines to write down.
#include <iostream>
#include <optional>

#include <fmt/format.h>

#include "appliance/bench/work_folder.h"
#include "appliance/cli/bench_options.h"
#include "hsm/sizing/sizing.h"

namespace linesign {
namespace {

struct HsmOptions {
  const CLI::Option* config = nullptr;
  std::string module = "/usr/lib/softhsm/libsofthsm2.so";
  std::string ca_key = "P-256";
  std::string device_key = "P-256";
  double seconds = 3;
  int cores = 0;
  bool json = false;
};

// What is made for a measurement goes with it.
class ScratchToken final {
 public:
  explicit ScratchToken(ThrowawayToken token) : token_(std::move(token)) {}
  ScratchToken(ScratchToken&&) = delete;
  ~ScratchToken() { static_cast<void>(remove_throwaway_token(token_).has_value()); }
  const ThrowawayToken& token() const { return token_; }

 private:
  ThrowawayToken token_;
};

Result<int> size(const SizingRequest& request, const HsmOptions& options) {
  std::function<void(const SizingStep&)> show_step;
  if (!options.json) {
    std::cout << sizing_head_text() << std::flush;
    show_step = [](const SizingStep& step) { std::cout << sizing_step_text(step) << std::flush; };
  }
  LS_TRY(const SizingReport report, size_hsm(request, show_step));
  std::cout << (options.json ? sizing_json(report) + '\n' : sizing_end_text(report));
  return 0;
}

Result<int> run(const Invocation& invocation, const HsmOptions& options) {
  LS_TRY(const std::filesystem::path self, own_program());
  LS_TRY(const bench::WorkFolder folder, bench::WorkFolder::take({}));
  SizingRequest request;
  request.worker = {self.string(), "bench", "worker"};
  request.work_folder = folder.path();
  LS_TRY(request.device_key, key_type_of(options.device_key));
  request.step_duration = to_milliseconds(options.seconds);
  request.cores = options.cores;
  if (options.config->count() > 0) {
    LS_TRY(request.target, load_sizing_target(invocation.config));
    return size(request, options);
  }
  LS_TRY(const KeyType ca_key, key_type_of(options.ca_key));
  LS_TRY(ThrowawayToken made,
         make_throwaway_token(
             {.folder = folder.path() / "token", .ca_key = ca_key, .module = options.module}));
  const ScratchToken scratch(std::move(made));
  request.target = sizing_target(scratch.token());
  return size(request, options);
}

}  // namespace

void add_bench_hsm_command(CLI::App& bench, Invocation& invocation, const CLI::Option* config) {
  CLI::App* hsm = bench.add_subcommand(
      "hsm",
      "How many signers an HSM is worth: the one of --config, or a throwaway SoftHSM2 token. What "
      "is signed has no issuer and expired in 1970");
  auto options = std::make_shared<HsmOptions>();
  options->config = config;
  hsm->add_option("--module", options->module, "Without --config: SoftHSM2's module or a wrapper")
      ->capture_default_str()
      ->type_name("PATH");
  add_key_option(*hsm, "--ca-key", options->ca_key, "Without --config: the CA's key");
  add_key_option(*hsm, "--device-key", options->device_key, "The devices' keys");
  hsm->add_option("--seconds", options->seconds, "How long each step lasts")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0))
      ->type_name("S");
  hsm->add_option("--cores", options->cores, "Cores to size for; 0: those of this machine")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
  hsm->add_flag("--json", options->json, "Print JSON");
  hsm->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run(invocation, *options); };
  });
}

}  // namespace linesign
