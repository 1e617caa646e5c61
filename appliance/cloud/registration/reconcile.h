// Reconcile: is what the ledger has the same as what the account has, in both directions?
//
// By listing the certificates of each CA that the ledger knows (250 at a time) where they are
// registered with the CA; else by asking for each one. What a listing does not have is asked for
// before it is called missing, so one that was registered without its CA is found. A closer look
// takes two calls for each device. Whatever AWS throttles is asked again.
//
// Memory   72 bytes for each certificate of the account, a number for each that is registered
// Threads  one
// Source   AWS IoT API Reference: ListCertificatesByCA, DescribeCertificate, ListThingPrincipals,
//          ListAttachedPolicies
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_RECONCILE_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_RECONCILE_H_

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "appliance/cloud/aws/iot_client.h"
#include "appliance/cloud/registration/outbox.h"

namespace linesign {

// What each device has besides its certificate.
struct CloserLook {
  std::string account;
  std::string region;
  std::string thing_name;  // with fields
  std::string policy;      // empty: not looked for
};

struct ReconcilePlan {
  std::string target;
  std::vector<std::string> orders;
  bool by_listing = true;
  // Certificates are registered INACTIVE here, or wait for somebody to activate them.
  bool may_be_inactive = false;
  std::optional<CloserLook> closer_look = std::nullopt;
  // Registers a device again that the account lacks, or a part of it; empty: does not.
  std::function<Result<void>(const CloudItem&)> repair = nullptr;
  std::set<std::string> devices = {};  // those to look at closely or to repair; empty: all
  // Certificates listed and compared so far; after each page, or each one that is asked for.
  std::function<void(uint64_t done)> on_progress = [](uint64_t) {};
  // While AWS throttles or does not answer. False: no longer.
  std::function<bool(std::chrono::milliseconds)> wait = [](std::chrono::milliseconds) {
    return false;
  };
};

enum class Difference : uint8_t {
  NotInAccount,  // the ledger says registered
  NotInLedger,   // the account has it from our CA, and this ledger never issued it
  NotBooked,     // the account has it; the ledger says neither registered nor handed over
  NotActive,     // both have it, and AWS lets the device do nothing: revoked, inactive, on transfer
  NoThing,       // both have it, and its thing is not there, or does not have it
  NoPolicy,      // both have it, without the target's policy
  OtherCertificate,  // its thing has another one beside it
};

struct ReconcileCounts {
  uint64_t same = 0;
  uint64_t still_to_come = 0;  // waits, is parked, or was handed over; and is not there yet
  uint64_t not_in_account = 0;
  uint64_t not_in_ledger = 0;
  uint64_t not_booked = 0;
  uint64_t not_active = 0;
  uint64_t looked_closer = 0;
  uint64_t without_thing = 0;
  uint64_t without_policy = 0;
  uint64_t with_other_certificate = 0;
  uint64_t repaired = 0;  // and no difference any more

  uint64_t differences() const {
    return not_in_account + not_in_ledger + not_booked + not_active + without_thing +
           without_policy + with_other_certificate;
  }
};

// One line for each difference, ready to print.
using TakeDifference = std::function<void(Difference, const std::string& line)>;

Result<ReconcileCounts> reconcile(Outbox& outbox,
                                  aws::IotClient& client,
                                  const ReconcilePlan& plan,
                                  const TakeDifference& take);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_RECONCILE_H_
