// The words of AWS IoT's control plane, as far as registration needs them.
//
// Shape    ids are lower-case hex of 32 bytes; a certificate's id is the SHA-256 of its DER form
// Threads  plain values
// Source   AWS IoT API Reference
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_IOT_TYPES_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_IOT_TYPES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/clock.h"

namespace linesign::aws {

// Other: a word that this version does not know.
enum class CertificateStatus : uint8_t {
  Active,
  Inactive,
  Revoked,
  PendingTransfer,
  PendingActivation,
  RegisterInactive,
  Other,
};
enum class CertificateMode : uint8_t { Default, SniOnly, Other };
enum class TaskStatus : uint8_t { InProgress, Completed, Failed, Cancelled, Cancelling, Other };
enum class ReportType : uint8_t { Errors, Results };
enum class TemplateType : uint8_t { FleetProvisioning, Jitp, Other };

// As AWS writes them: "ACTIVE", "SNI_ONLY", "InProgress", "ERRORS", "JITP". Other: "".
std::string to_string(CertificateStatus status);
std::string to_string(CertificateMode mode);
std::string to_string(TaskStatus status);
std::string to_string(ReportType type);
std::string to_string(TemplateType type);

CertificateStatus to_certificate_status(std::string_view text);
// Absent means DEFAULT.
CertificateMode to_certificate_mode(std::string_view text);
TaskStatus to_task_status(std::string_view text);
TemplateType to_template_type(std::string_view text);

template <typename T>
struct Page {
  std::vector<T> items;
  std::string next;  // to ask for the next page with; empty: this is the last
};

// --- CA certificates

// What AWS does with an unknown device of this CA: a template by name, or its text with a role, or
// nothing but an event.
struct RegistrationConfig {
  std::string template_name{};
  std::string template_body{};
  std::string role_arn{};

  bool empty() const { return template_name.empty() && template_body.empty(); }
  bool operator==(const RegistrationConfig&) const = default;
};

struct CaRegistration {
  std::string ca_pem{};
  std::string verification_pem{};  // mode DEFAULT only
  CertificateMode mode = CertificateMode::Default;
  bool set_active = true;
  bool allow_auto_registration = false;
  RegistrationConfig config{};
  std::map<std::string, std::string> tags{};
};

// The answer to a registration. `existed`: it was there before, and nothing else is known of it;
// compare `id`.
struct Registered {
  std::string id;
  std::string arn;
  bool existed = false;
};

struct CaDescription {
  std::string id;
  std::string arn;
  CertificateStatus status = CertificateStatus::Other;
  CertificateMode mode = CertificateMode::Default;
  bool has_auto_registration = false;
  std::string pem;
  std::string owner;  // account number
  std::optional<UnixTime> created_at;
  std::optional<UnixTime> not_before;
  std::optional<UnixTime> not_after;
  RegistrationConfig config;
};

struct CaUpdate {
  std::optional<CertificateStatus> status{};  // Active or Inactive
  std::optional<bool> auto_registration{};
  RegistrationConfig config{};  // empty: as it is
  bool remove_auto_registration = false;
};

// --- device certificates

struct CertificateSummary {
  std::string id;
  std::string arn;
  CertificateStatus status = CertificateStatus::Other;
  CertificateMode mode = CertificateMode::Default;  // of CAs in a list: not told
  std::optional<UnixTime> created_at;
};

struct CertificateDescription {
  CertificateSummary summary;
  std::string ca_id;  // empty: registered without a CA
  std::string pem;
  std::string owner;
};

// --- things and policies

struct Thing {
  std::string name{};
  std::string type{};  // empty: none
  std::map<std::string, std::string> attributes{};
};

struct ThingDescription {
  Thing thing;
  std::string arn;
  std::string id;
  int64_t version = 0;
};

struct PolicySummary {
  std::string name;
  std::string arn;
};

struct PolicyDescription {
  PolicySummary summary;
  std::string document;
  std::string version_id;
};

struct ThingTypeDescription {
  std::string name;
  std::string arn;
  bool is_deprecated = false;
};

struct ThingGroupDescription {
  std::string name;
  std::string arn;
  bool is_dynamic = false;  // things cannot be added by hand
};

// --- bulk registration and templates

struct TaskStart {
  std::string template_body{};
  std::string bucket{};
  std::string key{};
  std::string role_arn{};
};

struct TaskDescription {
  std::string id;
  TaskStatus status = TaskStatus::Other;
  std::string message;
  std::string bucket;
  std::string key;
  std::string role_arn;
  int64_t succeeded = 0;
  int64_t failed = 0;
  int64_t percent = 0;
  std::optional<UnixTime> created_at;
};

struct ProvisioningTemplate {
  std::string name{};  // 1 to 36 characters
  std::string body{};
  std::string role_arn{};
  TemplateType type = TemplateType::Jitp;
  bool is_enabled = true;
  std::string description{};
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_IOT_TYPES_H_
