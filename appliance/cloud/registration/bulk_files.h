// BulkFiles: what bulk tasks of one target keep on disk while they are at work: TARGET-TASK.ndjson,
// TARGET-TASK-results and -errors.
//
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_FILES_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_FILES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "appliance/cloud/aws/iot_types.h"
#include "appliance/records/cloud_records.h"

namespace linesign {

class BulkFiles final {
 public:
  BulkFiles(std::filesystem::path folder, std::string target)
      : folder_(std::move(folder)), target_(std::move(target)) {}

  std::filesystem::path manifest(uint64_t task_id) const;
  std::filesystem::path report(uint64_t task_id, aws::ReportType type) const;

  // All of one task's. What is not there or cannot be removed stays for sweep().
  void remove(uint64_t task_id) const;
  // Removes what tasks that are not open have left, also half files.
  void sweep(const std::vector<BulkTask>& open) const;

 private:
  const std::filesystem::path folder_;
  const std::string target_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_FILES_H_
