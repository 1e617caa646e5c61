#include "appliance/cloud/registration/bulk_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "appliance/cloud/aws/error_codes.h"
#include "appliance/cloud/aws/service_error.h"
#include "appliance/cloud/registration/report_file.h"
#include "hsm/x509/csr.h"

namespace linesign {
namespace {

constexpr size_t kAreAll = 10;

Sha256 pem_hash(std::string_view pem) {
  std::string text(pem);
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  return sha256(as_bytes(text));
}

std::string last_part(const std::string& arn) { return arn.substr(arn.rfind('/') + 1); }

CloudBooking booking_for(const BulkLines::Line& line, RegistrationState state) {
  CloudBooking booking;
  booking.issuance_id = line.issuance_id;
  booking.state = state;
  booking.attempts = line.attempts;
  return booking;
}

CloudBooking parked_line(const BulkLines::Line& line, ErrorCode code, std::string reason) {
  CloudBooking booking = booking_for(line, RegistrationState::Parked);
  booking.code = static_cast<uint32_t>(code);
  booking.reason = std::move(reason);
  ++booking.attempts;
  return booking;
}

DeviceOutcome outcome_of_result(const aws::JsonObject& response, const BulkLines::Line& line) {
  const auto pem = response.text("CertificatePem");
  if (pem && pem_hash(*pem) != line.pem_hash)
    return {
        parked_line(
            line, ErrorCode::AwsAnswerInvalid, "the report shows another certificate on this line"),
        std::nullopt};
  CloudBooking booking = booking_for(line, RegistrationState::Registered);
  booking.certificate_id = line.certificate_id;
  booking.steps = kStepCertificate | kStepThing | kStepPrincipal;
  return {std::move(booking), std::nullopt};
}

DeviceOutcome outcome_of_error(const aws::JsonObject& error, const BulkLines::Line& line) {
  const std::string code = error.text("code").value_or("");
  const aws::CodeMeaning meaning = aws::meaning_of(code, 0);
  std::string reason = aws::one_line(
      fmt::format("{}: {}", code, error.text("message").value_or("no message")), kMaxReasonBytes);
  const bool may_pass =
      meaning.remedy == aws::Remedy::SlowDown || meaning.remedy == aws::Remedy::TryAgain;
  if (!may_pass) return {parked_line(line, meaning.error, std::move(reason)), std::nullopt};
  return {booking_for(line, RegistrationState::Waiting), Error(meaning.error, std::move(reason))};
}

ErrorCode code_of(const DeviceOutcome& outcome) {
  return outcome.hold ? outcome.hold->code() : static_cast<ErrorCode>(outcome.booking.code);
}

}  // namespace

void BulkLines::add(const CloudItem& item,
                    const Sha256& certificate_id,
                    std::string_view pem,
                    const std::string& thing) {
  lines_.push_back({item.issuance_id, item.attempts, certificate_id, pem_hash(pem)});
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

void BulkReports::note_number(const BulkLines::Line& line, int64_t number) {
  const int64_t shift = number - lines_.number_of(line);
  if (shift_ && *shift_ != shift) are_numbers_good_ = false;
  shift_ = shift;
}

const BulkLines::Line* BulkReports::by_number(std::optional<int64_t> number) const {
  if (!number || !are_numbers_good_) return nullptr;
  return lines_.by_number(*number - shift_.value_or(0));
}

const BulkLines::Line* BulkReports::line_of_result(const aws::JsonObject& response,
                                                   std::optional<int64_t> number) {
  if (const auto pem = response.text("CertificatePem")) {
    if (const auto* line = lines_.by_pem(*pem)) {
      if (number) note_number(*line, *number);
      return line;
    }
  }
  if (number) return by_number(number);
  for (const auto& [name, arn] : response.text_map("ResourceArns"))
    if (arn.find(":thing/") != std::string::npos) return lines_.by_thing(last_part(arn));
  return nullptr;
}

void BulkReports::take_result(const std::string& json) {
  const auto report = aws::JsonObject::parse(json);
  const auto response = report.has_value() ? report->object("response") : std::nullopt;
  if (!response) return;
  const BulkLines::Line* line = line_of_result(*response, manifest_line_of(*report));
  if (line == nullptr) return;
  DeviceOutcome outcome = outcome_of_result(*response, *line);
  has_registered_ = has_registered_ || outcome.booking.state == RegistrationState::Registered;
  outcomes_.insert_or_assign(line->issuance_id, std::move(outcome));
}

// A device that has a result has succeeded, whatever a number in the other report says.
void BulkReports::take_error(const std::string& json) {
  const auto report = aws::JsonObject::parse(json);
  if (!report.has_value()) return;
  const BulkLines::Line* line = by_number(manifest_line_of(*report));
  if (line == nullptr) return;
  outcomes_.emplace(line->issuance_id,
                    outcome_of_error(report->object("error").value_or(*report), *line));
}

std::optional<Error> BulkReports::what_all_failed_with() const {
  if (has_registered_ || outcomes_.size() < kAreAll || outcomes_.size() < lines_.all().size())
    return std::nullopt;
  const DeviceOutcome& first = outcomes_.begin()->second;
  const bool are_alike = std::all_of(outcomes_.begin(), outcomes_.end(), [&](const auto& each) {
    return code_of(each.second) == code_of(first);
  });
  if (!are_alike) return std::nullopt;
  const std::string& reason = first.hold ? first.hold->detail() : first.booking.reason;
  return Error(code_of(first),
               fmt::format("all {} lines of the bulk task: {}", outcomes_.size(), reason));
}

void BulkReports::park_unmentioned() {
  for (const BulkLines::Line& line : lines_.all())
    if (!outcomes_.contains(line.issuance_id))
      outcomes_.emplace(line.issuance_id,
                        DeviceOutcome{parked_line(line,
                                                  ErrorCode::AwsAnswerInvalid,
                                                  "the task is completed, and its reports do not "
                                                  "name this device"),
                                      std::nullopt});
}

}  // namespace linesign
