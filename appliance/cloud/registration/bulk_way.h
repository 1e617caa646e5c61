// BulkWay: many devices in one task of AWS IoT: manifest to S3, task, reports, booking.
//
//   (none)    devices wait until there are enough of them or one has waited long enough
//   Planned   rows gather, the manifest is written and uploaded under a key of its own
//   Uploaded  the task is started, if it does not run already and no other runs in the account
//   Started   AWS works through the lines
//   Finished  both reports are fetched and every line is booked; what no report names waits again
//
// Each state is in the ledger before the next begins, so a new process goes on where the old one
// was killed. A start whose answer was lost is looked for among the tasks by its key. A task that
// is given up leaves no object in the bucket, if the credentials may delete it, and no file.
//
// Threads  one
// Source   AWS IoT Developer Guide, "Bulk registration"
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_WAY_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_WAY_H_

#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "appliance/cloud/aws/session.h"
#include "appliance/cloud/manifest/device_fields.h"
#include "appliance/cloud/manifest/manifest_file.h"
#include "appliance/cloud/registration/bulk_files.h"
#include "appliance/cloud/registration/bulk_object.h"
#include "appliance/cloud/registration/bulk_report.h"
#include "appliance/cloud/registration/bulk_things.h"
#include "appliance/cloud/registration/outbox.h"
#include "appliance/cloud/registration/setbacks.h"
#include "appliance/cloud/registration/way.h"

namespace linesign {

struct BulkPlan {
  std::string account;
  std::string template_body;
  TextMap parameters;      // template parameter -> text with fields
  std::string thing_name;  // how report lines are told apart
  std::string bucket;
  std::string prefix;
  std::string role_arn;
  uint32_t chunk_lines = 50'000;
  // A task begins with so many devices, or when one has waited for so long. At most kMaxCloudItems.
  uint32_t min_lines = 1;
  std::chrono::seconds max_wait{0};
  std::filesystem::path work_dir;
  BulkThingsPlan things;
};

class BulkWay final : public Way {
 public:
  // Borrowed: outbox, session, clock.
  BulkWay(Outbox& outbox,
          const aws::Session& session,
          const Clock& clock,
          std::string target,
          BulkPlan plan)
      : outbox_(outbox),
        session_(session),
        clock_(clock),
        target_(std::move(target)),
        plan_(std::move(plan)),
        files_(plan_.work_dir, target_),
        setbacks_(clock) {}

  WayStep step() override;

 private:
  // What must be so before a task is started.
  struct LineFacts {
    UnixTime newest{};
    std::set<std::string> cas{};  // ids of those that signed the certificates
    void add(const std::vector<CloudItem>& items);
  };

  Result<WayStep> advance();
  // Absent: it is time for a task.
  Result<std::optional<WayStep>> gather() const;
  Result<BulkTask> create_task();
  Result<WayStep> plan(const BulkTask& task);
  Result<WayStep> start(const BulkTask& task);
  Result<WayStep> watch(const BulkTask& task);
  Result<WayStep> book(const BulkTask& task);

  Result<void> write_manifest(const BulkTask& task, WrittenManifest& written, WayStep& step);
  Result<uint64_t> write_lines(const std::vector<CloudItem>& items, ManifestFile& file);
  // Failed, or back among those that wait.
  CloudBooking book_foreign(const CloudItem& item, const Error& error);
  // The AWS id of the task with this manifest; empty: there is none.
  Result<std::string> find_started(const BulkTask& task, aws::IotClient& iot);
  Result<WayStep> without_task(const BulkTask& task, const Error& error);
  Result<void> book_in_pieces(const std::vector<CloudBooking>& bookings);
  Result<WayStep> book_lines(const BulkReports& reports);
  Result<void> give_up(const BulkTask& task, const std::string& reason);
  BulkObject object_of(const BulkTask& task) const;
  Result<void> return_items(uint64_t task_id);
  // A line that is not valid yet for AWS would fail, and one whose CA is not usable.
  Result<void> check_lines(const BulkTask& task, aws::IotClient& iot);
  Result<BulkLines> load_lines(uint64_t task_id);

  Outbox& outbox_;
  const aws::Session& session_;
  const Clock& clock_;
  const std::string target_;
  const BulkPlan plan_;
  const BulkFiles files_;
  Setbacks setbacks_;
  std::optional<Error> foreign_;    // of the manifest that was written last
  std::vector<std::string> notes_;  // for the step that is under way
  UnixTime last_end_{};             // of a task that got devices on
  bool is_swept_ = false;
  uint64_t unstarted_task_ = 0;  // uploaded by this process and never tried to start
  LineFacts facts_;              // of the last one that was written or looked at
  int looks_ = 0;                // in a row at a running task
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_WAY_H_
