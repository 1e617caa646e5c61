// What the ledger, the admin socket and linesign-uploader say to each other about certificates on
// their way to AWS. Whoever opens no ledger knows these words, and not the class.
//
// Threads  plain values
// Source   docs/ledger.md
#ifndef LINESIGN_APPLIANCE_RECORDS_CLOUD_RECORDS_H_
#define LINESIGN_APPLIANCE_RECORDS_CLOUD_RECORDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/ids.h"

namespace linesign {

constexpr size_t kMaxCloudTargets = 100;
constexpr uint32_t kMaxCloudItems = 500;        // in a claim or a booking, of a task
constexpr uint32_t kMaxCloudMoves = 1000;       // rows that one call moves into or out of a state
constexpr uint32_t kMaxCertificatePage = 1000;  // certificates or registrations to look at
constexpr size_t kMaxCloudTextBytes = 64;       // of a target's name, account, region
constexpr size_t kMaxCloudReasonBytes = 500;    // a longer reason is cut
constexpr size_t kMaxObjectKeyBytes = 1024;     // S3
constexpr size_t kMaxAwsTaskIdBytes = 128;
constexpr uint32_t kMaxTaskLines = 1'000'000;

enum class RegistrationState : uint8_t {  // on disk: keep
  Expected = 0,                           // the intent was open when it was its turn
  Waiting = 1,                            // to be registered
  Registered = 2,                         // final
  Parked = 3,      // a person must look; stays so until release() or until it is Registered
  HandedOver = 4,  // written down elsewhere: nothing more to do for the single device
  InTask = 5,      // in a bulk task
};

// Bits of `steps`: what the account has of this device.
constexpr uint32_t kStepCertificate = 1;
constexpr uint32_t kStepThing = 2;
constexpr uint32_t kStepPrincipal = 4;
constexpr uint32_t kStepPolicy = 8;
constexpr uint32_t kStepThingGroup = 16;
constexpr uint32_t kAllSteps = 31;

struct CloudTarget {
  std::string name;     // 1 to 64 of A-Z a-z 0-9 . _ -
  std::string account;  // 12 digits
  std::string region;
};

struct CloudFeed {
  std::string order_id;
  std::string target;
};

// What the configuration says.
struct CloudPlan {
  std::vector<CloudTarget> targets;
  std::vector<CloudFeed> feeds;
};

// One certificate on its way.
struct CloudItem {
  uint64_t issuance_id = 0;
  std::string device_id;
  std::string order_id;
  SerialNumber serial{};
  Bytes certificate_der;
  RegistrationState state = RegistrationState::Waiting;
  uint32_t steps = 0;
  uint32_t attempts = 0;
  UnixTime committed_at{};
  Bytes issuer_der{};  // certificate of the CA that signed it
};

struct CloudBooking {
  uint64_t issuance_id = 0;
  RegistrationState state = RegistrationState::Waiting;  // not Expected, not InTask
  uint32_t steps = 0;                                    // added to those that are known
  uint32_t attempts = 0;                                 // the larger one counts
  uint32_t code = 0;                                     // a number of error_list.h, 0: none
  std::string reason;
  std::optional<Sha256> certificate_id;  // for Registered: as AWS says it
};

struct CloudRefusal {
  uint64_t issuance_id = 0;
  std::string reason;
};

struct CloudBooked {
  uint64_t booked = 0;
  uint64_t unchanged = 0;  // known already, or news from before what is known
  std::vector<CloudRefusal> refused;
};

enum class BulkTaskState : uint8_t {  // on disk: keep
  Planned = 1,                        // rows may come and go
  Uploaded = 2,
  Started = 3,
  Finished = 4,
  Booked = 5,  // over
  Failed = 6,  // over
};

struct BulkTask {
  uint64_t id = 0;
  std::string target;
  std::string object_key;
  std::string aws_task_id;  // empty: none yet
  BulkTaskState state = BulkTaskState::Planned;
  uint64_t first_issuance = 0;  // 0: no lines
  uint64_t last_issuance = 0;
  uint32_t lines = 0;
  std::optional<Sha256> sha256;  // of the object
  UnixTime created_at{};
  UnixTime updated_at{};
  std::string reason;
};

struct BulkTaskChange {
  BulkTaskState state = BulkTaskState::Planned;
  std::optional<std::string> aws_task_id = std::nullopt;  // absent: stays
  std::optional<Sha256> sha256 = std::nullopt;            // absent: stays
  std::string reason = {};
};

struct CloudParked {
  uint32_t code = 0;
  uint64_t count = 0;
};

struct CloudFeedStatus {
  std::string order_id;
  bool is_active = false;
};

struct CloudTargetStatus {
  CloudTarget target;
  bool is_configured = false;
  std::vector<CloudFeedStatus> feeds;
  uint64_t waiting = 0;  // with those whose turn has not come
  uint64_t in_task = 0;
  uint64_t registered = 0;
  uint64_t handed_over = 0;
  uint64_t parked = 0;
  std::vector<CloudParked> parked_by_code;
  std::optional<UnixTime> oldest_waiting_at;  // when its certificate was made
};

// What a look at the whole appliance shows of the cloud.
struct CloudBacklog {
  uint64_t waiting = 0;
  uint64_t parked = 0;
  std::optional<UnixTime> oldest_waiting_at;
};

struct CloudRegistration {
  uint64_t issuance_id = 0;
  std::string device_id;
  std::string order_id;
  RegistrationState state = RegistrationState::Waiting;
  uint32_t steps = 0;
  uint32_t attempts = 0;
  uint64_t task_id = 0;  // 0: none
  uint32_t code = 0;
  std::string reason;
  std::optional<Sha256> certificate_id;
  UnixTime updated_at{};
  Bytes issuer_der{};  // certificate of the CA that signed it
};

// The page may hold fewer than were asked for, even none, before the end.
struct RegistrationPage {
  std::vector<CloudRegistration> registrations;
  uint64_t next_after = 0;  // where the next page begins
  bool is_end = false;
};

struct LedgerCertificate {
  uint64_t issuance_id = 0;
  std::string device_id;
  SerialNumber serial{};
  UnixTime committed_at{};
  Bytes certificate_der;
  Bytes issuer_der{};  // certificate of the CA that signed it
};

// A CA that certificates of the ledger were signed with, the present one or a former one.
struct LedgerCa {
  Bytes certificate_der;
  UnixTime first_used_at{};
};

// Certificates of one order. The page may hold fewer than were asked for, even none, before the
// end.
struct CertificatePage {
  std::vector<LedgerCertificate> certificates;
  uint64_t next_after = 0;  // where the next page begins
  bool is_end = false;      // nothing beyond it now
  // The oldest intent without an end, of any order: from here on certificates may still appear
  // between those that are there.
  std::optional<uint64_t> first_open_intent;
  uint64_t newest = 0;  // the largest number that has a certificate, of any order; 0: there is none
};

// What is kept of a reason: at most kMaxCloudReasonBytes, not cut in the middle of a character.
std::string_view cut_reason(std::string_view reason);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_RECORDS_CLOUD_RECORDS_H_
