#include "hsm/ceremony/doctor.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <system_error>

#include <fmt/format.h>

#include "hsm/ceremony/ca_chain.h"
#include "hsm/ceremony/ca_documents.h"
#include "hsm/ceremony/config_lines.h"
#include "hsm/ceremony/transcript.h"
#include "hsm/pkcs11/ca_key.h"
#include "hsm/pkcs11/pin_file.h"
#include "hsm/pkcs11/token_session.h"
#include "hsm/signer/confinement.h"
#include "hsm/signer/hardening.h"
#include "hsm/signer/login_lock.h"
#include "hsm/signer/softhsm_folder.h"

namespace linesign {
namespace {

struct NamedFlag {
  CK_FLAGS flag;
  const char* name;
};

constexpr std::array<NamedFlag, 12> kTokenFlags = {{
    {CKF_RNG, "CKF_RNG"},
    {CKF_WRITE_PROTECTED, "CKF_WRITE_PROTECTED"},
    {CKF_LOGIN_REQUIRED, "CKF_LOGIN_REQUIRED"},
    {CKF_USER_PIN_INITIALIZED, "CKF_USER_PIN_INITIALIZED"},
    {CKF_PROTECTED_AUTHENTICATION_PATH, "CKF_PROTECTED_AUTHENTICATION_PATH"},
    {CKF_TOKEN_INITIALIZED, "CKF_TOKEN_INITIALIZED"},
    {CKF_USER_PIN_COUNT_LOW, "CKF_USER_PIN_COUNT_LOW"},
    {CKF_USER_PIN_FINAL_TRY, "CKF_USER_PIN_FINAL_TRY"},
    {CKF_USER_PIN_LOCKED, "CKF_USER_PIN_LOCKED"},
    {CKF_USER_PIN_TO_BE_CHANGED, "CKF_USER_PIN_TO_BE_CHANGED"},
    {CKF_SO_PIN_LOCKED, "CKF_SO_PIN_LOCKED"},
    {CKF_SO_PIN_TO_BE_CHANGED, "CKF_SO_PIN_TO_BE_CHANGED"},
}};

// Flags that mean something to the person who asks.
struct FlagFinding {
  CK_FLAGS flag;
  bool wrong_when_set;
  Severity severity;
  ErrorCode code;
  const char* text;
};

constexpr std::array<FlagFinding, 6> kFlagFindings = {{
    {CKF_USER_PIN_INITIALIZED,
     false,
     Severity::Problem,
     ErrorCode::HsmPinNotSet,
     "no user PIN is set: initialise it with the vendor's tool"},
    {CKF_USER_PIN_LOCKED,
     true,
     Severity::Problem,
     ErrorCode::HsmPinRefused,
     "the user PIN is locked: the security officer must set a new one"},
    {CKF_USER_PIN_FINAL_TRY,
     true,
     Severity::Problem,
     ErrorCode::HsmPinFinalTry,
     "one more wrong PIN locks the user out, so nobody logs in: make sure that the PIN file is "
     "right, then order the try with --try-pin"},
    {CKF_USER_PIN_COUNT_LOW,
     true,
     Severity::Warning,
     ErrorCode::HsmPinRefused,
     "a wrong PIN was entered since the last login"},
    {CKF_USER_PIN_TO_BE_CHANGED,
     true,
     Severity::Problem,
     ErrorCode::HsmPinRefused,
     "the user PIN must be changed before it can be used"},
    {CKF_PROTECTED_AUTHENTICATION_PATH,
     true,
     Severity::Warning,
     ErrorCode::HsmPinRefused,
     "the token wants its PIN at its own keypad; signers log in with a PIN file only"},
}};

struct NamedMechanism {
  CK_MECHANISM_TYPE type;
  const char* name;
};

constexpr std::array<NamedMechanism, 6> kMechanisms = {{
    {CKM_EC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN"},
    {CKM_ECDSA, "CKM_ECDSA"},
    {CKM_RSA_PKCS_KEY_PAIR_GEN, "CKM_RSA_PKCS_KEY_PAIR_GEN"},
    {CKM_RSA_PKCS, "CKM_RSA_PKCS"},
    {CKM_SHA256_RSA_PKCS, "CKM_SHA256_RSA_PKCS"},
    {CKM_RSA_PKCS_PSS, "CKM_RSA_PKCS_PSS"},
}};

void add(DoctorReport& report, Severity severity, std::string text) {
  report.findings.push_back({severity, std::move(text), std::nullopt});
}

void add(DoctorReport& report, Severity severity, const Error& error) {
  report.findings.push_back({severity, error.to_string(), error.code()});
}

DoctorToken describe(const Slot& slot) {
  const TokenInfo& info = slot.token();
  DoctorToken token;
  token.label = info.label;
  token.serial = info.serial;
  token.manufacturer = info.manufacturer;
  token.model = info.model;
  token.sessions = info.sessions;
  token.session_maximum = info.session_maximum;
  for (const NamedFlag& row : kTokenFlags)
    if ((info.flags & row.flag) != 0) token.flags.emplace_back(row.name);
  for (const NamedMechanism& row : kMechanisms) {
    const auto mechanism = slot.mechanism(row.type);
    const bool present = mechanism && mechanism->has_value();
    const MechanismInfo sizes = present ? **mechanism : MechanismInfo{};
    token.mechanisms.push_back({row.name, present, sizes.min_key_size, sizes.max_key_size});
  }
  return token;
}

std::string slot_description(const Module& module, CK_SLOT_ID id) {
  CK_SLOT_INFO info{};
  if (module.functions()->C_GetSlotInfo(id, &info) != CKR_OK) return "cannot be read";
  return padded_text(info.slotDescription, sizeof(info.slotDescription));
}

Result<void> list_slots(const Module& module, DoctorReport& report) {
  LS_TRY(const auto ids, module.slots(SlotFilter::All));
  for (const CK_SLOT_ID id : ids) {
    DoctorSlot slot{id, slot_description(module, id), std::nullopt};
    const auto found = Slot::read(module, id);
    if (found && (found->token().flags & CKF_TOKEN_INITIALIZED) != 0) slot.token = describe(*found);
    report.slots.push_back(std::move(slot));
  }
  return {};
}

DoctorToken* find_token(DoctorReport& report, const Slot& slot) {
  for (DoctorSlot& each : report.slots)
    if (each.id == slot.id() && each.token) return &*each.token;
  return nullptr;
}

void judge_token(DoctorReport& report, const Slot& slot) {
  const TokenInfo& token = slot.token();
  for (const FlagFinding& row : kFlagFindings) {
    if (((token.flags & row.flag) != 0) != row.wrong_when_set) continue;
    report.findings.push_back(
        {row.severity, fmt::format("Token '{}': {}.", token.label, row.text), row.code});
  }
  if (token.sessions && token.session_maximum && *token.sessions + 2 > *token.session_maximum)
    add(report,
        Severity::Warning,
        fmt::format("Token '{}': {} of {} sessions are in use; a signer needs two.",
                    token.label,
                    *token.sessions,
                    *token.session_maximum));
}

void judge_softhsm(DoctorReport& report, const Slot& slot) {
  if (!slot.token().manufacturer.starts_with("SoftHSM")) return;
  add(report,
      Severity::Note,
      "SoftHSM2 keeps the key in files: for tests and demonstrations, not for production.");
  const auto folder = find_softhsm_folder(slot.token().serial);
  if (!folder || !is_writable_by_mode(*folder)) return;
  add(report,
      Severity::Warning,
      fmt::format("The token folder {} can be written by this user: a process killed during a "
                  "login can destroy the token. After the ceremony: chmod -R a-w {}",
                  folder->string(),
                  folder->string()));
}

// Whether linesignd may switch users nobody knows but linesignd. Whoever else can read the PIN can
// use the key.
void judge_signer_user(DoctorReport& report, const DoctorRequest& request) {
  const auto user = find_user(*request.signer_user);
  if (!user) return add(report, Severity::Problem, user.error().with_context("user in [hsm]"));
  add(report,
      Severity::Good,
      fmt::format("user in [hsm] is {}: `linesign status` says whether signers run as it.",
                  user->name));
  struct stat pin {};
  if (request.pin_file.empty() || ::stat(request.pin_file.c_str(), &pin) != 0) return;
  if (pin.st_uid == user->uid && (pin.st_mode & (S_IRWXG | S_IRWXO)) == 0) return;
  add(report,
      Severity::Warning,
      fmt::format("The PIN file {0} is not for the signers alone: chown {1} {0}; chmod 400 {0}",
                  request.pin_file.string(),
                  user->name));
}

// What a signer could not be protected with here; nothing of it stops production by itself.
void judge_protections(DoctorReport& report, const DoctorRequest& request) {
  std::vector<std::string> missing = find_missing_kernel_support();
  if (missing.empty())
    add(report, Severity::Good, "This kernel offers all protections of signers.");
  if (request.signer_user == "")
    missing.emplace_back("signers run as linesignd's user: user in [hsm] is not set");
  for (const std::string& each : missing)
    add(report, Severity::Note, fmt::format("Protection not in effect: {}.", each));
  if (!request.signer_user.value_or("").empty()) judge_signer_user(report, request);
}

void compare_with_certificate(DoctorReport& report,
                              const DoctorRequest& request,
                              TokenSession& session,
                              const CaKey& key) {
  std::error_code error;
  if (request.ca_certificate.empty()) return;
  if (!std::filesystem::exists(request.ca_certificate, error)) {
    add(report,
        Severity::Problem,
        fmt::format("There is no CA certificate at {}: run the ceremony or import it.",
                    request.ca_certificate.string()));
    return;
  }
  const auto compared = [&]() -> Result<void> {
    LS_TRY(const CaCertificate certificate, CaCertificate::load(request.ca_certificate));
    LS_TRY(const EvpKey public_key, read_public_key(session, key));
    LS_TRY(const Bytes spki, encode_public_key(public_key.get()));
    if (!check_certificate_key(certificate, spki))
      return fail(ErrorCode::HsmKeyMismatch,
                  fmt::format("the key '{}' and {}", key.label, request.ca_certificate.string()));
    return {};
  }();
  if (!compared) return add(report, Severity::Problem, compared.error());
  add(report,
      Severity::Good,
      fmt::format("The CA certificate belongs to the key '{}'.", key.label));
}

void judge_key(DoctorReport& report, const DoctorRequest& request, TokenSession& session) {
  if (request.key_label.empty() && request.key_id_hex.empty()) return;
  const auto key =
      find_ca_key(session, {request.key_label, from_hex(request.key_id_hex).value_or(Bytes())});
  if (!key) return add(report, Severity::Problem, key.error());
  if (const auto safe = check_key_attributes(*key); !safe) {
    add(report, Severity::Problem, safe.error());
  } else {
    add(report,
        Severity::Good,
        fmt::format("The key '{}' ({}) was made in the token and cannot leave it.",
                    key->label,
                    key_type_text(*key)));
  }
  compare_with_certificate(report, request, session, *key);
}

Result<void> look_inside(DoctorReport& report, const DoctorRequest& request, const Slot& slot) {
  LS_TRY(const SecretBytes pin, read_pin_file(request.pin_file));
  std::optional<LoginLock> lock;
  if (!request.login_lock.empty()) {
    LS_TRY(lock, LoginLock::take(request.login_lock));
  }
  LS_TRY(TokenSession session, TokenSession::open(slot, Access::ReadOnly));
  LS_CHECK(
      session.login(pin, {.memory = request.pin_memory, .is_ordered = request.is_try_ordered}));
  lock.reset();
  add(report, Severity::Good, "The PIN file is right: the login succeeded.");
  LS_TRY(const auto keys, list_ca_keys(session));
  if (DoctorToken* token = find_token(report, slot)) {
    token->logged_in = true;
    for (const CaKey& key : keys)
      token->keys.push_back(
          {key.label, to_hex(key.id), key_type_text(key), key.private_attributes, key.faults});
  }
  judge_key(report, request, session);
  return {};
}

// What was asked for; without a question, the only token there is.
std::optional<TokenSelector> choose_token(DoctorReport& report, const DoctorRequest& request) {
  if (!request.token_label.empty() || !request.token_serial.empty())
    return TokenSelector{request.token_label, request.token_serial};
  std::vector<TokenSelector> all;
  for (const DoctorSlot& slot : report.slots)
    if (slot.token) all.push_back({slot.token->label, slot.token->serial});
  if (all.size() == 1) return all.front();
  if (all.empty())
    add(report,
        Severity::Problem,
        "There is no initialised token: initialise one with the vendor's tool.");
  else
    add(report,
        Severity::Note,
        "There is more than one token: name one by label and serial number.");
  return std::nullopt;
}

std::optional<Slot> choose_slot(DoctorReport& report,
                                const DoctorRequest& request,
                                const Module& module) {
  const auto wanted = choose_token(report, request);
  if (!wanted) return std::nullopt;
  auto slot = Slot::find(module, *wanted);
  if (slot) return std::move(*slot);
  add(report, Severity::Problem, slot.error());
  return std::nullopt;
}

void write_config_lines(DoctorReport& report, const DoctorRequest& request, const Slot& slot) {
  std::string key_label = request.key_label;
  // One usable key and no question: then that is the one.
  if (const DoctorToken* token = find_token(report, slot);
      key_label.empty() && token != nullptr && token->keys.size() == 1)
    key_label = token->keys.front().label;
  report.config_lines = config_lines({report.module,
                                      slot.token().label,
                                      slot.token().serial,
                                      key_label,
                                      request.pin_file,
                                      request.ca_certificate});
}

Result<void> examine_module(DoctorReport& report, const DoctorRequest& request) {
  LS_TRY(report.module_sha256_hex, hash_file(request.module));
  LS_TRY(const Module module, Module::load(request.module));
  LS_TRY(const LibraryInfo library, module.info());
  report.library =
      fmt::format("{} / {} {}", library.manufacturer, library.description, library.library_version);
  report.cryptoki_version = library.cryptoki_version;
  LS_CHECK(list_slots(module, report));
  const auto slot = choose_slot(report, request, module);
  if (!slot) return {};
  judge_token(report, *slot);
  judge_softhsm(report, *slot);
  if (request.pin_file.empty()) {
    add(report, Severity::Note, "Keys are not looked at: no PIN file was given.");
  } else if (const auto looked = look_inside(report, request, *slot); !looked) {
    add(report, Severity::Problem, looked.error());
  }
  judge_protections(report, request);
  write_config_lines(report, request, *slot);
  return {};
}

}  // namespace

std::string_view to_string(Severity severity) {
  constexpr std::array<std::string_view, 4> kNames = {"good", "note", "warning", "problem"};
  return kNames[static_cast<size_t>(severity)];
}

Severity DoctorReport::worst() const {
  Severity worst = Severity::Good;
  for (const DoctorFinding& finding : findings) worst = std::max(worst, finding.severity);
  return worst;
}

DoctorReport examine(const DoctorRequest& request) {
  DoctorReport report;
  report.module = request.module;
  if (const auto examined = examine_module(report, request); !examined)
    add(report, Severity::Problem, examined.error());
  return report;
}

}  // namespace linesign
