#include "appliance/cloud/registration/plant_report.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "appliance/cloud/aws/error_codes.h"
#include "appliance/cloud/aws/json.h"
#include "appliance/cloud/aws/service_error.h"
#include "appliance/cloud/registration/report_file.h"
#include "appliance/cloud/registration/verdict.h"
#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

constexpr std::array<std::string_view, 4> kOtherColumns = {
    "device_id", "order", "serial", "committed_at"};
constexpr std::string_view kPemBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kPemEnd = "-----END CERTIFICATE-----";
constexpr size_t kNone = static_cast<size_t>(-1);

tl::unexpected<Error> malformed(const std::filesystem::path& file,
                                uint64_t line,
                                std::string_view what) {
  return fail(ErrorCode::ReportMalformed, fmt::format("{}:{}: {}", file.string(), line, what));
}

// As in for_each_report_line, and each of a length that is allowed.
Result<void> for_each_line(const std::filesystem::path& file,
                           const std::function<Result<void>(const std::string&, uint64_t)>& take) {
  return for_each_report_line(file, [&](const std::string& line, uint64_t number) -> Result<void> {
    if (line.size() > kMaxReportLine) return malformed(file, number, "the line is too long");
    return take(line, number);
  });
}

// The id of a certificate: PEM's text is base64 of its DER form.
std::optional<Sha256> id_of_pem(std::string_view pem) {
  const size_t begin = pem.find(kPemBegin);
  const size_t end = pem.find(kPemEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin)
    return std::nullopt;
  std::string text(pem.substr(begin + kPemBegin.size(), end - begin - kPemBegin.size()));
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '='; });
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  const auto der = from_base64url(text);
  if (!der || der->empty()) return std::nullopt;
  return sha256(*der);
}

std::optional<Sha256> id_of_hex(std::string_view hex) {
  const auto bytes = from_hex(hex);
  Sha256 id{};
  if (!bytes || bytes->size() != id.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

// RFC 4180. Absent: a quote where none can be.
std::optional<std::vector<std::string>> split_csv(std::string_view line) {
  std::vector<std::string> cells(1);
  bool is_quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char each = line[i];
    if (is_quoted && each == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[++i];
    } else if (is_quoted) {
      if (each == '"')
        is_quoted = false;
      else
        cells.back() += each;
    } else if (each == '"') {
      const bool is_begin = cells.back().empty() && (i == 0 || line[i - 1] == ',');
      if (!is_begin) return std::nullopt;
      is_quoted = true;
    } else if (each == ',') {
      cells.emplace_back();
    } else {
      cells.back() += each;
    }
  }
  if (is_quoted) return std::nullopt;
  return cells;
}

PlantReport::Verdict failed_with(const aws::JsonObject& error) {
  const std::string code = error.text("code").value_or("");
  PlantReport::Verdict verdict;
  const ErrorCode meaning = aws::meaning_of(code, 0).error;
  verdict.code = static_cast<uint32_t>(meaning);
  verdict.reason = aws::one_line(
      fmt::format("{}: {}", code, error.text("message").value_or("no message")), kMaxReasonBytes);
  return verdict;
}

CloudBooking booking_for(uint64_t issuance_id,
                         const Sha256& id,
                         const PlantReport::Verdict& verdict) {
  CloudBooking booking;
  booking.issuance_id = issuance_id;
  if (verdict.is_registered) {
    booking.state = RegistrationState::Registered;
    booking.certificate_id = id;
    booking.steps = kStepCertificate | kStepThing | kStepPrincipal;
    return booking;
  }
  booking.state = RegistrationState::Parked;
  booking.code = verdict.code;
  booking.reason = verdict.reason;
  booking.attempts = 1;
  return booking;
}

// Also those behind an open intent: what came back is there, whatever else is on its way.
Result<void> for_each_certificate(const PlantBook& ledger,
                                  const std::string& order,
                                  const std::function<void(const LedgerCertificate&)>& take) {
  uint64_t after = 0;
  for (bool is_end = false; !is_end;) {
    LS_TRY(const CertificatePage page, ledger.certificates(order, after, kMaxCertificatePage));
    std::for_each(page.certificates.begin(), page.certificates.end(), take);
    after = page.next_after;
    is_end = page.is_end;
  }
  return {};
}

Result<void> check_all_found(const PlantReport& report, const std::map<Sha256, uint64_t>& found) {
  if (found.size() == report.verdicts().size()) return {};
  const auto unknown = std::find_if(report.verdicts().begin(),
                                    report.verdicts().end(),
                                    [&](const auto& each) { return !found.contains(each.first); });
  return fail(ErrorCode::ReportRefused,
              fmt::format("{} of {} certificates are not in this ledger for this target, such as "
                          "{}; nothing was booked",
                          report.verdicts().size() - found.size(),
                          report.verdicts().size(),
                          to_hex(unknown->first)));
}

// The outbox gives a device its row when it is its turn; a plant without an uploader has had none.
Result<void> take_in(const PlantBook& ledger) {
  uint64_t after = 0;
  for (;;) {
    LS_TRY(const std::vector<CloudItem> items, ledger.claim(after, kMaxCloudItems));
    if (items.empty()) return {};
    after = items.back().issuance_id;
  }
}

Result<void> book_part(const PlantBook& ledger,
                       std::vector<CloudBooking> part,
                       ImportedReport& imported) {
  if (part.empty()) return {};
  LS_TRY(const CloudBooked booked, ledger.book(std::move(part)));
  imported.booked += booked.booked;
  imported.unchanged += booked.unchanged;
  if (booked.refused.empty()) return {};
  return fail(ErrorCode::ReportRefused,
              fmt::format("number {}: {}; {} were booked before it",
                          booked.refused.front().issuance_id,
                          booked.refused.front().reason,
                          imported.booked));
}

}  // namespace

