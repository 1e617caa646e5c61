// BulkReports: what the reports of a bulk task say of each line of its manifest.
//
// In the results a certificate names its device; else the number of its line does, or the name of
// the thing. AWS does not document what it counts from: results that have both show it, and where
// they contradict each other numbers are not believed. What is not understood is no error: its
// device counts as not mentioned.
//
// Shape    report_line.h
// Limits   report_file.h
// Threads  plain values
// Source   AWS IoT Developer Guide, "Bulk registration"
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_REPORT_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_REPORT_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/cloud/registration/report_line.h"
#include "appliance/cloud/registration/verdict.h"

namespace linesign {

// The manifest's lines, in order, as far as reports name them.
class BulkLines final {
 public:
  struct Line {
    uint64_t issuance_id = 0;
    uint32_t attempts = 0;
    Sha256 certificate_id{};
    Sha256 pem_hash{};  // without white space
  };
  void add(const CloudItem& item,
           const Sha256& certificate_id,
           std::string_view pem,
           const std::string& thing);

  const std::vector<Line>& all() const { return lines_; }
  int64_t number_of(const Line& line) const { return &line - lines_.data() + 1; }
  // Null: none of ours.
  const Line* by_number(int64_t number) const;  // from 1
  const Line* by_pem(std::string_view pem) const;
  const Line* by_thing(const std::string& name) const;

 private:
  std::vector<Line> lines_;
  std::map<Sha256, size_t> by_pem_;
  std::map<std::string, size_t, std::less<>> by_thing_;
};

class BulkReports final {
 public:
  // Borrowed.
  explicit BulkReports(const BulkLines& lines) : lines_(lines) {}

  // A line of the RESULTS reports. All of them come before the first of the ERRORS reports.
  void take_result(const std::string& json);
  void take_error(const std::string& json);

  // No line was registered, and so many failed alike that it is not about the devices.
  std::optional<Error> what_all_failed_with() const;

  // Parks what no report names: of a task that came to all of its lines another one would say no
  // more, again and again.
  void park_unmentioned();

  bool has_registered() const { return has_registered_; }
  // By number in the ledger. With `hold`: AWS failed at this line, which may pass.
  const std::map<uint64_t, DeviceOutcome>& outcomes() const { return outcomes_; }

 private:
  const BulkLines::Line* line_of(const ReportLine& report);
  const BulkLines::Line* by_number(std::optional<int64_t> number) const;
  void note_number(const BulkLines::Line& line, int64_t number);

  const BulkLines& lines_;
  std::map<uint64_t, DeviceOutcome> outcomes_;
  std::optional<int64_t> shift_;  // of their numbers against ours
  bool are_numbers_good_ = true;
  bool has_registered_ = false;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_REPORT_H_
