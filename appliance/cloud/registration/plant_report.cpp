#include "appliance/cloud/registration/plant_report.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "appliance/cloud/aws/json.h"
#include "appliance/cloud/aws/service_error.h"
#include "appliance/cloud/registration/report_file.h"
#include "appliance/cloud/registration/report_line.h"
#include "appliance/cloud/registration/verdict.h"
#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

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

void lower(std::string& text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
}

PlantReport::Verdict failed_with(const ReportFailure& failure) {
  return {false, static_cast<uint32_t>(failure.meaning.error), failure.words, failure.may_pass()};
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
  size_t id = kNone;
  size_t status = kNone;
  size_t reason = kNone;
};

Result<void> PlantReport::add(const Sha256& id, Verdict verdict, const Place& place) {
  if (verdicts_.size() >= kMaxReportLines) return place.malformed("too many devices");
  const auto known = verdicts_.find(id);
  // It was tried again: what became of it then counts.
  if (known == verdicts_.end() || known->second.may_pass) {
    verdicts_.insert_or_assign(id, std::move(verdict));
    return {};
  }
  if (verdict.may_pass || known->second.is_registered == verdict.is_registered) return {};
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
  LS_TRY(std::ifstream in, open_report(file));
  in >> std::ws;
  const int first = in.peek();
  if (first == EOF) return {};
  in.close();
  return first == '{' ? read_lines(file) : read_table(file);
}

Result<void> PlantReport::read_lines(const std::filesystem::path& file) {
  return for_each_line(file, [&](const std::string& line, uint64_t number) -> Result<void> {
    const bool is_blank = line.find_first_not_of(" \t") == std::string::npos;
    return is_blank ? Result<void>() : read_json_line(line, {file, number});
  });
}

Result<void> PlantReport::read_table(const std::filesystem::path& file) {
  LS_TRY(std::ifstream in, open_report(file));
  CsvReader reader(in);
  const auto wrong = [&](const Error& error) {
    return malformed(file, reader.line(), error.detail());
  };
  auto header = reader.header();
  if (!header.has_value()) return wrong(header.error());
  LS_TRY(const Columns columns, read_header(std::move(*header), {file, reader.line()}));
  for (;;) {
    auto row = reader.next();
    if (!row.has_value()) return wrong(row.error());
    if (!row->has_value()) break;
    LS_CHECK(read_row(std::move(**row), columns, {file, reader.line()}));
  }
  return in.bad() ? fail(ErrorCode::Io, file.string() + ": cannot be read") : Result<void>();
}

Result<void> PlantReport::read_json_line(const std::string& line, const Place& place) {
  const auto report = read_report_line(line);
  if (!report) return place.malformed("no JSON object");
  if (report->result.has_value() == report->failure.has_value())
    return place.malformed("neither a result nor an error of a bulk registration");
  Verdict verdict = report->failure ? failed_with(*report->failure) : Verdict{true, 0, ""};
  std::optional<Sha256> id;
  if (report->result) {
    id = id_of_pem(report->result->certificate_pem.value_or(""));
    if (!id) return place.malformed("a result without its certificate");
  }
  const auto number = report->number;
  if (!id && !number) return place.malformed("it names neither a certificate nor a line");
  if (!id && manifest_.empty())
    return place.malformed("it names a line: give the manifest that AWS was given (--manifest)");
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

Result<PlantReport::Columns> PlantReport::read_header(CsvReader::Row names,
                                                      const Place& place) const {
  Columns columns;
  for (size_t i = 0; i < names.size(); ++i) {
    lower(names[i]);
    size_t* wanted = nullptr;
    if (names[i] == "certificate_id") wanted = &columns.id;
    if (names[i] == "status") wanted = &columns.status;
    if (names[i] == "reason") wanted = &columns.reason;
    if (wanted == nullptr) continue;
    if (*wanted != kNone) return place.malformed(names[i] + " stands there twice");
    *wanted = i;
  }
  if (columns.id == kNone || columns.status == kNone)
    return place.malformed(
        "expected a header with certificate_id and status, separated by ',', ';' or TAB");
  return columns;
}

Result<void> PlantReport::read_row(CsvReader::Row cells,
                                   const Columns& columns,
                                   const Place& place) {
  if (cells.size() <= std::max(columns.id, columns.status))
    return place.malformed("the row is too short");
  const auto id = id_of_hex(cells.at(columns.id));
  if (!id) return place.malformed("certificate_id: expected 64 hex digits");
  std::string& status = cells.at(columns.status);
  lower(status);
  const bool is_registered = status == "registered";
  if (!is_registered && status != "failed")
    return place.malformed("status: expected registered or failed");
  Verdict verdict{is_registered, 0, ""};
  if (!is_registered) {
    verdict.code = static_cast<uint32_t>(ErrorCode::AwsRefused);
    const bool has_reason = columns.reason < cells.size() && !cells.at(columns.reason).empty();
    verdict.reason = has_reason ? aws::one_line(cells.at(columns.reason), kMaxReasonBytes)
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
    if (verdict.may_pass) {
      imported.to_retry.push_back(number);
      continue;
    }
    ++(verdict.is_registered ? imported.registered : imported.failed);
    part.push_back(booking_for(number, id, verdict));
    if (part.size() < kMaxCloudItems) continue;
    LS_CHECK(book_part(ledger, std::exchange(part, {}), imported));
  }
  LS_CHECK(book_part(ledger, std::move(part), imported));
  return imported;
}

}  // namespace linesign
