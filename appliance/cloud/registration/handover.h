// Handover: the two ways in which nothing is called for the single device.
//
//   FileWay   a plant without internet: files for somebody else to bring to AWS
//   JitWay    the device's first connection registers it; here only the CA is checked
//
// Files     NAME.ndjson (template parameters, one device per line) and NAME.csv, where NAME is the
//           target and the first and last number in the ledger. They are complete when they have
//           their names. A list of what is in them stands in the state folder until all of it is
//           booked, so that a new process books the same devices and writes no second file
// Threads   one
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_HANDOVER_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_HANDOVER_H_

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "appliance/cloud/manifest/device_fields.h"
#include "appliance/cloud/registration/outbox.h"
#include "appliance/cloud/registration/way.h"

namespace linesign {

struct FilePlan {
  std::filesystem::path export_dir;
  std::filesystem::path work_dir;
  TextMap parameters;
  uint32_t chunk_lines = 50'000;
};

class FileWay final : public Way {
 public:
  FileWay(Outbox& outbox, std::string target, FilePlan plan)
      : outbox_(outbox), target_(std::move(target)), plan_(std::move(plan)) {}
  WayStep step() override;

 private:
  struct Range {
    uint64_t first = 0;
    uint64_t last = 0;
  };
  Result<WayStep> advance();
  Result<void> finish_interrupted();
  Result<uint64_t> sort_out(const std::vector<CloudItem>& items, std::vector<uint64_t>& ids);
  Result<std::vector<uint64_t>> list_waiting(Range& range, WayStep& step);
  Result<void> write_files(const std::vector<uint64_t>& ids, const Range& range);
  Result<uint64_t> book(const std::vector<uint64_t>& ids);
  Result<void> for_each(const std::vector<uint64_t>& ids,
                        const std::function<Result<void>(const CloudItem&)>& take);
  std::filesystem::path list_path() const { return plan_.work_dir / (target_ + ".handover"); }
  std::filesystem::path export_path(const Range& range, std::string_view suffix) const;

  Outbox& outbox_;
  const std::string target_;
  const FilePlan plan_;
};

class JitWay final : public Way {
 public:
  // `check_ca` says why no device could register itself now.
  JitWay(Outbox& outbox, std::string target, std::function<Result<void>()> check_ca)
      : outbox_(outbox), target_(std::move(target)), check_ca_(std::move(check_ca)) {}
  WayStep step() override;

 private:
  Outbox& outbox_;
  const std::string target_;
  const std::function<Result<void>()> check_ca_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_HANDOVER_H_
