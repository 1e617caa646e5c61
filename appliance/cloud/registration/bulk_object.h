// BulkObject: the manifest of a bulk task in S3, from its upload to its end.
//
// Errors   of S3Client
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_OBJECT_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_OBJECT_H_

#include <filesystem>
#include <optional>
#include <string>

#include "appliance/cloud/aws/session.h"
#include "appliance/records/cloud_records.h"

namespace linesign {

class BulkObject final {
 public:
  // The session is borrowed.
  BulkObject(const aws::Session& session, std::string bucket, std::string key, std::string owner)
      : session_(session), at_{std::move(bucket), std::move(key)}, owner_(std::move(owner)) {}

  // False: there is another one of this key. One that an earlier try left (`sha256` of the task) is
  // removed.
  Result<bool> upload(const std::filesystem::path& file,
                      const Sha256& sha256,
                      const std::optional<Sha256>& earlier) const;
  // What an operator may want to know, if it stays: the credentials need not have the right.
  std::optional<std::string> remove() const;

 private:
  const aws::Session& session_;
  const aws::S3Location at_;
  const std::string owner_;  // account number
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_BULK_OBJECT_H_
