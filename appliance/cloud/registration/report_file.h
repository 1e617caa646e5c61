// The lines of a report's file, and how one says which line of the manifest it is about.
//
// Errors   Io
// Threads  plain functions
// Source   AWS IoT Developer Guide, "Bulk registration"
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_FILE_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_FILE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "appliance/cloud/aws/json.h"
#include "protocol/base/result.h"

namespace linesign {

constexpr size_t kMaxReportLine = 256'000;

// Gives every line without its end and its number from 1; a last one without a newline counts, an
// empty one does not. A byte order mark is left out. One that is too long arrives cut, a byte
// longer than kMaxReportLine.
Result<void> for_each_report_line(
    const std::filesystem::path& file,
    const std::function<Result<void>(const std::string& line, uint64_t number)>& take);

// Counted from 1; as a number or, since AWS does not document it, as a text of digits.
std::optional<int64_t> manifest_line_of(const aws::JsonObject& report);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_FILE_H_
