#include "hsm/pkcs11/slot.h"

#include <fmt/format.h>

#include "hsm/pkcs11/recovery.h"

namespace linesign {
namespace {

bool matches(const TokenInfo& token, const TokenSelector& wanted) {
  return (wanted.label.empty() || wanted.label == token.label) &&
         (wanted.serial.empty() || wanted.serial == token.serial);
}

std::string describe(const TokenSelector& wanted) {
  return fmt::format("label '{}', serial '{}'", wanted.label, wanted.serial);
}

std::string describe(const TokenInfo& token) {
  return fmt::format("'{}' (serial '{}')", token.label, token.serial);
}

std::optional<unsigned long> known(CK_ULONG value) {
  if (value == CK_UNAVAILABLE_INFORMATION) return std::nullopt;
  return value;
}

}  // namespace

Result<Slot> Slot::read(const Module& module, CK_SLOT_ID id) {
  CK_TOKEN_INFO info{};
  const CK_RV rv = module.functions()->C_GetTokenInfo(id, &info);
  if (rv != CKR_OK) return fail(ckr_error("C_GetTokenInfo", rv));
  TokenInfo token;
  token.label = padded_text(info.label, sizeof(info.label));
  token.serial = padded_text(info.serialNumber, sizeof(info.serialNumber));
  token.manufacturer = padded_text(info.manufacturerID, sizeof(info.manufacturerID));
  token.model = padded_text(info.model, sizeof(info.model));
  token.flags = info.flags;
  token.sessions = known(info.ulSessionCount);
  // CK_EFFECTIVELY_INFINITE is 0
  if (info.ulMaxSessionCount != 0) token.session_maximum = known(info.ulMaxSessionCount);
  return Slot(module.functions(), id, std::move(token));
}

Result<Slot> Slot::find(const Module& module, const TokenSelector& wanted) {
  LS_TRY(const std::vector<CK_SLOT_ID> ids, module.slots(SlotFilter::WithToken));
  std::optional<Slot> found;
  std::optional<Error> unreadable;
  std::string seen;
  for (const CK_SLOT_ID id : ids) {
    auto slot = read(module, id);
    if (!slot) {
      unreadable = slot.error();
      continue;
    }
    if ((slot->token().flags & CKF_TOKEN_INITIALIZED) == 0) continue;
    seen += fmt::format("{}{}", seen.empty() ? "" : ", ", describe(slot->token()));
    if (!matches(slot->token(), wanted)) continue;
    if (found)
      return fail(ErrorCode::HsmTokenAmbiguous,
                  fmt::format("{}: {} and {}",
                              describe(wanted),
                              describe(found->token()),
                              describe(slot->token())));
    found = std::move(*slot);
  }
  if (found) return std::move(*found);
  if (unreadable) return fail(unreadable->with_context(describe(wanted)));
  return fail(
      ErrorCode::HsmTokenNotFound,
      fmt::format(
          "{}; there is {}", describe(wanted), seen.empty() ? "no initialised token" : seen));
}

Result<std::optional<MechanismInfo>> Slot::mechanism(CK_MECHANISM_TYPE type) const {
  CK_MECHANISM_INFO info{};
  const CK_RV rv = functions_->C_GetMechanismInfo(id_, type, &info);
  if (rv == CKR_MECHANISM_INVALID) return std::optional<MechanismInfo>();
  if (rv != CKR_OK) return fail(ckr_error("C_GetMechanismInfo", rv));
  return std::optional<MechanismInfo>({info.ulMinKeySize, info.ulMaxKeySize, info.flags});
}

}  // namespace linesign
