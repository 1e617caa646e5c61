// BulkReport: what the reports of a bulk task say of each line of its manifest.
//
// Lines are told apart by their number where the report has it, else by the certificate, else by
// the name of the thing. Names of members are not all documented: what is not understood is no
// error, and its device counts as not mentioned.
//
// Limits   report_file.h
// Threads  plain values
// Source   AWS IoT Developer Guide, "Bulk registration"; reports as seen
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_REPORT_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_REPORT_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/records/cloud_records.h"

namespace linesign {

// The manifest's lines, in order, as far as reports name them.
class BulkLines final {
 public:
  void add(uint64_t issuance_id,
           const Sha256& certificate_id,
           std::string_view pem,
           const std::string& thing);

  struct Line {
    uint64_t issuance_id = 0;
    Sha256 certificate_id{};
    Sha256 pem_hash{};  // without white space
  };
  size_t size() const { return lines_.size(); }
  const std::vector<Line>& all() const { return lines_; }
  const Line* by_number(int64_t number) const;  // from 1
  const Line* by_pem(std::string_view pem) const;
  const Line* by_thing(const std::string& name) const;

 private:
  std::vector<Line> lines_;
  std::map<Sha256, size_t> by_pem_;
  std::map<std::string, size_t, std::less<>> by_thing_;
};

// Absent: this line names no device of ours. `is_result`: of the RESULTS report.
std::optional<CloudBooking> read_report_line(const std::string& json,
                                             bool is_result,
                                             const BulkLines& lines);

// Adds a parked one for each line that has no booking: of a task that came to all of its lines.
// Another task would say no more of it, again and again.
void park_unmentioned(const BulkLines& lines, std::vector<CloudBooking>& bookings);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_REPORT_H_
