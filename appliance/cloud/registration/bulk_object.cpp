#include "appliance/cloud/registration/bulk_object.h"

#include <fmt/format.h>

#include "appliance/cloud/aws/digests.h"

namespace linesign {

Result<bool> BulkObject::upload(const std::filesystem::path& file,
                                const Sha256& sha256,
                                const std::optional<Sha256>& earlier) const {
  aws::S3Client s3 = session_.s3();
  aws::S3Upload upload;
  upload.to = at_;
  upload.file = file;
  upload.expected_owner = owner_;
  LS_TRY(const aws::UploadOutcome outcome, s3.upload(upload));
  if (outcome == aws::UploadOutcome::Created) return true;
  LS_TRY(const aws::S3Object there, s3.head_object(at_));
  if (there.checksum_sha256 == aws::to_base64(sha256)) return true;
  const bool is_ours = earlier && there.checksum_sha256 == aws::to_base64(*earlier);
  if (is_ours) static_cast<void>(remove());
  return false;
}

std::optional<std::string> BulkObject::remove() const {
  const auto removed = session_.s3().delete_object(at_, owner_);
  if (removed.has_value()) return std::nullopt;
  return fmt::format("the manifest {}/{} of a bulk task that failed stays in S3: {}",
                     at_.bucket,
                     at_.key,
                     removed.error().to_string());
}

}  // namespace linesign
