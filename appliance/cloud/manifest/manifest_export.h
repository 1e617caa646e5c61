// ManifestExport: a range of the ledger as a file for others.
//
//   json    one line of template parameters for each device (bulk registration)
//   csv     device_id,order,serial,certificate_id,committed_at,ca_certificate_id
//   signed  signed_manifest.h, with its signature beside it
//
// The same range gives the same bytes; only a signature differs each time. A file has its name when
// it is complete and on the disk, the signature before the manifest that it belongs to. Where there
// was a file before, it is there until then.
//
// Memory   constant
// Errors   FileExists; Io; of certificate_range.h and manifest_line.h; of the signature
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_MANIFEST_MANIFEST_EXPORT_H_
#define LINESIGN_APPLIANCE_CLOUD_MANIFEST_MANIFEST_EXPORT_H_

#include <filesystem>
#include <functional>
#include <vector>

#include "appliance/cloud/manifest/device_fields.h"
#include "appliance/cloud/manifest/manifest_file.h"
#include "appliance/cloud/manifest/signed_manifest.h"

namespace linesign {

enum class ManifestFormat : uint8_t { Json, Csv, Signed };

struct ManifestPlan {
  ManifestHead head;
  SequenceRange range;
  ManifestFormat format = ManifestFormat::Json;
  TextMap parameters;  // of json
  std::filesystem::path out;
  bool may_replace = false;
};

struct ExportedManifest {
  RangeSummary summary;
  WrittenManifest written;
  std::vector<std::filesystem::path> files;
};

// Gives a detached CMS signature over the file at this path.
using SignFile = std::function<Result<Bytes>(const std::filesystem::path&)>;

// `sign` for the format Signed only.
Result<ExportedManifest> export_manifest(const ManifestPlan& plan,
                                         const CertificateSource& source,
                                         const SignFile& sign);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_MANIFEST_MANIFEST_EXPORT_H_