struct PlantReport::Place {
  const std::filesystem::path& file;
  uint64_t line = 0;

  tl::unexpected<Error> malformed(std::string_view what) const {
    return linesign::malformed(file, line, what);
  }
};

struct PlantReport::Columns {
  size_t count = 0;
  size_t id = kNone;
  size_t status = kNone;
  size_t reason = kNone;
};

Result<void> PlantReport::add(const Sha256& id, Verdict verdict, const Place& place) {
  if (verdicts_.size() >= kMaxReportLines) return place.malformed("too many devices");
  const bool is_registered = verdict.is_registered;
  const auto [known, is_new] = verdicts_.emplace(id, std::move(verdict));
  if (is_new || known->second.is_registered == is_registered) return {};
  return place.malformed(
      fmt::format("{} is said to be registered and to have failed: import reports of several tasks "
                  "one after the other",
                  to_hex(id)));
}

Result<void> PlantReport::read_manifest(const std::filesystem::path& file) {
  manifest_.clear();
  return for_each_line(file, [&](const std::string& line, uint64_t number) -> Result<void> {
    const auto object = aws::JsonObject::parse("{\"line\":" + line + "}");
    const auto wrong = [&] { return malformed(file, number, "no line with a certificate"); };
    if (!object.has_value()) return wrong();
    for (const auto& [name, value] : object->text_map("line")) {
      const auto id = id_of_pem(value);
      if (!id) continue;
      manifest_.push_back(*id);
      return {};
    }
    return wrong();
  });
}

Result<void> PlantReport::read(const std::filesystem::path& file) {
  bool is_json = false;
  Columns columns;
  uint64_t lines = 0;
  LS_CHECK(for_each_line(file, [&](const std::string& line, uint64_t number) -> Result<void> {
    const Place place{file, number};
    ++lines;
    if (number == 1) is_json = line.starts_with('{');
    if (is_json) return read_json_line(line, place);
    if (number > 1) return read_row(line, columns, place);
    LS_TRY(columns, read_header(line, place));
    return {};
  }));
  return lines > 0 ? Result<void>() : malformed(file, 1, "the file is empty");
}

