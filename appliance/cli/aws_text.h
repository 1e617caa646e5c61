// AwsText: what the ledger and the uploader know of each AWS target, for a person or as JSON.
//
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_CLI_AWS_TEXT_H_
#define LINESIGN_APPLIANCE_CLI_AWS_TEXT_H_

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "appliance/records/cloud_records.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace linesign {

// One target in progress.json of the uploader: see progress_file.h.
struct TargetActivity {
  std::string target;
  std::string state;  // "working", "idle", "held", "ended"
  UnixTime since{};
  std::string error;  // name of the error that holds it up, or empty
  std::string detail;
  double per_second = 0;
  uint64_t throttled = 0;
};

struct UploaderActivity {
  UnixTime written_at{};
  std::vector<TargetActivity> targets;

  // The uploader writes once a second; an older file is that of one that has ended.
  bool is_running(UnixTime now) const;
  const TargetActivity* find(std::string_view target) const;
};

// Absent: there is none, or it cannot be read: the uploader works as another user, or never did.
std::optional<UploaderActivity> read_activity(const std::filesystem::path& state_dir);

struct AwsStatus {
  // Their devices in a task are in a file for one that AWS has not begun.
  std::set<std::string, std::less<>> without_task;
  std::vector<CloudTargetStatus> targets;  // as linesignd knows them
  std::vector<std::string> not_known_yet;  // the configuration has them; linesignd needs a restart
};

// A paragraph for each target. Ends with a newline.
std::string aws_status_text(const AwsStatus& status,
                            const std::optional<UploaderActivity>& activity,
                            UnixTime now);

// {"uploader": "running" | "not running" | "unknown", "targets": [{"target", "account", "region",
//  "configured", "orders": [{"order", "active"}], "registered", "handed_over", "waiting",
//  "in_task", "parked", "parked_by_code": [{"code", "name", "count"}], "oldest_waiting_at" or null,
//  "state", "since" or null, "error", "detail", "per_second", "throttled", "seconds_left" or
//  null}], "not_known_yet": ["NAME"]}
std::string aws_status_json(const AwsStatus& status,
                            const std::optional<UploaderActivity>& activity,
                            UnixTime now);

// What a monitor is told: 65 somebody must look at devices; 75 nothing gets through: a target is
// blocked, linesignd does not know it yet, or devices wait and no uploader works; else 0.
int aws_check_exit_code(const AwsStatus& status,
                        const std::optional<UploaderActivity>& activity,
                        UnixTime now);

// The devices of one target.
struct ParkedDevices {
  std::string target;
  std::vector<CloudRegistration> devices;
};

// One line for each device.
std::string parked_text(const std::vector<ParkedDevices>& parked);
// {"parked": [{"target", "number", "device_id", "order", "code", "name", "reason", "attempts",
// "since"}]}
std::string parked_json(const std::vector<ParkedDevices>& parked);

// What a person does about an error of AWS that holds a target up.
std::string_view aws_advice_for(ErrorCode code);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLI_AWS_TEXT_H_
