#include "hsm/ceremony/login_place.h"

#include <optional>
#include <system_error>
#include <utility>

namespace linesign {
namespace {

bool is_one_file(const std::filesystem::path& one, const std::filesystem::path& other) {
  std::error_code error;
  return one.lexically_normal() == other.lexically_normal() ||
         std::filesystem::equivalent(one, other, error);
}

}  // namespace

Result<LoginPlace> LoginPlace::take(const SignerSettings& signer,
                                    const std::filesystem::path& pin_file,
                                    const std::filesystem::path& own_memory) {
  if (is_one_file(pin_file, signer.token.pin_file)) {
    LoginPlace place(signer.pin_memory);
    LS_TRY(LoginLock lock, LoginLock::take(signer.login_lock));
    place.locks_.push_back(std::move(lock));
    return place;
  }
  LoginPlace place(own_memory);
  LS_CHECK(PinMemory::make(own_memory));
  // In this order: nobody waits for the own lock and keeps signers from theirs meanwhile.
  LS_TRY(LoginLock own, LoginLock::take(own_memory / "login.lock"));
  LS_TRY(std::optional<LoginLock> shared, LoginLock::take_if_readable(signer.login_lock));
  place.locks_.push_back(std::move(own));
  if (shared) place.locks_.push_back(std::move(*shared));
  return place;
}

}  // namespace linesign
