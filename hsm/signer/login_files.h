// Login files: the login lock and the PIN memory belong to the user of the signers.
//
// A command of root's, or a service that had one user for everything, may have left them to others.
//
// Errors   none: what stays wrong is told by the login
// Threads  no state
#ifndef LINESIGN_HSM_SIGNER_LOGIN_FILES_H_
#define LINESIGN_HSM_SIGNER_LOGIN_FILES_H_

#include <filesystem>

#include "hsm/signer/hardening.h"

namespace linesign {

// Run by root: makes them where their folder is there, and gives them to `user`. Run by others:
// nothing.
void give_login_files(const std::filesystem::path& lock,
                      const std::filesystem::path& memory,
                      const ProcessUser& user);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_LOGIN_FILES_H_
