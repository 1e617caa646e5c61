#include "appliance/cloud/registration/report_download.h"

#include "appliance/cloud/registration/report_file.h"

namespace linesign {
namespace {

constexpr int kMostTries = 3;
constexpr uint64_t kMaxReportBytes = 4ULL * 1024 * 1024 * 1024;

Result<void> fetch_report(const aws::Session& session,
                          const std::string& url,
                          const std::filesystem::path& file,
                          const std::function<void(const std::string&)>& take) {
  LS_CHECK(session.s3().download(url, file, kMaxReportBytes));
  // A line that was cut for its length is no JSON any more, and names nobody.
  LS_CHECK(for_each_report_line(file, [&](const std::string& line, uint64_t) -> Result<void> {
    take(line);
    return {};
  }));
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  return {};
}

Result<void> fetch_type(const aws::Session& session,
                        const BulkFiles& files,
                        const BulkTask& task,
                        aws::ReportType type,
                        BulkReports& reports) {
  LS_TRY(aws::IotClient iot, session.iot());
  const auto take = [&](const std::string& line) {
    type == aws::ReportType::Results ? reports.take_result(line) : reports.take_error(line);
  };
  std::string next;
  do {
    LS_TRY(const aws::Page<std::string> page, iot.list_task_reports(task.aws_task_id, type, next));
    for (const std::string& url : page.items)
      LS_CHECK(fetch_report(session, url, files.report(task.id, type), take));
    next = page.next;
  } while (!next.empty());
  return {};
}

// Links may have expired when their turn comes: new ones are asked for, and all is read again.
Result<void> fetch_with_new_links(const aws::Session& session,
                                  const BulkFiles& files,
                                  const BulkTask& task,
                                  aws::ReportType type,
                                  BulkReports& reports) {
  for (int tries = 1;; ++tries) {
    auto fetched = fetch_type(session, files, task, type, reports);
    const bool may_help =
        !fetched.has_value() && fetched.error().code() == ErrorCode::AwsUnavailable;
    if (!may_help || tries == kMostTries) return fetched;
  }
}

}  // namespace

Result<void> fetch_reports(const aws::Session& session,
                           const BulkFiles& files,
                           const BulkTask& task,
                           BulkReports& reports) {
  LS_CHECK(fetch_with_new_links(session, files, task, aws::ReportType::Results, reports));
  return fetch_with_new_links(session, files, task, aws::ReportType::Errors, reports);
}

}  // namespace linesign
