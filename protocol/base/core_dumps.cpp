#include "protocol/base/core_dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>

#include "protocol/base/file.h"

namespace linesign {

Result<void> forbid_core_dumps() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0)
    return fail(ErrorCode::Internal, "RLIMIT_CORE: " + errno_text(errno));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return fail(ErrorCode::Internal, "PR_SET_DUMPABLE: " + errno_text(errno));
  return {};
}

}  // namespace linesign
