#include "hsm/pkcs11/token_session.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "hsm/pkcs11/recovery.h"

namespace linesign {
namespace {

struct PinFlag {
  CK_FLAGS flag;
  std::string_view text;
};

// The worst first.
constexpr std::array<PinFlag, 3> kPinFlags = {{
    {CKF_USER_PIN_LOCKED, "the PIN is locked (CKF_USER_PIN_LOCKED)"},
    {CKF_USER_PIN_FINAL_TRY, "one more wrong PIN locks it (CKF_USER_PIN_FINAL_TRY)"},
    {CKF_USER_PIN_COUNT_LOW,
     "a wrong PIN was entered since the last login (CKF_USER_PIN_COUNT_LOW)"},
}};

LoginOutcome outcome_of(CK_RV rv) {
  if (rv == CKR_OK) return LoginOutcome::Accepted;
  return ckr_code(rv) == ErrorCode::HsmPinRefused ? LoginOutcome::Refused : LoginOutcome::NotJudged;
}

}  // namespace

std::string_view pin_tries_text(CK_FLAGS token) {
  for (const PinFlag& row : kPinFlags)
    if ((token & row.flag) != 0) return row.text;
  return {};
}

Result<void> check_pin_tries(CK_FLAGS token) {
  if ((token & CKF_USER_PIN_FINAL_TRY) == 0 || (token & CKF_USER_PIN_LOCKED) != 0) return {};
  return fail(ErrorCode::HsmPinFinalTry, std::string(pin_tries_text(token)));
}

Result<TokenSession> TokenSession::open(const Slot& slot, Access access) {
  CK_FLAGS flags = CKF_SERIAL_SESSION;
  if (access == Access::ReadWrite) flags |= CKF_RW_SESSION;
  CK_SESSION_HANDLE handle = 0;
  const CK_RV rv = slot.functions()->C_OpenSession(slot.id(), flags, nullptr, nullptr, &handle);
  if (rv != CKR_OK) return fail(ckr_error("C_OpenSession", rv));
  return TokenSession(slot.functions(), slot.id(), handle);
}

TokenSession::TokenSession(TokenSession&& other) noexcept
    : functions_(std::exchange(other.functions_, nullptr)),
      slot_(other.slot_),
      handle_(other.handle_) {}

TokenSession& TokenSession::operator=(TokenSession&& other) noexcept {
  if (this != &other) {
    std::swap(functions_, other.functions_);
    std::swap(slot_, other.slot_);
    std::swap(handle_, other.handle_);
  }
  return *this;
}

TokenSession::~TokenSession() {
  if (functions_ != nullptr) functions_->C_CloseSession(handle_);
}

Result<void> TokenSession::close() {
  if (functions_ == nullptr) return {};
  const CK_RV rv = std::exchange(functions_, nullptr)->C_CloseSession(handle_);
  if (rv != CKR_OK) return fail(ckr_error("C_CloseSession", rv));
  return {};
}

CK_RV TokenSession::try_pin(const SecretBytes& pin) {
  // C_Login takes a pointer to non-const and does not write through it.
  auto* text = const_cast<CK_UTF8CHAR*>(pin.reveal().data());
  return functions_->C_Login(handle_, CKU_USER, text, pin.size());
}

Result<void> TokenSession::login(const SecretBytes& pin, const PinRule& rule) {
  CK_TOKEN_INFO token{};
  CK_RV rv = functions_->C_GetTokenInfo(slot_, &token);
  if (rv != CKR_OK) return fail(ckr_error("C_GetTokenInfo", rv));
  if (!rule.is_ordered) LS_CHECK(check_pin_tries(token.flags));
  std::optional<PinMemory> memory;
  if (!rule.memory.empty()) {
    const bool is_low = (token.flags & CKF_USER_PIN_COUNT_LOW) != 0;
    LS_TRY(
        memory,
        PinMemory::open(rule.memory, padded_text(token.serialNumber, sizeof(token.serialNumber))));
    LS_CHECK(memory->begin(pin, rule.is_ordered, is_low, SystemClock().now()));
  }
  rv = try_pin(pin);
  if (memory) LS_CHECK(memory->end(outcome_of(rv)));
  if (rv == CKR_OK) return {};
  Error error = ckr_error("C_Login", rv);
  if (error.code() != ErrorCode::HsmPinRefused ||
      functions_->C_GetTokenInfo(slot_, &token) != CKR_OK || pin_tries_text(token.flags).empty())
    return fail(std::move(error));
  return fail(error.code(),
              fmt::format("{}; the token says: {}", error.detail(), pin_tries_text(token.flags)));
}

Result<void> TokenSession::logout() {
  const CK_RV rv = functions_->C_Logout(handle_);
  if (rv != CKR_OK) return fail(ckr_error("C_Logout", rv));
  return {};
}

Result<std::vector<CK_OBJECT_HANDLE>> TokenSession::find(const ObjectTemplate& wanted) {
  auto attributes = wanted.attributes();
  CK_RV rv = functions_->C_FindObjectsInit(handle_, attributes.data(), attributes.size());
  if (rv != CKR_OK) return fail(ckr_error("C_FindObjectsInit", rv));
  std::vector<CK_OBJECT_HANDLE> found;
  std::array<CK_OBJECT_HANDLE, 64> batch{};
  for (CK_ULONG count = 1; rv == CKR_OK && count > 0;) {
    rv = functions_->C_FindObjects(handle_, batch.data(), batch.size(), &count);
    if (rv == CKR_OK) found.insert(found.end(), batch.begin(), batch.begin() + count);
  }
  const CK_RV end = functions_->C_FindObjectsFinal(handle_);
  if (rv != CKR_OK) return fail(ckr_error("C_FindObjects", rv));
  if (end != CKR_OK) return fail(ckr_error("C_FindObjectsFinal", end));
  return found;
}

Result<std::optional<Bytes>> TokenSession::attribute(CK_OBJECT_HANDLE object,
                                                     CK_ATTRIBUTE_TYPE type) {
  CK_ATTRIBUTE attribute{type, nullptr, 0};
  CK_RV rv = functions_->C_GetAttributeValue(handle_, object, &attribute, 1);
  if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE)
    return std::optional<Bytes>();
  if (rv != CKR_OK) return fail(ckr_error("C_GetAttributeValue", rv));
  if (attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION) return std::optional<Bytes>();
  Bytes value(attribute.ulValueLen);
  attribute.pValue = value.data();
  rv = functions_->C_GetAttributeValue(handle_, object, &attribute, 1);
  if (rv != CKR_OK) return fail(ckr_error("C_GetAttributeValue", rv));
  value.resize(std::min<size_t>(value.size(), attribute.ulValueLen));
  return std::optional<Bytes>(std::move(value));
}

