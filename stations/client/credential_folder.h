// CredentialFolder: the files of a station's credential, how they are read and written.
//
// Files    station.key (0400), station.pem, appliance-ca.pem, appliance.toml; .lock while
//          enrolling. station.key.next exists only while a folder that is enrolled already enrols
//          anew
// Errors   NotEnrolled, Io
// Threads  no state
#ifndef LINESIGN_STATIONS_CLIENT_CREDENTIAL_FOLDER_H_
#define LINESIGN_STATIONS_CLIENT_CREDENTIAL_FOLDER_H_

#include <filesystem>
#include <string>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"
#include "stations/client/station_client.h"

namespace linesign::client {

constexpr const char* kStationKeyFile = "station.key";
constexpr const char* kNextStationKeyFile = "station.key.next";
constexpr const char* kStationCertificateFile = "station.pem";
constexpr const char* kApplianceCaFile = "appliance-ca.pem";
constexpr const char* kApplianceFile = "appliance.toml";

// What a certificate in PEM says about its holder.
struct CertificateFacts {
  std::string common_name;
  Bytes spki;
  UnixTime not_before{};
  UnixTime not_after{};
};
Result<CertificateFacts> read_certificate_facts(std::string_view pem);

// Is `certificate_der` a certificate for this key, signed by this CA? PeerNotTrusted if not.
Result<void> check_issued_by(ByteView certificate_der, ByteView ca_der, ByteView spki);

// FolderInUse when another process holds it. Freed with the descriptor.
Result<UniqueFd> lock_folder(const std::filesystem::path& directory);

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_CREDENTIAL_FOLDER_H_