Result<void> PlantReport::read_json_line(const std::string& line, const Place& place) {
  const auto object = aws::JsonObject::parse(line);
  if (!object.has_value()) return place.malformed("no JSON object");
  const auto response = object->object("response");
  const auto error = object->object("error");
  if (response.has_value() == error.has_value())
    return place.malformed("neither a result nor an error of a bulk registration");
  Verdict verdict = error ? failed_with(*error) : Verdict{true, 0, ""};
  std::optional<Sha256> id;
  if (response) {
    id = id_of_pem(response->text("CertificatePem").value_or(""));
    if (!id) return place.malformed("a result without its certificate");
  }
  const auto number = manifest_line_of(*object);
  if (!id && !number) return place.malformed("it names neither a certificate nor a line");
  if (!id && manifest_.empty())
    return place.malformed("it names a line: which manifest was AWS given?");
  if (number && !manifest_.empty()) {
    if (*number < 1 || static_cast<uint64_t>(*number) > manifest_.size())
      return place.malformed(fmt::format("the manifest has no line {}", *number));
    const Sha256& there = manifest_[static_cast<size_t>(*number) - 1];
    if (id && *id != there)
      return place.malformed(
          fmt::format("line {} of the manifest has another certificate: is it the manifest that "
                      "AWS was given?",
                      *number));
    id = there;
  }
  return add(*id, std::move(verdict), place);
}

Result<PlantReport::Columns> PlantReport::read_header(const std::string& line,
                                                      const Place& place) const {
  const auto names = split_csv(line);
  if (!names) return place.malformed("no header of a table");
  Columns columns;
  columns.count = names->size();
  for (size_t i = 0; i < names->size(); ++i) {
    const std::string& name = names->at(i);
    size_t* wanted = nullptr;
    if (name == "certificate_id") wanted = &columns.id;
    if (name == "status") wanted = &columns.status;
    if (name == "reason") wanted = &columns.reason;
    if (wanted != nullptr && *wanted != kNone) return place.malformed(name + " stands there twice");
    if (wanted != nullptr) *wanted = i;
    const bool is_other =
        std::find(kOtherColumns.begin(), kOtherColumns.end(), name) != kOtherColumns.end();
    if (wanted == nullptr && !is_other)
      return place.malformed(fmt::format("no column '{}' is expected", name));
  }
  if (columns.id == kNone || columns.status == kNone)
    return place.malformed("expected a header with certificate_id and status");
  return columns;
}

Result<void> PlantReport::read_row(const std::string& line,
                                   const Columns& columns,
                                   const Place& place) {
  const auto cells = split_csv(line);
  if (!cells || cells->size() != columns.count)
    return place.malformed(fmt::format("expected {} cells", columns.count));
  const auto id = id_of_hex(cells->at(columns.id));
  if (!id) return place.malformed("certificate_id: expected 64 hex digits");
  const std::string& status = cells->at(columns.status);
  const bool is_registered = status == "registered";
  if (!is_registered && status != "failed")
    return place.malformed("status: expected registered or failed");
  Verdict verdict{is_registered, 0, ""};
  if (!is_registered) {
    verdict.code = static_cast<uint32_t>(ErrorCode::AwsRefused);
    const bool has_reason = columns.reason != kNone && !cells->at(columns.reason).empty();
    verdict.reason = has_reason ? aws::one_line(cells->at(columns.reason), kMaxReasonBytes)
                                : "the report says that it failed";
  }
  return add(*id, std::move(verdict), place);
}

Result<ImportedReport> book_report(const PlantReport& report,
                                   const std::vector<std::string>& orders,
                                   const PlantBook& ledger) {
  std::map<Sha256, uint64_t> found;
  std::map<uint64_t, Sha256> by_number;
  const auto look = [&](const LedgerCertificate& certificate) {
    const Sha256 id = sha256(certificate.certificate_der);
    if (!report.verdicts().contains(id)) return;
    found[id] = certificate.issuance_id;
    by_number[certificate.issuance_id] = id;
  };
  for (const std::string& order : orders) LS_CHECK(for_each_certificate(ledger, order, look));
  LS_CHECK(check_all_found(report, found));
  LS_CHECK(take_in(ledger));
  ImportedReport imported;
  std::vector<CloudBooking> part;
  for (const auto& [number, id] : by_number) {
    const PlantReport::Verdict& verdict = report.verdicts().at(id);
    ++(verdict.is_registered ? imported.registered : imported.failed);
    part.push_back(booking_for(number, id, verdict));
    if (part.size() < kMaxCloudItems) continue;
    LS_CHECK(book_part(ledger, std::exchange(part, {}), imported));
  }
  LS_CHECK(book_part(ledger, std::move(part), imported));
  return imported;
}

}  // namespace linesign
