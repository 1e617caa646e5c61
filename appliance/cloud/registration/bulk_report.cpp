#include "appliance/cloud/registration/bulk_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "hsm/x509/csr.h"

namespace linesign {
namespace {

constexpr size_t kAreAllLines = 10;

Sha256 pem_hash(std::string_view pem) {
  std::string text(pem);
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  return sha256(as_bytes(text));
}

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

DeviceOutcome outcome_of_result(const ReportResult& result, const BulkLines::Line& line) {
  if (result.certificate_pem && pem_hash(*result.certificate_pem) != line.pem_hash)
    return {
        parked_line(
            line, ErrorCode::AwsAnswerInvalid, "the report shows another certificate on this line"),
        std::nullopt};
  CloudBooking booking = booking_for(line, RegistrationState::Registered);
  booking.certificate_id = line.certificate_id;
  booking.steps = kStepCertificate | kStepThing | kStepPrincipal;
  return {std::move(booking), std::nullopt};
}

DeviceOutcome outcome_of_error(const ReportFailure& failure, const BulkLines::Line& line) {
  const ErrorCode code = failure.meaning.error;
  if (!failure.may_pass()) return {parked_line(line, code, failure.words), std::nullopt};
  return {booking_for(line, RegistrationState::Waiting), Error(code, failure.words)};
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

const BulkLines::Line* BulkReports::line_of(const ReportLine& report) {
  const ReportResult named = report.result.value_or(ReportResult{});
  if (named.certificate_pem) {
    if (const auto* line = lines_.by_pem(*named.certificate_pem)) {
      if (report.number) note_number(*line, *report.number);
      return line;
    }
  }
  if (report.number) return by_number(report.number);
  return named.thing_name.empty() ? nullptr : lines_.by_thing(named.thing_name);
}

void BulkReports::take_result(const std::string& json) {
  const auto report = read_report_line(json);
  if (!report || !report->result) return;
  const BulkLines::Line* line = line_of(*report);
  if (line == nullptr) return;
  DeviceOutcome outcome = outcome_of_result(*report->result, *line);
  has_registered_ = has_registered_ || outcome.booking.state == RegistrationState::Registered;
  outcomes_.insert_or_assign(line->issuance_id, std::move(outcome));
}

// A device that has a result has succeeded, whatever a number in the other report says.
void BulkReports::take_error(const std::string& json) {
  const auto report = read_report_line(json);
  if (!report) return;
  const BulkLines::Line* line = line_of(*report);
  if (line == nullptr) return;
  outcomes_.emplace(line->issuance_id,
                    outcome_of_error(report->failure.value_or(read_report_failure("", "")), *line));
}

std::optional<Error> BulkReports::what_all_failed_with() const {
  if (has_registered_ || outcomes_.size() < kAreAllLines || outcomes_.size() < lines_.all().size())
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
