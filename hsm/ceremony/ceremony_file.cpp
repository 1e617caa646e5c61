#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "hsm/ceremony/ceremony.h"
#include "hsm/signer/token_settings.h"
#include "protocol/settings/settings_file.h"

namespace linesign {
namespace {

using std::chrono::days;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<std::string_view, 2> kKindNames = {"root", "intermediate"};
constexpr std::array<std::string_view, 8> kSubjectFields = {
    "C", "ST", "L", "O", "OU", "CN", "serialNumber", "DC"};
constexpr std::string_view kNoExpiryWord = "no-expiry";
constexpr milliseconds kMinValidity = days(1);
constexpr milliseconds kMaxValidity = days(365 * 100);
constexpr int64_t kMaxPathLength = 10;
constexpr size_t kMaxSubjectFields = 16;
constexpr size_t kMaxFieldBytes = 64;  // the tightest of RFC 5280 appendix A, and enough for people

Result<void> read_token(const SettingsTable& root, CeremonyPlan& plan) {
  LS_TRY(const SettingsTable table, root.table("token"));
  LS_TRY(plan.token,
         read_token_settings(
             table, {.label = "label", .serial = "serial", .key_label = "", .key_id = ""}));
  if (!plan.token.key_id_hex.empty())
    return fail(table.error_at(
        "uri", ErrorCode::ConfigConflict, "id is not known before the key is made; leave it out"));
  return {};
}

Result<void> read_key(const SettingsTable& root, CeremonyPlan& plan) {
  LS_TRY(const SettingsTable table, root.table("key"));
  if (!table.has("type"))
    return fail(table.error_at("type", ErrorCode::ConfigMissing, "required: P-256, P-384, ..."));
  LS_TRY(const size_t type, table.choice("type", kKeyTypeNames, 0));
  plan.key_type = static_cast<KeyType>(type);
  LS_TRY(const std::string label, table.text("label", plan.token.key_label));
  if (label.empty() || label.size() > kMaxFieldBytes)
    return fail(table.error_at("label",
                               label.empty() ? ErrorCode::ConfigMissing : ErrorCode::ConfigRange,
                               fmt::format("required: 1 to {} bytes", kMaxFieldBytes)));
  if (!plan.token.key_label.empty() && plan.token.key_label != label)
    return fail(table.error_at("label", ErrorCode::ConfigConflict, "differs from object in uri"));
  plan.token.key_label = label;
  return {};
}

Result<void> read_subject(const SettingsTable& table, CeremonyPlan& plan) {
  LS_TRY(const std::vector<std::string> fields, table.text_list("subject", {}));
  bool has_common_name = false;
  for (const std::string& field : fields) {
    const size_t equals = field.find('=');
    const std::string name = field.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : field.substr(equals + 1);
    if (std::ranges::find(kSubjectFields, name) == kSubjectFields.end() || value.empty() ||
        value.size() > kMaxFieldBytes || (name == "C" && value.size() != 2))
      return fail(table.error_at(
          "subject",
          ErrorCode::ConfigRange,
          fmt::format("'{}' must be one of C= ST= L= O= OU= CN= serialNumber= DC= with 1 to {} "
                      "bytes (C: two letters)",
                      field,
                      kMaxFieldBytes)));
    has_common_name = has_common_name || name == "CN";
    plan.subject.emplace_back(name, value);
  }
  if (!has_common_name || plan.subject.size() > kMaxSubjectFields)
    return fail(table.error_at(
        "subject",
        ErrorCode::ConfigMissing,
        fmt::format("required: up to {} fields and a CN, such as [\"O=Example\", \"CN=Example "
                    "Device CA\"]",
                    kMaxSubjectFields)));
  return {};
}

Result<void> read_validity(const SettingsTable& table, CeremonyPlan& plan) {
  if (!table.has("validity") && plan.kind == CaKind::Root)
    return fail(table.error_at(
        "validity", ErrorCode::ConfigMissing, R"(required for a root: "20y" or "no-expiry")"));
  LS_TRY(const std::string text, table.text("validity", kNoExpiryWord));
  plan.no_expiry = text == kNoExpiryWord;
  if (plan.no_expiry) return {};
  LS_TRY(const milliseconds validity,
         table.duration("validity", {kMinValidity, kMaxValidity}, kMaxValidity));
  plan.validity = duration_cast<seconds>(validity);
  return {};
}

Result<void> read_ca(const SettingsTable& root, CeremonyPlan& plan) {
  LS_TRY(const SettingsTable table, root.table("ca"));
  if (!table.has("kind"))
    return fail(
        table.error_at("kind", ErrorCode::ConfigMissing, R"(required: "root" or "intermediate")"));
  LS_TRY(const size_t kind, table.choice("kind", kKindNames, 0));
  plan.kind = static_cast<CaKind>(kind);
  LS_CHECK(read_subject(table, plan));
  LS_CHECK(read_validity(table, plan));
  LS_TRY(const int64_t length, table.integer("path_length", {0, kMaxPathLength}, 0));
  plan.path_length = static_cast<int>(length);
  return {};
}

Result<void> read_output(const SettingsTable& root, CeremonyPlan& plan) {
  LS_TRY(const SettingsTable table, root.table("output"));
  LS_TRY(plan.certificate, table.path("certificate", "ca.pem"));
  LS_TRY(plan.csr, table.path("csr", "ca.csr"));
  LS_TRY(plan.transcript, table.path("transcript", "ca-transcript.txt"));
  LS_TRY(plan.who, table.text_list("who", {}));
  if (plan.certificate == plan.csr || plan.certificate == plan.transcript ||
      plan.csr == plan.transcript)
    return fail(table.error_at("certificate",
                               ErrorCode::ConfigConflict,
                               "certificate, csr and transcript must be different files"));
  return {};
}

}  // namespace

Result<CeremonyPlan> load_ceremony(const std::filesystem::path& file) {
  LS_TRY(const SettingsFile settings, SettingsFile::load(file));
  const SettingsTable root = settings.root();
  CeremonyPlan plan;
  plan.file = file;
  LS_CHECK(read_token(root, plan));
  LS_CHECK(read_key(root, plan));
  LS_CHECK(read_ca(root, plan));
  LS_CHECK(read_output(root, plan));
  LS_CHECK(settings.check_all_known());
  return plan;
}

}  // namespace linesign
