// Profile: what a device certificate looks like. Plain data; read from [profile] of linesign.toml.
//
// Source   RFC 5280 section 4.2; preset aws-iot-device: what AWS IoT accepts for X.509 devices
#ifndef LINESIGN_HSM_X509_PROFILE_H_
#define LINESIGN_HSM_X509_PROFILE_H_

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hsm/x509/key_type.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/settings/settings_file.h"

namespace linesign {

enum class SubjectSource : uint8_t {
  DeviceId,  // fixed fields, then CN = device id
  Csr        // the CSR's subject as it is
};

// What the common name of a CSR, if it has one, says about the device id.
enum class CommonNameRule : uint8_t { MustMatch, Ignore };

struct Profile {
  std::string preset = "aws-iot-device";
  SubjectSource subject_source = SubjectSource::DeviceId;
  CommonNameRule csr_common_name = CommonNameRule::MustMatch;  // a subject that is kept: always
  // In the order in which they stand in the subject, before CN: {"C", "DE"}, {"O", "Example"}.
  std::vector<std::pair<std::string, std::string>> subject_fields;
  std::chrono::seconds backdate = std::chrono::minutes(5);
  std::chrono::seconds validity = std::chrono::days(365 * 20);
  bool no_expiry = false;  // 9999-12-31T23:59:59Z (RFC 5280 section 4.1.2.5)
  bool key_usage_critical = true;
  std::vector<std::string> key_usage = {"digitalSignature"};
  std::vector<std::string> extended_key_usage = {"clientAuth"};  // names or dotted OIDs
  std::vector<std::string>
      subject_alt_names;              // "dns:{device_id}.example", "uri:urn:dev:{device_id}"
  std::vector<std::string> policies;  // dotted OIDs
  std::vector<KeyType> allowed_keys = {
      KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048, KeyType::Rsa3072, KeyType::Rsa4096};
};

// Reads and checks [profile]; an absent table gives the default preset.
Result<Profile> read_profile(const SettingsTable& table);

// One line per field in a fixed order: what profile hashes are made of, stored in the ledger.
std::string canonical_text(const Profile& profile);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_PROFILE_H_
