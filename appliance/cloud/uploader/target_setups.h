// TargetSetups: what linesign.toml says of targets, made into what the work needs. The CA is read,
// a target's template by its read_files(), nothing is called.
//
// Errors   CloudTargetUnknown; of CaCertificate. Of read_files(): AwsSettings
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_TARGET_SETUPS_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_TARGET_SETUPS_H_

#include <filesystem>
#include <string>
#include <vector>

#include "appliance/cloud/registration/target_setup.h"
#include "appliance/cloud/targets/target_config.h"

namespace linesign {

struct SetupSources {
  AwsConfig aws;
  std::filesystem::path ca_certificate;
  Profile profile;  // of the devices' certificates
  // For Roles Anywhere with a key in a token: "linesign --config FILE aws sign-login --target". The
  // target's name and the digest come after it.
  std::vector<std::string> sign_command;
  aws::Environment environment;  // of that program
};

// The targets of these names; none: all of them.
Result<std::vector<TargetSetup>> make_setups(const SetupSources& sources,
                                             const std::vector<std::string>& names);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_TARGET_SETUPS_H_
