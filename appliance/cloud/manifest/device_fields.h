// DeviceFields: what is known of one device, and texts of the configuration that name it.
//
// Shape    {device_id} {order} {serial} {certificate_id} {certificate_pem} {ca_certificate_pem};
//          serial and id in lower-case hex; the CA is the one that signed the certificate. A brace
//          that belongs to none of them is an error
// Errors   ConfigRange: a name that does not exist
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_MANIFEST_DEVICE_FIELDS_H_
#define LINESIGN_APPLIANCE_CLOUD_MANIFEST_DEVICE_FIELDS_H_

#include <map>
#include <string>
#include <string_view>

#include "appliance/records/cloud_records.h"
#include "protocol/base/result.h"

namespace linesign {

struct DeviceFields {
  std::string device_id;
  std::string order;
  std::string serial;
  std::string certificate_id;  // SHA-256 of the DER certificate
  std::string certificate_pem;
  std::string ca_certificate_pem = {};
};

DeviceFields fields_of(const CloudItem& item);

// What the ledger has of a certificate of this order, as if it waited.
CloudItem item_of(const LedgerCertificate& certificate, const std::string& order);

// The id of the CA that signed it, as AWS computes it: SHA-256 of the CA's DER certificate, hex.
std::string issuer_id(const CloudItem& item);

using TextMap = std::map<std::string, std::string>;  // sorted: the same bytes for the same values

Result<std::string> fill_in(std::string_view text, const DeviceFields& fields);
// The values; names stay as they are.
Result<TextMap> fill_in(const TextMap& texts, const DeviceFields& fields);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_MANIFEST_DEVICE_FIELDS_H_
