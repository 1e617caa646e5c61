#include "appliance/daemon/rights.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "hsm/signer/hardening.h"
#include "protocol/base/core_dumps.h"
#include "protocol/base/unique_fd.h"

namespace linesign {
namespace {

Result<std::optional<ProcessUser>> daemon_user(const std::string& name) {
  if (name.empty()) return std::optional<ProcessUser>();
  auto user = find_user(name);
  if (!user) return fail(user.error().with_context("user in [daemon]"));
  if (user->uid != ::geteuid() && !can_switch_user())
    return fail(ErrorCode::ConfigConflict,
                fmt::format("user in [daemon] is {}, but linesignd runs as user {} and may not "
                            "switch; start it as root or as {}",
                            name,
                            ::geteuid(),
                            name));
  return std::optional(std::move(*user));
}

// Signers lock it for reading. In a folder of ours they may not make it, in one of theirs they do.
// It may be there from a time when signers had our user.
void make_login_lock(const std::filesystem::path& file) {
  constexpr mode_t kReadable = 0644;
  const UniqueFd lock(::open(file.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, kReadable));
  if (lock) static_cast<void>(::fchmod(lock.get(), kReadable));  // whatever the umask
}

}  // namespace

Result<std::optional<SignerLauncher>> give_up_rights(const Config& config,
                                                     const std::filesystem::path& signer_program) {
  std::optional<SignerLauncher> launcher;
  LS_TRY(const auto user, daemon_user(config.daemon.user));
  if (!config.signer.user.empty() && can_switch_user()) {
    auto signers = find_user(config.signer.user);
    if (!signers) return fail(signers.error().with_context("user in [hsm]"));
    if (signers->uid == (user ? user->uid : ::geteuid()))
      return fail(ErrorCode::ConfigConflict, "user in [hsm] and linesignd's own user are the same");
    LS_TRY(launcher, SignerLauncher::start(signer_program, config.file, signers->uid));
  }
  if (user || (launcher && ::geteuid() != 0)) LS_CHECK(drop_privileges(user));
  if (launcher && ::geteuid() != 0) make_login_lock(config.signer.login_lock);
  LS_CHECK(forbid_core_dumps());
  return launcher;
}

Result<void> become_daemon_user(const Config& config) {
  LS_TRY(const auto user, daemon_user(config.daemon.user));
  return user ? drop_privileges(user) : Result<void>();
}

std::vector<std::string> missing_daemon_protections() {
  if (::geteuid() != 0) return {};
  return {"linesignd runs as root: user in [daemon] is not set"};
}

}  // namespace linesign
