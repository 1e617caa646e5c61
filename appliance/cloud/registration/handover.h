// Handover: the two ways in which nothing is called for the single device.
//
//   FileWay   a plant without internet: files for somebody else to bring to AWS
//   JitWay    the device's first connection registers it; here only the CA is checked
//
// Files     NAME.ndjson (template parameters, one device per line) and NAME.csv, where NAME is the
//           target and the first and last number in the ledger. They are complete when they have
//           their names, and replace nothing: where a name is taken by something else, "-2" and so
//           on is put behind it. A list of what goes into them, each with the beginning of its
//           certificate's id, stands in the state folder until all of it is booked, so that a new
//           process writes and books the same devices; where a ledger was restored since, a number
//           may be another device's, and that one is left out
// Threads   one
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_HANDOVER_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_HANDOVER_H_

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "appliance/cloud/manifest/device_fields.h"
#include "appliance/cloud/manifest/manifest_file.h"
#include "appliance/cloud/registration/outbox.h"
#include "appliance/cloud/registration/way.h"

namespace linesign {

struct FilePlan {
  std::filesystem::path export_dir;  // must be there: it may be the place of a stick
  std::filesystem::path work_dir;
  TextMap parameters;
  uint32_t chunk_lines = 50'000;
};

// Io with what to do: no such folder, or nobody may write there.
Result<void> check_export_dir(const std::filesystem::path& export_dir);

class FileWay final : public Way {
 public:
  FileWay(Outbox& outbox, std::string target, FilePlan plan)
      : outbox_(outbox), target_(std::move(target)), plan_(std::move(plan)) {}
  WayStep step() override;

 private:
  struct Entry {
    uint64_t id = 0;
    uint64_t mark = 0;  // the first 8 bytes of the certificate's id
    bool operator==(const Entry&) const = default;
  };
  struct List {
    bool is_written = false;  // both files have their names
    std::vector<Entry> entries;
  };
  Result<WayStep> advance();
  Result<std::optional<List>> read_list() const;
  Result<void> write_list(const List& list) const;
  void remove_list() const;
  Result<uint64_t> sort_out(const std::vector<CloudItem>& items, std::vector<Entry>& entries);
  Result<std::vector<Entry>> list_waiting(WayStep& step);
  // False: some of them do not wait any more, or have no line under the present parameters.
  Result<bool> write_files(const std::vector<Entry>& entries);
  Result<void> name_files(ManifestFile& lines, ManifestFile& table, const std::string& name) const;
  Result<uint64_t> book(const std::vector<Entry>& entries);
  // Those of them that wait and have the same certificate.
  Result<void> for_each(const std::vector<Entry>& entries,
                        const std::function<Result<void>(const CloudItem&)>& take);
  static Entry entry_of(const CloudItem& item);
  std::filesystem::path list_path() const { return plan_.work_dir / (target_ + ".handover"); }

  Outbox& outbox_;
  const std::string target_;
  const FilePlan plan_;
};

class JitWay final : public Way {
 public:
  // `check_ca` says why no device of the CA with this id could register itself now.
  using CheckCa = std::function<Result<void>(const std::string& ca_id)>;
  JitWay(Outbox& outbox, std::string target, CheckCa check_ca)
      : outbox_(outbox), target_(std::move(target)), check_ca_(std::move(check_ca)) {}
  WayStep step() override;

 private:
  Outbox& outbox_;
  const std::string target_;
  const CheckCa check_ca_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_HANDOVER_H_
