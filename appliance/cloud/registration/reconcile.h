// Reconcile: is what the ledger has the same as what the account has, in both directions?
//
// By listing the CA's certificates in the account (250 at a time) where they are registered with
// the CA; else by asking for each one. Rate limits apply.
//
// Memory   72 bytes for each certificate of the account, a number for each that is registered
// Threads  one
// Source   AWS IoT API Reference: ListCertificatesByCA, DescribeCertificate
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_RECONCILE_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_RECONCILE_H_

#include <functional>
#include <string>
#include <vector>

#include "appliance/cloud/aws/iot_client.h"
#include "appliance/cloud/registration/outbox.h"

namespace linesign {

struct ReconcilePlan {
  std::string target;
  std::vector<std::string> orders;
  bool by_listing = true;
  std::string ca_id;
  // Certificates are registered INACTIVE here, or wait for somebody to activate them.
  bool may_be_inactive = false;
  // Certificates listed and compared so far; after each page, or each one that is asked for.
  std::function<void(uint64_t done)> on_progress = [](uint64_t) {};
};

enum class Difference : uint8_t {
  NotInAccount,  // the ledger says registered
  NotInLedger,   // the account has it from our CA, and this ledger never issued it
  NotBooked,     // the account has it; the ledger says neither registered nor handed over
  NotActive,     // both have it, and AWS lets the device do nothing: revoked, inactive, on transfer
};

struct ReconcileCounts {
  uint64_t same = 0;
  uint64_t still_to_come = 0;  // waits, is parked, or was handed over; and is not there yet
  uint64_t not_in_account = 0;
  uint64_t not_in_ledger = 0;
  uint64_t not_booked = 0;
  uint64_t not_active = 0;

  uint64_t differences() const { return not_in_account + not_in_ledger + not_booked + not_active; }
};

// One line for each difference, ready to print.
using TakeDifference = std::function<void(Difference, const std::string& line)>;

Result<ReconcileCounts> reconcile(Outbox& outbox,
                                  aws::IotClient& client,
                                  const ReconcilePlan& plan,
                                  const TakeDifference& take);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_RECONCILE_H_
