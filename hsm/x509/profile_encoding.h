// Profile encoding: the fields of a profile as the DER that stands in certificates.
//
// Each function also checks its field, so that read_profile and CertificateBuilder::create refuse
// the same things.
//
// Errors   ConfigRange: the value is not allowed, with what is; ConfigConflict
// Threads  no state, safe anywhere
// Source   RFC 5280 sections 4.1.2.4 and 4.2.1
#ifndef LINESIGN_HSM_X509_PROFILE_ENCODING_H_
#define LINESIGN_HSM_X509_PROFILE_ENCODING_H_

#include <string>
#include <utility>
#include <vector>

#include "hsm/x509/profile.h"
#include "protocol/base/bytes.h"

namespace linesign {

// The relative names in front of CN, one after the other. Empty for no fields.
Result<Bytes> encode_subject_fields(const std::vector<std::pair<std::string, std::string>>& fields);

// Extensions, header included; empty where the list is empty and the extension is left out.
Bytes encode_basic_constraints();  // CA:FALSE, critical
Result<Bytes> encode_key_usage(const std::vector<std::string>& names, bool critical);
Result<Bytes> encode_extended_key_usage(const std::vector<std::string>& usages);
Result<Bytes> encode_policies(const std::vector<std::string>& policies);
Bytes encode_authority_key_id(ByteView key_id);

// The subject key identifier up to its 20 octets.
Bytes encode_subject_key_id_head();

// One GeneralName whose text may hold the device id any number of times.
struct AltNameTemplate {
  enum class Kind : uint8_t { Dns = 2, Uri = 6, Email = 1 };  // the context tags of GeneralName
  Kind kind = Kind::Dns;
  std::vector<std::string> pieces;  // the device id stands between each two of them

  std::string text(std::string_view device_id) const;
};

Result<std::vector<AltNameTemplate>> parse_alt_names(const std::vector<std::string>& names);

// Is this text legal for its kind? DeviceIdInvalid if not, because that is what varies.
Result<void> check_alt_name(AltNameTemplate::Kind kind, std::string_view text);

// The whole extension for one device. REQUIRES: check_alt_name passed for each name.
Bytes encode_alt_names(const std::vector<AltNameTemplate>& names, std::string_view device_id);

constexpr std::chrono::seconds kMaxBackdate = std::chrono::days(30);
constexpr std::chrono::seconds kMinValidity = std::chrono::minutes(1);
constexpr std::chrono::seconds kMaxValidity = std::chrono::days(365 * 200);

Result<void> check_allowed_keys(const std::vector<KeyType>& keys);
Result<void> check_validity(const Profile& profile);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_PROFILE_ENCODING_H_
