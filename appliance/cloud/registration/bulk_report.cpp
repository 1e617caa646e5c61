#include "appliance/cloud/registration/bulk_report.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "appliance/cloud/aws/error_codes.h"
#include "appliance/cloud/aws/json.h"
#include "appliance/cloud/aws/service_error.h"
#include "appliance/cloud/registration/report_file.h"
#include "appliance/cloud/registration/verdict.h"
#include "hsm/x509/csr.h"

namespace linesign {
namespace {

Sha256 pem_hash(std::string_view pem) {
  std::string text(pem);
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  return sha256(as_bytes(text));
}

std::string last_part(const std::string& arn) { return arn.substr(arn.rfind('/') + 1); }

const BulkLines::Line* find_line(const aws::JsonObject& report, const BulkLines& lines) {
  if (const auto number = manifest_line_of(report)) return lines.by_number(*number);
  const auto response = report.object("response");
  if (!response) return nullptr;
  if (const auto pem = response->text("CertificatePem"))
    if (const auto* line = lines.by_pem(*pem)) return line;
  for (const auto& [name, arn] : response->text_map("ResourceArns"))
    if (arn.find(":thing/") != std::string::npos) return lines.by_thing(last_part(arn));
  return nullptr;
}

CloudBooking booking_of_result(const aws::JsonObject& report, const BulkLines::Line& line) {
  CloudBooking booking;
  booking.issuance_id = line.issuance_id;
  const auto response = report.object("response");
  const auto pem = response ? response->text("CertificatePem") : std::nullopt;
  if (pem && pem_hash(*pem) != line.pem_hash) {
    booking.state = RegistrationState::Parked;
    booking.code = static_cast<uint32_t>(ErrorCode::AwsAnswerInvalid);
    booking.reason = "the report shows another certificate on this line";
    return booking;
  }
  booking.state = RegistrationState::Registered;
  booking.certificate_id = line.certificate_id;
  booking.steps = kStepCertificate | kStepThing | kStepPrincipal;
  return booking;
}

CloudBooking booking_of_error(const aws::JsonObject& report, const BulkLines::Line& line) {
  CloudBooking booking;
  booking.issuance_id = line.issuance_id;
  const auto error = report.object("error").value_or(report);
  const std::string code = error.text("code").value_or("");
  const aws::CodeMeaning meaning = aws::meaning_of(code, 0);
  const bool may_pass =
      meaning.remedy == aws::Remedy::SlowDown || meaning.remedy == aws::Remedy::TryAgain;
  booking.state = may_pass ? RegistrationState::Waiting : RegistrationState::Parked;
  booking.code = may_pass ? 0 : static_cast<uint32_t>(meaning.error);
  booking.reason = aws::one_line(
      fmt::format("{}: {}", code, error.text("message").value_or("no message")), kMaxReasonBytes);
  booking.attempts = may_pass ? 0 : 1;
  return booking;
}

}  // namespace

void BulkLines::add(uint64_t issuance_id,
                    const Sha256& certificate_id,
                    std::string_view pem,
                    const std::string& thing) {
  lines_.push_back({issuance_id, certificate_id, pem_hash(pem)});
  by_pem_[lines_.back().pem_hash] = lines_.size() - 1;
  by_thing_[thing] = lines_.size() - 1;
}

const BulkLines::Line* BulkLines::by_number(int64_t number) const {
  if (number < 1 || static_cast<uint64_t>(number) > lines_.size()) return nullptr;
  return &lines_[static_cast<size_t>(number) - 1];
}

const BulkLines::Line* BulkLines::by_pem(std::string_view pem) const {
  const auto found = by_pem_.find(pem_hash(pem));
  return found == by_pem_.end() ? nullptr : &lines_[found->second];
}

const BulkLines::Line* BulkLines::by_thing(const std::string& name) const {
  const auto found = by_thing_.find(name);
  return found == by_thing_.end() ? nullptr : &lines_[found->second];
}

std::optional<CloudBooking> read_report_line(const std::string& json,
                                             bool is_result,
                                             const BulkLines& lines) {
  const auto report = aws::JsonObject::parse(json);
  if (!report.has_value()) return std::nullopt;
  const BulkLines::Line* line = find_line(*report, lines);
  if (line == nullptr) return std::nullopt;
  return is_result ? booking_of_result(*report, *line) : booking_of_error(*report, *line);
}

void park_unmentioned(const BulkLines& lines, std::vector<CloudBooking>& bookings) {
  std::set<uint64_t> mentioned;
  for (const CloudBooking& each : bookings) mentioned.insert(each.issuance_id);
  for (const BulkLines::Line& line : lines.all()) {
    if (mentioned.contains(line.issuance_id)) continue;
    CloudBooking booking;
    booking.issuance_id = line.issuance_id;
    booking.state = RegistrationState::Parked;
    booking.code = static_cast<uint32_t>(ErrorCode::AwsAnswerInvalid);
    booking.reason = "the task is completed, and its reports do not name this device";
    booking.attempts = 1;
    bookings.push_back(std::move(booking));
  }
}

}  // namespace linesign
