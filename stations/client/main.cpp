// linesign-station: the command line of a station.
#include <cstdlib>
#include <exception>

#include <fmt/format.h>

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
  try {
    return std::visit(linesign::client::Runner(), linesign::client::parse_command_line(argc, argv));
  } catch (const std::exception& exception) {  // out of memory, most likely
    fmt::print(stderr, "linesign-station: {}\n", exception.what());
    constexpr int kExitSoftware = 70;
    return kExitSoftware;
  }
}
