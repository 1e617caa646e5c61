#include "appliance/bench/cancel.h"

#include <poll.h>

namespace linesign::bench {

Result<void> check_cancelled(int descriptor) {
  pollfd asked{.fd = descriptor, .events = POLLIN, .revents = 0};
  if (::poll(&asked, 1, 0) > 0) return fail(ErrorCode::Interrupted);
  return {};
}

}  // namespace linesign::bench
