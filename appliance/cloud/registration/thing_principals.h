// ThingPrincipals: whose is a thing that is about to be a device's?
//
// CreateThing succeeds for a thing of the same name, type and attributes that somebody else made,
// so its answer says nothing; the certificates attached to the thing do. They are ours if one of
// our CAs issued them for the same device, by the common name. Everything else is somebody else's.
//
// Limits   kMostPrincipals are looked at; a thing that has more is somebody else's
// Errors   of IotClient
// Threads  one
// Source   AWS IoT API Reference: CreateThing, ListThingPrincipals
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_THING_PRINCIPALS_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_THING_PRINCIPALS_H_

#include <string>
#include <vector>

#include "appliance/cloud/aws/iot_client.h"

namespace linesign {

constexpr size_t kMostPrincipals = 10;

// A device's certificate, and the CAs that are ours.
struct ThingClaim {
  std::string thing;
  std::string certificate_arn;
  Bytes certificate_der;
  std::vector<Bytes> issuers;  // DER
};

struct ThingPrincipals {
  // Of the same device, and issued before the one that is claimed.
  std::vector<aws::CertificateSummary> former;
  bool has_ours = false;  // these, the claimed one itself, or a later one
  std::string foreign;    // an ARN; empty: none
};

Result<ThingPrincipals> find_principals(aws::IotClient& iot, const ThingClaim& claim);

// AwsThingForeign: somebody else's certificate is attached.
Result<void> check_not_foreign(const ThingPrincipals& principals, const ThingClaim& claim);

// AwsThingForeign: no certificate shows that the thing, which is there already with another type or
// other attributes, is ours.
Result<void> check_ours(const ThingPrincipals& principals, const ThingClaim& claim);

// INACTIVE, if it is neither that nor REVOKED.
Result<void> switch_off(aws::IotClient& iot, const aws::CertificateSummary& certificate);

// Of a device that was made again: the former certificate becomes INACTIVE and leaves the thing.
Result<void> retire(aws::IotClient& iot,
                    const std::string& thing,
                    const aws::CertificateSummary& former);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_THING_PRINCIPALS_H_
