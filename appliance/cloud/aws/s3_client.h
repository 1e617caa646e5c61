// S3Client: manifests up, reports down.
//
// A bucket that lies elsewhere is asked for again in the region that S3 names.
//
// Limits   5 GiB in one file
// Errors   of Client; InputInvalid: a name or a file that S3 cannot take; Io
// Threads  one thread at a time
// Source   Amazon S3 API Reference: PutObject, HeadObject, DeleteObject, HeadBucket
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_S3_CLIENT_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_S3_CLIENT_H_

#include <filesystem>
#include <string>

#include "appliance/cloud/aws/client.h"
#include "protocol/base/unique_fd.h"

namespace linesign::aws {

constexpr uint64_t kLargestPut = 5ULL * 1024 * 1024 * 1024;

struct S3Location {
  std::string bucket{};  // 3 to 63 of a-z 0-9 . -
  std::string key{};     // 1 to 1024 bytes
};

struct S3Upload {
  S3Location to{};
  std::filesystem::path file{};
  std::string content_type = "application/x-ndjson";
  std::string kms_key_id{};      // empty: as the bucket encrypts by default
  std::string expected_owner{};  // account number; empty: not checked
};

// Existed: an object of this key is there, and nothing was written. It may be ours, from a try
// whose answer was lost: compare the checksum of head_object.
enum class UploadOutcome : uint8_t { Created, Existed };

struct S3Object {
  uint64_t size_bytes = 0;
  std::string etag;
  std::string checksum_sha256;  // base64; empty when S3 keeps none
};

class S3Client final {
 public:
  // The settings are borrowed.
  S3Client(ClientParts parts, const Settings& settings, std::string region);

  // Never replaces an object. S3 refuses what does not arrive with the file's SHA-256.
  Result<UploadOutcome> upload(const S3Upload& upload);
  Result<S3Object> head_object(const S3Location& at);
  // No error if it is not there.
  Result<void> delete_object(const S3Location& at, const std::string& expected_owner);
  // The bucket's region.
  Result<std::string> head_bucket(const std::string& bucket);

  // Fetches a presigned URL into a file, without credentials. The file appears when it is complete,
  // and replaces one of its name. Gives its size. The URL is in no error.
  Result<uint64_t> download(const std::string& presigned_url,
                            const std::filesystem::path& file,
                            uint64_t max_bytes);

  const std::optional<ServiceError>& service_error() const { return client_.service_error(); }

 private:
  Result<HttpResponse> call_bucket(Call call, const std::string& bucket);

  Client client_;
  Client anonymous_;
  const Settings& settings_;
  const std::string region_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_S3_CLIENT_H_
