#include "appliance/cloud/manifest/manifest_export.h"

#include <system_error>

#include "appliance/cloud/manifest/manifest_line.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr mode_t kSignatureMode = 0600;  // as the manifest

Result<void> check_absent(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return fail(ErrorCode::FileExists, path.string());
  return {};
}

Result<std::string> line_of(const ManifestPlan& plan,
                            const LedgerCertificate& certificate,
                            size_t ca,
                            bool is_first) {
  if (plan.format == ManifestFormat::Signed) return manifest_device(certificate, ca, is_first);
  const CloudItem item = item_of(certificate, plan.head.order);
  if (plan.format == ManifestFormat::Csv) return csv_line(item);
  auto line = device_line(plan.parameters, item);
  if (!line.has_value()) return fail(line.error().with_context(certificate.device_id));
  return line;
}

Result<RangeSummary> write_range(const ManifestPlan& plan,
                                 const CertificateSource& source,
                                 ManifestFile& file) {
  if (plan.format == ManifestFormat::Csv) LS_CHECK(file.add_header(csv_header()));
  if (plan.format == ManifestFormat::Signed) LS_CHECK(file.add_header(manifest_begin(plan.head)));
  bool is_first = true;
  const auto take = [&](const LedgerCertificate& certificate, size_t ca) -> Result<void> {
    LS_TRY(const std::string line, line_of(plan, certificate, ca, is_first));
    is_first = false;
    return file.add(line);
  };
  LS_TRY(const RangeSummary summary, walk_range(source, plan.head.order, plan.range, take));
  if (plan.format == ManifestFormat::Signed) LS_CHECK(file.add_header(manifest_end(summary)));
  return summary;
}

}  // namespace

Result<ExportedManifest> export_manifest(const ManifestPlan& plan,
                                         const CertificateSource& source,
                                         const SignFile& sign) {
  const bool is_signed = plan.format == ManifestFormat::Signed;
  const auto signature = signature_path(plan.out);
  if (!plan.may_replace) LS_CHECK(check_absent(plan.out));
  if (!plan.may_replace && is_signed) LS_CHECK(check_absent(signature));
  ManifestFile file(plan.out);
  ExportedManifest made;
  LS_TRY(made.summary, write_range(plan, source, file));
  if (is_signed) {
    LS_TRY(const std::filesystem::path content, file.settle());
    LS_TRY(const Bytes cms, sign(content));
    LS_CHECK(write_file_atomic(signature,
                               cms,
                               kSignatureMode,
                               plan.may_replace ? Overwrite::Replace : Overwrite::Refuse,
                               Durability::Synced));
    made.files.push_back(signature);
  }
  LS_TRY(made.written, file.finish());
  made.files.insert(made.files.begin(), plan.out);
  return made;
}

}  // namespace linesign
