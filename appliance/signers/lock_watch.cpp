#include "appliance/signers/lock_watch.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "protocol/base/process.h"

namespace linesign {
namespace {

// It runs our program as the signers' user, and no linesignd or launcher is its parent: neither
// another one nor this one, whose own are known.
bool is_orphan(const ProcessInfo& holder, const std::filesystem::path& signer, uid_t user) {
  if (holder.program != signer.string() || holder.user != user) return false;
  if (holder.parent == ::getpid()) return true;
  const auto parent = read_process(holder.parent);
  const auto self = read_process(::getpid());
  return !parent || !self || (parent->name != self->name && parent->name != holder.name);
}

}  // namespace

LockWatch::LockWatch(const Clock& clock,
                     std::filesystem::path lock,
                     std::filesystem::path signer,
                     SignerLauncher* launcher,
                     std::chrono::milliseconds orphan_grace)
    : clock_(clock),
      lock_(std::move(lock)),
      signer_(std::move(signer)),
      launcher_(launcher),
      orphan_grace_(orphan_grace) {}

std::optional<Error> LockWatch::look(std::span<const int> ours) {
  const int holder = find_lock_holder(lock_).value_or(0);
  const SteadyTime now = clock_.steady();
  if (holder != std::exchange(holder_, holder)) since_ = now;
  if (holder == 0 || std::find(ours.begin(), ours.end(), holder) != ours.end()) return std::nullopt;
  const UniqueFd process = open_process(holder);  // before it is looked at: it stays this one
  const auto info = read_process(holder);
  if (!process || !info || find_lock_holder(lock_) != holder) return std::nullopt;
  std::string detail =
      fmt::format("the login lock {} is held by process {} ({}, user {}, parent {})",
                  lock_.string(),
                  holder,
                  info->name,
                  info->user,
                  info->parent);
  if (is_orphan(*info, signer_, launcher_ != nullptr ? launcher_->user() : ::geteuid())) {
    const bool is_over = now - since_ >= orphan_grace_;
    if (is_over && launcher_ != nullptr) launcher_->end_orphan(holder);
    if (is_over) kill_process(process);
    detail += is_over
                  ? ", a signer without its linesignd; it was ended"
                  : ", a signer without its linesignd; it is ended if it does not end by itself";
  }
  return Error(ErrorCode::HsmUnavailable, detail);
}

}  // namespace linesign
