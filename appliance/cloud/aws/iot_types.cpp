#include "appliance/cloud/aws/iot_types.h"

#include <array>
#include <utility>

namespace linesign::aws {
namespace {

template <typename T, size_t kSize>
using Words = std::array<std::pair<T, std::string_view>, kSize>;

constexpr Words<CertificateStatus, 6> kCertificateStatuses = {{
    {CertificateStatus::Active, "ACTIVE"},
    {CertificateStatus::Inactive, "INACTIVE"},
    {CertificateStatus::Revoked, "REVOKED"},
    {CertificateStatus::PendingTransfer, "PENDING_TRANSFER"},
    {CertificateStatus::PendingActivation, "PENDING_ACTIVATION"},
    {CertificateStatus::RegisterInactive, "REGISTER_INACTIVE"},
}};
constexpr Words<CertificateMode, 2> kModes = {{
    {CertificateMode::Default, "DEFAULT"},
    {CertificateMode::SniOnly, "SNI_ONLY"},
}};
constexpr Words<TaskStatus, 5> kTaskStatuses = {{
    {TaskStatus::InProgress, "InProgress"},
    {TaskStatus::Completed, "Completed"},
    {TaskStatus::Failed, "Failed"},
    {TaskStatus::Cancelled, "Cancelled"},
    {TaskStatus::Cancelling, "Cancelling"},
}};
constexpr Words<TemplateType, 2> kTemplateTypes = {{
    {TemplateType::FleetProvisioning, "FLEET_PROVISIONING"},
    {TemplateType::Jitp, "JITP"},
}};

template <typename T, size_t kSize>
std::string word_of(const Words<T, kSize>& words, T value) {
  for (const auto& [each, word] : words) {
    if (each == value) return std::string(word);
  }
  return {};
}

template <typename T, size_t kSize>
T value_of(const Words<T, kSize>& words, std::string_view text) {
  for (const auto& [value, word] : words) {
    if (word == text) return value;
  }
  return T::Other;
}

}  // namespace

std::string to_string(CertificateStatus status) { return word_of(kCertificateStatuses, status); }
std::string to_string(CertificateMode mode) { return word_of(kModes, mode); }
std::string to_string(TaskStatus status) { return word_of(kTaskStatuses, status); }
std::string to_string(ReportType type) { return type == ReportType::Errors ? "ERRORS" : "RESULTS"; }
std::string to_string(TemplateType type) { return word_of(kTemplateTypes, type); }

CertificateStatus to_certificate_status(std::string_view text) {
  return value_of(kCertificateStatuses, text);
}

CertificateMode to_certificate_mode(std::string_view text) {
  return text.empty() ? CertificateMode::Default : value_of(kModes, text);
}

TaskStatus to_task_status(std::string_view text) { return value_of(kTaskStatuses, text); }

TemplateType to_template_type(std::string_view text) { return value_of(kTemplateTypes, text); }

}  // namespace linesign::aws
