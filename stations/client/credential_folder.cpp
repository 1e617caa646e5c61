#include "stations/client/credential_folder.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include <openssl/pem.h>

#include "protocol/base/file.h"
#include "protocol/settings/settings_file.h"
#include "stations/client/certificate_checker.h"
#include "stations/client/der.h"
#include "stations/client/handles.h"
#include "stations/client/key_maker.h"
#include "stations/transport/tls_errors.h"
#include "stations/transport/tls_time.h"

namespace linesign {
namespace client {
namespace {

constexpr size_t kMaxPemBytes = 64 * 1024;

tl::unexpected<Error> not_enrolled(const std::filesystem::path& directory, std::string_view why) {
  return fail(ErrorCode::NotEnrolled, directory.string() + ": " + std::string(why));
}

}  // namespace

Result<CertificateFacts> read_certificate_facts(std::string_view pem) {
  const Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Certificate certificate(memory ? PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr)
                                       : nullptr);
  if (!certificate) return fail(take_openssl_error(ErrorCode::InputInvalid, "no certificate"));
  uint8_t* encoded = nullptr;
  const int length = i2d_X509(certificate.get(), &encoded);
  if (length <= 0) return fail(take_openssl_error(ErrorCode::CryptoFailed, "encode"));
  const Bytes der(encoded, encoded + length);
  OPENSSL_free(encoded);
  const auto outline = outline_certificate(der);
  if (!outline) return fail(ErrorCode::InputInvalid, "no certificate");
  CertificateFacts facts;
  facts.common_name = find_common_name(outline->subject).value_or("");
  facts.spki = to_bytes(outline->spki);
  LS_TRY(facts.not_before, to_unix_time(X509_get0_notBefore(certificate.get())));
  LS_TRY(facts.not_after, to_unix_time(X509_get0_notAfter(certificate.get())));
  return facts;
}

Result<void> check_issued_by(ByteView certificate_der, ByteView ca_der, ByteView spki) {
  LS_TRY(auto checker, CertificateChecker::open({to_bytes(ca_der)}));
  const auto checked = checker.check(certificate_der, spki);
  if (!checked.has_value())
    return fail(ErrorCode::PeerNotTrusted,
                "the station's certificate: " + checked.error().detail());
  return {};
}

Result<UniqueFd> lock_folder(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / ".lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail(ErrorCode::Io, path.string() + ": " + errno_text(errno));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return fail(ErrorCode::FolderInUse, directory.string());
  return fail(ErrorCode::Io, path.string() + ": " + errno_text(errno));
}

}  // namespace client

Result<StationCredential> StationCredential::load(const std::filesystem::path& directory) {
  const std::filesystem::path certificate_path = directory / client::kStationCertificateFile;
  for (const char* name : {client::kStationKeyFile,
                           client::kStationCertificateFile,
                           client::kApplianceCaFile,
                           client::kApplianceFile}) {
    // What another user keeps to himself is not missing.
    std::error_code error;
    if (std::filesystem::exists(directory / name, error)) continue;
    if (error) return fail(ErrorCode::Io, (directory / name).string() + ": " + error.message());
    return client::not_enrolled(directory, std::string(name) + " is missing");
  }
  StationCredential credential;
  LS_TRY(const Bytes certificate, read_file(certificate_path, client::kMaxPemBytes));
  LS_TRY(credential.private_key_pem,
         read_secret_file(directory / client::kStationKeyFile, client::kMaxPemBytes));
  LS_TRY(const Bytes ca, read_file(directory / client::kApplianceCaFile, client::kMaxPemBytes));
  credential.certificate_pem = as_text(certificate);
  credential.appliance_ca_pem = as_text(ca);

  auto facts = client::read_certificate_facts(credential.certificate_pem);
  if (!facts.has_value()) return client::not_enrolled(directory, "station.pem is damaged");
  const auto key = client::public_key_of(credential.private_key_pem.reveal());
  if (!key.has_value()) return client::not_enrolled(directory, "station.key is damaged");
  if (!equal(facts->spki, *key))
    return client::not_enrolled(directory, "station.pem is for another key; enrol again");
  credential.station = facts->common_name;
  credential.not_before = facts->not_before;
  credential.not_after = facts->not_after;

  LS_TRY(const SettingsFile file, SettingsFile::load(directory / client::kApplianceFile));
  LS_TRY(credential.address, file.root().required_text("address"));
  LS_CHECK(file.check_all_known());
  return credential;
}

}  // namespace linesign
