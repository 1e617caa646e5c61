// linesign-station: the command line of a station.
#include <cstdlib>
#include <exception>

#include <fmt/format.h>

#include "protocol/base/core_dumps.h"
#include "stations/client/command_line.h"

namespace linesign::client {
namespace {

struct Runner {
  int operator()(const ExitNow& now) const { return now.exit_code; }
  int operator()(const auto& command) const { return run(command); }
};

}  // namespace
}  // namespace linesign::client

int main(int argc, char** argv) {
  // The station's key is in this process.
  if (const auto done = linesign::forbid_core_dumps(); !done.has_value()) {
    fmt::print(stderr, "{}\n", linesign::error_line("linesign-station", done.error()));
    return done.error().exit_code();
  }
  try {
    return std::visit(linesign::client::Runner(), linesign::client::parse_command_line(argc, argv));
  } catch (const std::exception& exception) {  // out of memory, most likely
    fmt::print(stderr, "linesign-station: {}\n", exception.what());
    constexpr int kExitSoftware = 70;
    return kExitSoftware;
  }
}
