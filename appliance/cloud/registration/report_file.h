// The file of a report, and its lines.
//
// Errors   Io; ReportMalformed: the text is UTF-16
// Threads  plain functions
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_FILE_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_FILE_H_

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "protocol/base/result.h"

namespace linesign {

constexpr size_t kMaxReportLine = 256'000;

// Behind its byte order mark.
Result<std::ifstream> open_report(const std::filesystem::path& file);

// Gives every line without its end and its number from 1; a last one without a newline counts, an
// empty one does not. One that is too long arrives cut, a byte longer than kMaxReportLine.
Result<void> for_each_report_line(
    const std::filesystem::path& file,
    const std::function<Result<void>(const std::string& line, uint64_t number)>& take);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_FILE_H_
