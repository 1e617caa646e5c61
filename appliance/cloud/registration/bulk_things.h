// BulkThings: are the things of a manifest's lines this appliance's to make or to change?
//
// A bulk task changes a thing that is there and attaches to it whatever the template's
// OverrideSettings say, so it is looked for before its line goes into a task. A former certificate
// of the same device is switched off; it stays attached.
//
// Errors   of IotClient, of all lines; the single line's: DeviceIdNotAllowed, AwsThingForeign
// Threads  find_foreign() starts some of its own and waits for their end
// Source   AWS IoT Developer Guide, "Provisioning templates", OverrideSettings
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_THINGS_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_THINGS_H_

#include <map>
#include <string>
#include <vector>

#include "appliance/cloud/aws/session.h"
#include "appliance/cloud/manifest/device_fields.h"
#include "appliance/cloud/registration/thing_principals.h"
#include "appliance/cloud/targets/target_config.h"
#include "appliance/records/cloud_records.h"

namespace linesign {

struct BulkThingsPlan {
  std::string template_body;
  TextMap parameters;
  std::string certificate_arn;  // of the account and region, without the id
  std::vector<Bytes> issuers;   // as in ThingClaim
  ExistingThings existing_things = ExistingThings::Refuse;
  std::string thing_name_prefix;
};

// By number in the ledger.
using ForeignThings = std::map<uint64_t, Error>;

Result<ForeignThings> find_foreign(const aws::Session& session,
                                   const BulkThingsPlan& plan,
                                   const std::vector<CloudItem>& items);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_THINGS_H_
