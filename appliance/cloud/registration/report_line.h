// ReportLine: one line of a bulk task's report, in each spelling that AWS has been seen to use.
//
// Result   "response" with CertificatePem and ResourceArns, or certificatePem and resourceArns as
//          RegisterThing answers; or these two without "response"
// Error    "errorMessage", a text such as "…ThrottlingException: Rate exceeded (Service: AWSIot;
//          Status Code: 429; Error Code: ThrottlingException; …)"; or "error" or "Error", a text or
//          an object with code and message; or code and message beside lineNumber
// Threads  plain functions
// Source   AWS IoT Developer Guide, "Bulk registration"; AWS SDK for Java, which words the texts
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_LINE_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_LINE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "appliance/cloud/aws/error_codes.h"

namespace linesign {

struct ReportFailure {
  aws::CodeMeaning meaning;
  std::string words;  // of AWS: one printable line of at most kMaxReasonBytes

  // AWS failed at this line, and may not the next time.
  bool may_pass() const {
    return meaning.remedy == aws::Remedy::SlowDown || meaning.remedy == aws::Remedy::TryAgain;
  }
};

struct ReportResult {
  std::optional<std::string> certificate_pem;
  std::string thing_name;  // empty: not named
};

struct ReportLine {
  std::optional<int64_t> number;  // in the manifest, as AWS counts
  std::optional<ReportResult> result;
  std::optional<ReportFailure> failure;
};

// Absent: no JSON object.
std::optional<ReportLine> read_report_line(const std::string& json);

// The most specific code in them counts, else the HTTP status in the text.
ReportFailure read_report_failure(std::string_view code, std::string_view message);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_LINE_H_
