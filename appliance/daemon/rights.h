// Rights: what linesignd gives up at its start, and who keeps the right to start signers.
//
// Errors   ConfigRange, ConfigConflict: the users of the configuration; Internal, Io
// Threads  before there is a second one: rights belong to threads
#ifndef LINESIGN_APPLIANCE_DAEMON_RIGHTS_H_
#define LINESIGN_APPLIANCE_DAEMON_RIGHTS_H_

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "appliance/config/config.h"
#include "hsm/signer/launcher.h"
#include "protocol/base/result.h"

namespace linesign {

// Becomes the user of [daemon], and leaves no core dumps. Before that it starts the launcher, if
// signers have a user of their own and this process may switch users: then nothing is left of the
// right to do so. Absent: linesignd starts the signers by itself.
Result<std::optional<SignerLauncher>> give_up_rights(const Config& config,
                                                     const std::filesystem::path& signer_program);

// The user of [daemon] alone, for whoever does something to the ledger in linesignd's place.
Result<void> become_daemon_user(const Config& config);

// What protects less than it could, because of how linesignd was started; a sentence each.
std::vector<std::string> missing_daemon_protections();

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_RIGHTS_H_