CK_RV TokenSession::probe_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  CK_ATTRIBUTE attribute{type, nullptr, 0};
  return functions_->C_GetAttributeValue(handle_, object, &attribute, 1);
}

Result<Bytes> TokenSession::sign(CK_MECHANISM_TYPE mechanism, CK_OBJECT_HANDLE key, ByteView data) {
  CK_MECHANISM parameters{mechanism, nullptr, 0};
  CK_RV rv = functions_->C_SignInit(handle_, &parameters, key);
  if (rv != CKR_OK) return fail(ckr_error("C_SignInit", rv));
  Bytes signature(kMaxTokenSignatureBytes);
  CK_ULONG size = signature.size();
  // C_Sign takes a pointer to non-const and does not write through it.
  auto* bytes = const_cast<CK_BYTE*>(data.data());
  rv = functions_->C_Sign(handle_, bytes, data.size(), signature.data(), &size);
  if (rv != CKR_OK) return fail(ckr_error("C_Sign", rv));
  signature.resize(std::min<size_t>(signature.size(), size));
  return signature;
}

Result<KeyPairHandles> TokenSession::generate_key_pair(CK_MECHANISM_TYPE mechanism,
                                                       const ObjectTemplate& public_key,
                                                       const ObjectTemplate& private_key) {
  auto public_attributes = public_key.attributes();
  auto private_attributes = private_key.attributes();
  CK_MECHANISM parameters{mechanism, nullptr, 0};
  KeyPairHandles handles;
  const CK_RV rv = functions_->C_GenerateKeyPair(handle_,
                                                 &parameters,
                                                 public_attributes.data(),
                                                 public_attributes.size(),
                                                 private_attributes.data(),
                                                 private_attributes.size(),
                                                 &handles.public_key,
                                                 &handles.private_key);
  if (rv != CKR_OK) return fail(ckr_error("C_GenerateKeyPair", rv));
  return handles;
}

Result<CK_OBJECT_HANDLE> TokenSession::create(const ObjectTemplate& object) {
  auto attributes = object.attributes();
  CK_OBJECT_HANDLE handle = 0;
  const CK_RV rv =
      functions_->C_CreateObject(handle_, attributes.data(), attributes.size(), &handle);
  if (rv != CKR_OK) return fail(ckr_error("C_CreateObject", rv));
  return handle;
}

Result<void> TokenSession::destroy(CK_OBJECT_HANDLE object) {
  const CK_RV rv = functions_->C_DestroyObject(handle_, object);
  if (rv != CKR_OK) return fail(ckr_error("C_DestroyObject", rv));
  return {};
}

}  // namespace linesign
