#include "hsm/pkcs11/recovery.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <p11-kit/pkcs11.h>

namespace linesign {
namespace {

#define LS_CKR(name, code) \
  CkrInfo { name, #name, ErrorCode::code }

constexpr std::array kCkrList = {
    LS_CKR(CKR_HOST_MEMORY, HsmOperationFailed),
    LS_CKR(CKR_SLOT_ID_INVALID, HsmUnavailable),
    LS_CKR(CKR_GENERAL_ERROR, HsmUnavailable),
    LS_CKR(CKR_FUNCTION_FAILED, HsmOperationFailed),
    LS_CKR(CKR_ARGUMENTS_BAD, HsmRefused),
    LS_CKR(CKR_NEED_TO_CREATE_THREADS, HsmRefused),
    LS_CKR(CKR_CANT_LOCK, HsmRefused),
    LS_CKR(CKR_ATTRIBUTE_READ_ONLY, HsmRefused),
    LS_CKR(CKR_ATTRIBUTE_SENSITIVE, HsmRefused),
    LS_CKR(CKR_ATTRIBUTE_TYPE_INVALID, HsmRefused),
    LS_CKR(CKR_ATTRIBUTE_VALUE_INVALID, HsmRefused),
    LS_CKR(CKR_ACTION_PROHIBITED, HsmRefused),
    LS_CKR(CKR_DATA_INVALID, HsmRefused),
    LS_CKR(CKR_DATA_LEN_RANGE, HsmRefused),
    LS_CKR(CKR_DEVICE_ERROR, HsmOperationFailed),
    LS_CKR(CKR_DEVICE_MEMORY, HsmOperationFailed),
    LS_CKR(CKR_DEVICE_REMOVED, HsmUnavailable),
    LS_CKR(CKR_FUNCTION_CANCELED, HsmUnavailable),
    LS_CKR(CKR_FUNCTION_NOT_SUPPORTED, HsmMechanismMissing),
    LS_CKR(CKR_KEY_HANDLE_INVALID, HsmUnavailable),
    LS_CKR(CKR_KEY_SIZE_RANGE, HsmMechanismMissing),
    LS_CKR(CKR_KEY_TYPE_INCONSISTENT, HsmMechanismMissing),
    LS_CKR(CKR_KEY_FUNCTION_NOT_PERMITTED, HsmMechanismMissing),
    LS_CKR(CKR_MECHANISM_INVALID, HsmMechanismMissing),
    LS_CKR(CKR_MECHANISM_PARAM_INVALID, HsmMechanismMissing),
    LS_CKR(CKR_OBJECT_HANDLE_INVALID, HsmUnavailable),
    LS_CKR(CKR_OPERATION_ACTIVE, HsmUnavailable),
    LS_CKR(CKR_OPERATION_NOT_INITIALIZED, HsmUnavailable),
    LS_CKR(CKR_PIN_INCORRECT, HsmPinRefused),
    LS_CKR(CKR_PIN_INVALID, HsmPinRefused),
    LS_CKR(CKR_PIN_LEN_RANGE, HsmPinRefused),
    LS_CKR(CKR_PIN_EXPIRED, HsmPinRefused),
    LS_CKR(CKR_PIN_LOCKED, HsmPinRefused),
    LS_CKR(CKR_SESSION_CLOSED, HsmUnavailable),
    LS_CKR(CKR_SESSION_COUNT, HsmUnavailable),
    LS_CKR(CKR_SESSION_HANDLE_INVALID, HsmUnavailable),
    LS_CKR(CKR_SESSION_READ_ONLY, HsmRefused),
    LS_CKR(CKR_SESSION_READ_ONLY_EXISTS, HsmRefused),
    LS_CKR(CKR_SESSION_READ_WRITE_SO_EXISTS, HsmRefused),
    LS_CKR(CKR_TEMPLATE_INCOMPLETE, HsmRefused),
    LS_CKR(CKR_TEMPLATE_INCONSISTENT, HsmRefused),
    LS_CKR(CKR_TOKEN_NOT_PRESENT, HsmUnavailable),
    LS_CKR(CKR_TOKEN_NOT_RECOGNIZED, HsmUnavailable),
    LS_CKR(CKR_TOKEN_WRITE_PROTECTED, HsmRefused),
    LS_CKR(CKR_USER_ALREADY_LOGGED_IN, HsmUnavailable),
    LS_CKR(CKR_USER_NOT_LOGGED_IN, HsmUnavailable),
    LS_CKR(CKR_USER_PIN_NOT_INITIALIZED, HsmPinNotSet),
    LS_CKR(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, HsmUnavailable),
    LS_CKR(CKR_USER_TOO_MANY_TYPES, HsmUnavailable),
    LS_CKR(CKR_DOMAIN_PARAMS_INVALID, HsmMechanismMissing),
    LS_CKR(CKR_CURVE_NOT_SUPPORTED, HsmMechanismMissing),
    LS_CKR(CKR_BUFFER_TOO_SMALL, HsmUnavailable),
    LS_CKR(CKR_CRYPTOKI_NOT_INITIALIZED, HsmUnavailable),
    LS_CKR(CKR_CRYPTOKI_ALREADY_INITIALIZED, HsmUnavailable),
    LS_CKR(CKR_LIBRARY_LOAD_FAILED, HsmModuleLoad),
    LS_CKR(CKR_PIN_TOO_WEAK, HsmPinRefused),
    LS_CKR(CKR_FUNCTION_REJECTED, HsmRefused),
};
#undef LS_CKR

constexpr bool is_ascending() {
  for (size_t i = 1; i < kCkrList.size(); ++i)
    if (kCkrList[i - 1].value >= kCkrList[i].value) return false;
  return true;
}
static_assert(is_ascending(), "ckr_list() is in ascending order");

const CkrInfo* find_ckr(unsigned long value) {
  const auto* row = std::ranges::lower_bound(kCkrList, value, {}, &CkrInfo::value);
  return row != kCkrList.end() && row->value == value ? row : nullptr;
}

}  // namespace

std::span<const CkrInfo> ckr_list() { return kCkrList; }

std::string ckr_name(unsigned long value) {
  const CkrInfo* row = find_ckr(value);
  return row != nullptr ? std::string(row->name) : fmt::format("CKR {:#x}", value);
}

ErrorCode ckr_code(unsigned long value) {
  const CkrInfo* row = find_ckr(value);
  return row != nullptr ? row->code : ErrorCode::HsmUnavailable;
}

Error ckr_error(std::string_view call, unsigned long value, std::source_location where) {
  return Error(ckr_code(value), fmt::format("{}: {}", call, ckr_name(value)), where);
}

Recovery recovery_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::HsmOperationFailed:
      return Recovery::RetryAtOnce;
    case ErrorCode::HsmUnavailable:
    case ErrorCode::HsmRefused:
    case ErrorCode::HsmSignatureWrong:
    case ErrorCode::SignerTimeout:
      return Recovery::Restart;
    default:
      return Recovery::Stop;
  }
}

bool is_transient_at_start(ErrorCode code) {
  return code == ErrorCode::HsmUnavailable || code == ErrorCode::HsmOperationFailed ||
         code == ErrorCode::HsmTokenNotFound || code == ErrorCode::HsmPinNotSet;
}

}  // namespace linesign
