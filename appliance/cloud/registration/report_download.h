// Fetches the reports of a bulk task and reads them.
//
// Errors   of IotClient and S3Client: a link that has expired meanwhile is one, and asking again
//          gives new ones; Io
// Threads  plain functions
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_DOWNLOAD_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_DOWNLOAD_H_

#include "appliance/cloud/aws/session.h"
#include "appliance/cloud/registration/bulk_files.h"
#include "appliance/cloud/registration/bulk_report.h"

namespace linesign {

// Results, then errors.
Result<void> fetch_reports(const aws::Session& session,
                           const BulkFiles& files,
                           const BulkTask& task,
                           BulkReports& reports);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_REPORT_DOWNLOAD_H_
