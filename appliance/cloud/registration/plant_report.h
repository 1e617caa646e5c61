// PlantReport: what became of devices in AWS, told by files that came back from somewhere else.
//
// Read first, as a whole, and strictly: one line that is not understood, or two that contradict
// each other, and nothing is booked. Importing again changes nothing.
//
// Shape    which of the two a file is, its first byte says; an empty one says nothing:
//          {   the reports of a bulk registration task, as AWS gives them (report_line.h): results
//              and errors, one JSON object in each line. A device is named by its certificate, or
//              by lineNumber in the manifest that AWS was given
//          CSV (csv_reader.h): a header, then one device in each row. Columns: certificate_id and
//              status ("registered" or "failed") must be there, reason may be, and so may others.
//              Upper and lower case are the same
//          A line at which AWS failed, and may not the next time, books nothing
// Limits   kMaxReportLines devices in all; a line of kMaxReportLine bytes
// Memory   about 200 bytes for each device in the reports
// Errors   ReportMalformed with file and line; Io; ReportRefused: devices that are not of this
//          ledger or not of this target; of the ledger
// Threads  one
// Source   AWS IoT Developer Guide, "Bulk registration"
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PLANT_REPORT_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PLANT_REPORT_H_

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/cloud/manifest/certificate_range.h"
#include "appliance/cloud/registration/csv_reader.h"
#include "appliance/records/cloud_records.h"

namespace linesign {

constexpr size_t kMaxReportLines = 2'000'000;

class PlantReport final {
 public:
  // NDJSON lines with a certificate each: what lineNumber counts. Before the reports of its task.
  Result<void> read_manifest(const std::filesystem::path& file);
  Result<void> read(const std::filesystem::path& file);

  struct Verdict {
    bool is_registered = false;
    uint32_t code = 0;  // of error_list.h
    std::string reason;
    bool may_pass = false;  // to be tried again
  };
  const std::map<Sha256, Verdict>& verdicts() const { return verdicts_; }

 private:
  struct Place;
  struct Columns;
  Result<void> read_lines(const std::filesystem::path& file);
  Result<void> read_table(const std::filesystem::path& file);
  Result<void> read_json_line(const std::string& line, const Place& place);
  Result<Columns> read_header(CsvReader::Row names, const Place& place) const;
  Result<void> read_row(CsvReader::Row cells, const Columns& columns, const Place& place);
  Result<void> add(const Sha256& id, Verdict verdict, const Place& place);

  std::map<Sha256, Verdict> verdicts_;
  std::vector<Sha256> manifest_;
};

// What booking needs of linesignd.
struct PlantBook {
  CertificateSource certificates;
  std::function<Result<std::vector<CloudItem>>(uint64_t after, uint32_t limit)> claim;
  std::function<Result<CloudBooked>(std::vector<CloudBooking>)> book;
};

struct ImportedReport {
  uint64_t registered = 0;  // in the report
  uint64_t failed = 0;
  std::vector<uint64_t> to_retry;  // by number in the ledger: they stay as they are
  uint64_t booked = 0;             // changed in the ledger
  uint64_t unchanged = 0;          // known already
};

// `orders`: those that feed the target.
Result<ImportedReport> book_report(const PlantReport& report,
                                   const std::vector<std::string>& orders,
                                   const PlantBook& ledger);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PLANT_REPORT_H_
