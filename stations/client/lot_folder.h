// LotFolder: a folder of results: one <device>.pem per device, nothing else that is not hidden.
//
// A file is written under a hidden name and renamed, and not synced one by one; sync() makes all of
// them durable. After a power cut a file may be short: look() then says Unusable, and the
// appliance gives the same certificate again.
//
// Files    <device>.pem (and <device>.key, <device>.csr in a folder of keys), named by FileNames;
//          .linesign-station.lock, held while the object lives
// Errors   Io; FolderInUse
// Threads  safe, except open()
#ifndef LINESIGN_STATIONS_CLIENT_LOT_FOLDER_H_
#define LINESIGN_STATIONS_CLIENT_LOT_FOLDER_H_

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"
#include "stations/client/file_names.h"

namespace linesign::client {

class LotFolder final {
 public:
  enum class Found : uint8_t {
    Nothing,
    Unusable,  // a certificate file that is cut off or damaged: as good as nothing
    Wanted,    // a certificate for this key
    Other,     // something that is not ours to replace: another key's certificate, another kind
  };

  // Makes the folder, locks it, and removes what an interrupted run left half-written.
  static Result<LotFolder> open(const std::filesystem::path& directory, mode_t mode);

  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path file_of(std::string_view device_id, std::string_view suffix) const;
  const FileNames& names() const { return *names_; }

  // Is there a certificate of this device, and is it for this public key (SubjectPublicKeyInfo)?
  // An empty `spki` stands for any key.
  Result<Found> look(std::string_view device_id, ByteView spki) const;

  // Replaces what is there.
  Result<void> write(std::string_view device_id,
                     std::string_view suffix,
                     ByteView content,
                     mode_t mode) const;

  // After a failed write: does the folder take any other file? Not when the disk is full or the
  // medium was pulled.
  bool takes_files() const;
  // False where everybody can read every file, because the file system has no modes.
  bool keeps_secrets() const;

  // Everything written so far is on the disk.
  Result<void> sync() const;

 private:
  LotFolder(std::filesystem::path directory,
            UniqueFd lock,
            UniqueFd self,
            std::unique_ptr<FileNames> names)
      : directory_(std::move(directory)),
        lock_(std::move(lock)),
        self_(std::move(self)),
        names_(std::move(names)) {}

  std::filesystem::path directory_;
  UniqueFd lock_;
  UniqueFd self_;
  std::unique_ptr<FileNames> names_;
};

// The public key of the first certificate in a PEM file; empty unless the file is made of whole
// certificates from its first to its last byte.
Bytes certificate_file_key(std::string_view pem);

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_LOT_FOLDER_H_
