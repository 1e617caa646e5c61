#include "appliance/cloud/registration/bulk_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

namespace linesign {
namespace {

constexpr std::string_view kManifestSuffix = ".ndjson";
constexpr std::string_view kResultsSuffix = "-results";
constexpr std::string_view kErrorsSuffix = "-errors";
constexpr std::array kSuffixes = {kManifestSuffix, kResultsSuffix, kErrorsSuffix};
constexpr std::string_view kHalf = ".part";  // of ".NAME.part", as aws::FileSink names it

// The task whose file this is.
std::optional<uint64_t> task_of(std::string_view name, std::string_view target) {
  if (name.starts_with('.') && name.ends_with(kHalf)) {
    name.remove_prefix(1);
    name.remove_suffix(kHalf.size());
  }
  const auto suffix = std::find_if(kSuffixes.begin(), kSuffixes.end(), [&](std::string_view each) {
    return name.ends_with(each);
  });
  if (!name.starts_with(target) || suffix == kSuffixes.end()) return std::nullopt;
  name.remove_suffix(suffix->size());
  name.remove_prefix(std::min(target.size(), name.size()));
  if (!name.starts_with('-')) return std::nullopt;
  name.remove_prefix(1);
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return id;
}

}  // namespace

std::filesystem::path BulkFiles::manifest(uint64_t task_id) const {
  return folder_ / fmt::format("{}-{}{}", target_, task_id, kManifestSuffix);
}

std::filesystem::path BulkFiles::report(uint64_t task_id, aws::ReportType type) const {
  return folder_ / fmt::format("{}-{}{}",
                               target_,
                               task_id,
                               type == aws::ReportType::Results ? kResultsSuffix : kErrorsSuffix);
}

void BulkFiles::remove(uint64_t task_id) const {
  std::error_code ignored;
  std::filesystem::remove(manifest(task_id), ignored);
  for (const aws::ReportType type : {aws::ReportType::Results, aws::ReportType::Errors})
    std::filesystem::remove(report(task_id, type), ignored);
}

void BulkFiles::sweep(const std::vector<BulkTask>& open) const {
  std::error_code ignored;
  std::filesystem::directory_iterator each(folder_, ignored);
  for (const std::filesystem::directory_iterator end; !ignored && each != end;
       each.increment(ignored)) {
    const auto id = task_of(each->path().filename().string(), target_);
    const bool is_stale = id && std::none_of(open.begin(), open.end(), [&](const BulkTask& task) {
                            return task.id == *id;
                          });
    std::error_code stays;
    if (is_stale) std::filesystem::remove(each->path(), stays);
  }
}

}  // namespace linesign
