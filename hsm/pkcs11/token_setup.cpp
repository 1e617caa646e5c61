#include "hsm/pkcs11/token_setup.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "hsm/pkcs11/recovery.h"
#include "hsm/pkcs11/slot.h"

namespace linesign {
namespace {

constexpr size_t kLabelBytes = 32;

// The C calls take pointers to non-const and do not write through them.
CK_UTF8CHAR* pin_text(const SecretBytes& pin) {
  return const_cast<CK_UTF8CHAR*>(pin.reveal().data());
}

// The one blank token of a module that has no other.
Result<CK_SLOT_ID> find_blank(const Module& module, const std::string& manufacturer) {
  LS_TRY(const std::vector<CK_SLOT_ID> ids, module.slots(SlotFilter::WithToken));
  std::optional<CK_SLOT_ID> blank;
  for (const CK_SLOT_ID id : ids) {
    LS_TRY(const Slot slot, Slot::read(module, id));
    const TokenInfo& token = slot.token();
    if (token.manufacturer != manufacturer)
      return fail(ErrorCode::InputInvalid,
                  fmt::format("a token of '{}', not of '{}'", token.manufacturer, manufacturer));
    if ((token.flags & CKF_TOKEN_INITIALIZED) != 0)
      return fail(ErrorCode::InputInvalid,
                  fmt::format("the module holds a token, '{}'", token.label));
    if (!blank) blank = id;
  }
  if (!blank) return fail(ErrorCode::InputInvalid, "the module has no blank token");
  return *blank;
}

Result<void> init_token(const Module& module, CK_SLOT_ID slot, const BlankTokenSetup& setup) {
  std::array<CK_UTF8CHAR, kLabelBytes> label{};
  label.fill(' ');
  if (setup.label.size() > label.size())
    return fail(ErrorCode::InputInvalid, "the label has more than 32 bytes");
  std::copy(setup.label.begin(), setup.label.end(), label.begin());
  const CK_RV rv = module.functions()->C_InitToken(
      slot, pin_text(setup.officer_pin), setup.officer_pin.size(), label.data());
  if (rv != CKR_OK) return fail(ckr_error("C_InitToken", rv));
  return {};
}

Result<void> set_user_pin(const CK_FUNCTION_LIST* functions,
                          CK_SESSION_HANDLE session,
                          const BlankTokenSetup& setup) {
  CK_RV rv =
      functions->C_Login(session, CKU_SO, pin_text(setup.officer_pin), setup.officer_pin.size());
  if (rv != CKR_OK) return fail(ckr_error("C_Login", rv));
  rv = functions->C_InitPIN(session, pin_text(setup.user_pin), setup.user_pin.size());
  const CK_RV left = functions->C_Logout(session);
  if (rv != CKR_OK) return fail(ckr_error("C_InitPIN", rv));
  if (left != CKR_OK) return fail(ckr_error("C_Logout", left));
  return {};
}

}  // namespace

Result<void> set_up_blank_token(const Module& module, const BlankTokenSetup& setup) {
  LS_TRY(const CK_SLOT_ID slot, find_blank(module, setup.manufacturer));
  LS_CHECK(init_token(module, slot, setup));
  const CK_FUNCTION_LIST* functions = module.functions();
  CK_SESSION_HANDLE session = 0;
  const CK_RV rv = functions->C_OpenSession(
      slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session);
  if (rv != CKR_OK) return fail(ckr_error("C_OpenSession", rv));
  auto done = set_user_pin(functions, session, setup);
  const CK_RV closed = functions->C_CloseSession(session);
  if (done && closed != CKR_OK) return fail(ckr_error("C_CloseSession", closed));
  return done;
}

}  // namespace linesign
