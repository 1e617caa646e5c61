// Login files: what can be told of certificates and keys for IAM Roles Anywhere before AWS or a
// token is asked.
//
// Errors   Config* with file:line and key: a file that cannot be read, a key that every user of
//          this machine may read, of another kind, or of another certificate. What this user may
//          not open says nothing: it may be for the uploader's user alone
#ifndef LINESIGN_APPLIANCE_CLOUD_TARGETS_LOGIN_FILES_H_
#define LINESIGN_APPLIANCE_CLOUD_TARGETS_LOGIN_FILES_H_

#include "appliance/cloud/targets/target_config.h"

namespace linesign {

// REQUIRES: `config` was read from `root`.
Result<void> check_login_files(const SettingsTable& root, const AwsConfig& config);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_TARGETS_LOGIN_FILES_H_
