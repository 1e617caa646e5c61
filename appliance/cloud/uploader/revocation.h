// Revocation: the certificates of one device are switched off in every account that has them.
//
// What is about to be done is listed first. A certificate that is REVOKED stays so. The ledger does
// not change: reconciling then names the difference.
//
// Errors   DeviceUnknown: no such certificate; of the outbox
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_REVOCATION_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_REVOCATION_H_

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "appliance/cloud/aws/iot_client.h"
#include "appliance/cloud/registration/outbox.h"

namespace linesign {

// A device by its id, or one certificate by its serial.
struct RevocationWish {
  std::string device_id;
  std::optional<SerialNumber> serial;                                // counts more
  aws::CertificateStatus status = aws::CertificateStatus::Inactive;  // or Revoked
};

struct RevocationStep {
  std::string target;
  uint64_t number = 0;  // in the ledger
  std::string device_id;
  std::string order;
  std::string serial;          // hex
  std::string certificate_id;  // hex
  // False: it waits to be registered there, and is not in the account yet.
  bool is_there = true;
};

// Of these targets, in their order.
Result<std::vector<RevocationStep>> plan_revocation(Outbox& outbox,
                                                    const RevocationWish& wish,
                                                    const std::vector<std::string>& targets);

// One line, with what will become of it.
std::string to_line(const RevocationStep& step, aws::CertificateStatus status);

// One step. What was done, in words.
Result<std::string> revoke(aws::IotClient& iot,
                           const RevocationStep& step,
                           aws::CertificateStatus status);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_REVOCATION_H_
