// SoftHSM folder: where SoftHSM2 keeps a token, and whether a login may rewrite it.
//
// SoftHSM2 rewrites a file of the token at every login; a process killed at that moment leaves the
// file empty, and the token is lost. A folder that the signers cannot write is safe from it.
#ifndef LINESIGN_HSM_SIGNER_SOFTHSM_FOLDER_H_
#define LINESIGN_HSM_SIGNER_SOFTHSM_FOLDER_H_

#include <filesystem>
#include <optional>
#include <string_view>

namespace linesign {

// The folder of the token with this serial number, by SoftHSM2's own configuration file.
std::optional<std::filesystem::path> find_softhsm_folder(std::string_view serial);

// Do the file modes let this user write into the folder or to a file in it? That root may write
// everywhere does not count: signers drop that privilege.
bool is_writable_by_mode(const std::filesystem::path& folder);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_SOFTHSM_FOLDER_H_
