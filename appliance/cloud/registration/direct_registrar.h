// DirectRegistrar: one device into one account, call by call.
//
//   certificate -> thing -> certificate to thing -> policy to certificate, thing to group
//
// Each step that is done is remembered in `steps` and not called for again; each may be repeated.
// The certificate's id is computed here and compared with what AWS says. A thing that somebody else
// made is left alone (AwsThingForeign) unless the plan adopts it; one that this device had before
// gets the new attributes, and its former certificate is retired (thing_principals.h).
//
// Threads  one registrar per thread; the plan is shared as const and outlives it
// Source   AWS IoT API Reference; docs/aws.md
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_DIRECT_REGISTRAR_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_DIRECT_REGISTRAR_H_

#include <optional>
#include <string>

#include "appliance/cloud/aws/iot_client.h"
#include "appliance/cloud/manifest/device_fields.h"
#include "appliance/cloud/registration/thing_principals.h"
#include "appliance/cloud/registration/verdict.h"
#include "appliance/cloud/targets/target_config.h"

namespace linesign {

struct DirectPlan {
  std::string account;  // 12 digits
  std::string region;
  bool without_ca = false;
  aws::CertificateStatus status = aws::CertificateStatus::Active;
  bool send_ca = false;        // the CA with each certificate: where CAs share a subject
  std::vector<Bytes> issuers;  // DER; of the CAs whose certificates are this appliance's
  ExistingThings existing_things = ExistingThings::Refuse;
  std::string thing_name = "{device_id}";
  std::string thing_name_prefix;  // that every name must begin with
  std::string thing_type;
  TextMap attributes;
  std::string policy;       // empty: none
  std::string thing_group;  // empty: none
};

// All bits that this plan asks for.
uint32_t wanted_steps(const DirectPlan& plan);

class DirectRegistrar final {
 public:
  DirectRegistrar(aws::IotClient client, const DirectPlan& plan)
      : client_(std::move(client)), plan_(plan) {}

  // Never fails as a whole: the booking says what became of it.
  DeviceOutcome run(const CloudItem& item);

 private:
  struct Device {
    DeviceFields fields;
    std::string ca_id;  // of the CA that signed it
    ThingClaim claim;
    uint32_t steps = 0;
    UnixTime committed_at{};
  };

  Result<Device> prepare(const CloudItem& item) const;
  Result<void> run_steps(Device& device);
  Result<void> add_certificate(Device& device);
  Result<void> set_status(const Device& device);
  Result<void> add_thing(Device& device);
  // It is there in another form.
  Result<void> change_thing(const Device& device, const aws::Thing& thing);
  Result<void> add_principal(Device& device);
  Result<void> add_policy(Device& device);
  Result<void> add_to_group(Device& device);
  // The clock, or the CA's own state, when a certificate is refused; else the error as it is.
  Error explain_refusal(const Device& device, Error error);

  aws::IotClient client_;
  const DirectPlan& plan_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_DIRECT_REGISTRAR_H_
