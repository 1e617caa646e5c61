#include "appliance/cli/invocation.h"

#include "appliance/config/config.h"

namespace linesign {

Result<AdminClient> open_admin_client(const Invocation& invocation) {
  LS_TRY(const Config config, load_config(invocation.config));
  return AdminClient(config.admin.socket);
}

}  // namespace linesign
