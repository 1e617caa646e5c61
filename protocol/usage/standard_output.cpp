#include "protocol/usage/standard_output.h"

#include <poll.h>
#include <unistd.h>

#include <iostream>

namespace linesign {
namespace {

// Of a pipe or a socket whose other end is closed.
bool has_lost_its_reader(int fd) {
  pollfd look{.fd = fd, .events = POLLOUT, .revents = 0};
  return ::poll(&look, 1, 0) == 1 && (look.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace

Result<void> finish_standard_output() {
  std::cout.flush();
  if (std::cout || has_lost_its_reader(STDOUT_FILENO)) return {};
  return fail(ErrorCode::Io, "standard output");
}

}  // namespace linesign
