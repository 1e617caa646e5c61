// linesign hsm: what an operator says about the HSM of a running appliance.
#include <iostream>

#include <fmt/format.h>

#include "appliance/cli/invocation.h"

namespace linesign {
namespace {

struct TrustOptions {};

Result<int> trust_hsm(const Invocation& invocation, const TrustOptions& /*options*/) {
  LS_TRY(const AdminClient client, open_admin_client(invocation));
  LS_TRY(const uint64_t released, client.trust_hsm());
  std::cout << fmt::format("The HSM is trusted again; {} of the signers were in quarantine.\n",
                           released);
  return 0;
}

}  // namespace

void add_hsm_command(CLI::App& app, Invocation& invocation) {
  CLI::App* hsm = app.add_subcommand("hsm", "Say that the HSM may be used again");
  hsm->require_subcommand(1);
  CLI::App* trust =
      hsm->add_subcommand("trust",
                          "End the quarantine of signers that returned wrong signatures, after "
                          "somebody has checked the HSM");
  add_run<TrustOptions>(trust, invocation, trust_hsm);
}

}  // namespace linesign
