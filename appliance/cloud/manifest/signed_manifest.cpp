#include "appliance/cloud/manifest/signed_manifest.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "appliance/cloud/aws/json.h"
#include "appliance/cloud/manifest/manifest_line.h"
#include "hsm/x509/csr.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr int kManifestVersion = 2;
constexpr int kOneCaForAll = 1;  // a version that named one CA, whichever had signed

struct DeviceEntry {
  uint64_t sequence = 0;
  std::string device_id;
  std::string serial;
  std::string certificate_id;
  uint64_t ca = 0;
  std::string committed_at;
};

std::string entry_text(const DeviceEntry& entry, bool is_first) {
  return fmt::format(
      "{}{{\"sequence\":{},\"device_id\":{},\"serial\":{},\"certificate_id\":{},\"ca\":{},"
      "\"committed_at\":{}}}\n",
      is_first ? "" : ",",
      entry.sequence,
      json_text(entry.device_id),
      json_text(entry.serial),
      json_text(entry.certificate_id),
      entry.ca,
      json_text(entry.committed_at));
}

uint64_t number_of(const aws::JsonObject& object, const std::string& name) {
  return static_cast<uint64_t>(std::max<int64_t>(0, object.integer(name).value_or(0)));
}

std::optional<Sha256> hash_of(const std::string& hex) {
  const auto bytes = from_hex(hex);
  Sha256 hash{};
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

// Every line is taken apart, put together again and must then be the same bytes: so a manifest has
// one form only, and nothing in it is overlooked.
class ManifestReader final {
 public:
  explicit ManifestReader(const std::filesystem::path& path)
      : path_(path), in_(path, std::ios::binary) {}

  Result<void> read(CheckedManifest& manifest) {
    LS_TRY(const bool is_there, next());
    if (!is_there) return malformed("it is empty or cannot be read");
    LS_CHECK(read_head(manifest.head));
    for (;;) {
      LS_TRY(const bool has_more, next());
      if (!has_more) return malformed("its end is missing");
      if (line_.starts_with(']')) break;
      LS_CHECK(read_device(manifest.summary));
    }
    LS_CHECK(read_end(manifest.summary));
    LS_TRY(const bool has_more, next());
    if (has_more) return malformed("something follows its end");
    return {};
  }

 private:
  tl::unexpected<Error> malformed(std::string_view what) const {
    return fail(ErrorCode::ManifestMalformed,
                fmt::format("{}:{}: {}", path_.string(), number_, what));
  }

  Result<bool> next() {
    line_.clear();
    ++number_;
    for (char each = 0; in_.get(each);) {
      line_ += each;
      if (each == '\n') return true;
      if (line_.size() > kMaxManifestLine) return malformed("a line is too long");
    }
    if (in_.bad()) return fail(ErrorCode::Io, path_.string());
    if (!line_.empty()) return malformed("its last line has no end");
    return false;
  }

  Result<void> read_head(ManifestHead& head) {
    std::string json = line_;
    json.pop_back();
    const auto object = aws::JsonObject::parse(json + "]}");
    if (!object.has_value()) return malformed("no head of a manifest");
    if (object->integer("linesign_manifest") == kOneCaForAll)
      return malformed(
          "a manifest of version 1, which names one CA whichever had signed: export "
          "this range again");
    if (object->integer("linesign_manifest") != kManifestVersion)
      return malformed("another version of manifests, or none");
    head.order = object->text("order").value_or("");
    if (!check_order_id(head.order).has_value() || manifest_begin(head) != line_)
      return malformed("not the head that linesign writes");
    return {};
  }

  Result<void> read_device(RangeSummary& summary) {
    const bool is_first = summary.count == 0;
    const auto object = aws::JsonObject::parse(is_first ? line_ : line_.substr(1));
    if (!object.has_value()) return malformed("no device");
    const DeviceEntry entry{number_of(*object, "sequence"),
                            object->text("device_id").value_or(""),
                            object->text("serial").value_or(""),
                            object->text("certificate_id").value_or(""),
                            number_of(*object, "ca"),
                            object->text("committed_at").value_or("")};
    const auto id = hash_of(entry.certificate_id);
    if (!id || entry_text(entry, is_first) != line_) return malformed("no device of linesign");
    if (entry.sequence <= summary.last_sequence) return malformed("the numbers do not ascend");
    if (entry.ca > cas_) return malformed("the CAs do not stand in the order of their first use");
    if (entry.ca == cas_) ++cas_;
    if (is_first) summary.first_sequence = entry.sequence;
    summary.last_sequence = entry.sequence;
    ++summary.count;
    hash_.add(entry.sequence, *id, entry.ca, entry.device_id);
    return {};
  }

  // `summary` holds what was counted.
  Result<void> read_end(RangeSummary& summary) {
    const auto object = aws::JsonObject::parse("{\"devices\":[" + line_);
    if (!object.has_value()) return malformed("no end of a manifest");
    const auto range = object->object("range");
    if (!range) return malformed("no range");
    summary.first = number_of(*range, "first");
    summary.last = number_of(*range, "last");
    for (const std::string& text : object->texts("ca_certificate_ids"))
      if (const auto id = hash_of(text)) summary.cas.push_back(*id);
    if (summary.cas.size() != cas_) return malformed("the list of CAs is not that of the devices");
    for (const Sha256& id : summary.cas) hash_.add_ca(id);
    summary.hash = hash_.finish();
    const bool is_inside = summary.count == 0 || (summary.first <= summary.first_sequence &&
                                                  summary.last_sequence <= summary.last);
    if (!is_inside) return malformed("a device lies outside of the range");
    if (manifest_end(summary) == line_) return {};
    const bool is_said = number_of(*object, "count") == summary.count &&
                         object->text("range_sha256") == to_hex(summary.hash);
    if (is_said) return malformed("not the end that linesign writes");
    return fail(ErrorCode::ManifestIncomplete,
                fmt::format("{}: it holds {} devices, {} to {}, with the hash {}, and says: {}",
                            path_.string(),
                            summary.count,
                            summary.first_sequence,
                            summary.last_sequence,
                            to_hex(summary.hash),
                            line_.substr(0, line_.size() - 1)));
  }

  const std::filesystem::path path_;
  std::ifstream in_;
  std::string line_;
  uint64_t number_ = 0;
  uint64_t cas_ = 0;  // that devices have named so far
  RangeHash hash_;
};

}  // namespace

std::string manifest_begin(const ManifestHead& head) {
  return fmt::format("{{\"linesign_manifest\":{},\"order\":{},\"devices\":[\n",
                     kManifestVersion,
                     json_text(head.order));
}

std::string manifest_device(const LedgerCertificate& certificate, size_t ca, bool is_first) {
  return entry_text({certificate.issuance_id,
                     certificate.device_id,
                     to_hex(certificate.serial),
                     to_hex(sha256(certificate.certificate_der)),
                     ca,
                     to_iso8601(certificate.committed_at)},
                    is_first);
}

std::string manifest_end(const RangeSummary& summary) {
  std::vector<std::string> cas;
  cas.reserve(summary.cas.size());
  for (const Sha256& id : summary.cas) cas.push_back(json_text(to_hex(id)));
  return fmt::format(
      "],\"ca_certificate_ids\":[{}],\"range\":{{\"first\":{},\"last\":{}}},\"count\":{},\"first_"
      "sequence\":{},"
      "\"last_sequence\":{},\"range_sha256\":\"{}\",\"ledger_head\":null}}\n",
      fmt::join(cas, ","),
      summary.first,
      summary.last,
      summary.count,
      summary.first_sequence,
      summary.last_sequence,
      to_hex(summary.hash));
}

std::filesystem::path signature_path(const std::filesystem::path& manifest) {
  return manifest.string() + ".p7s";
}

Result<CheckedManifest> check_manifest(const std::filesystem::path& path,
                                       std::span<const Bytes> trusted) {
  CheckedManifest manifest;
  manifest.path = path;
  LS_TRY(const Bytes signature, read_file(signature_path(path), kMaxCmsBytes));
  auto signer = verify_detached(path, signature, trusted);
  if (!signer.has_value()) return fail(signer.error().with_context(path.string()));
  manifest.signer = std::move(*signer);
  LS_CHECK(ManifestReader(path).read(manifest));
  return manifest;
}

Result<void> check_sequence(std::vector<CheckedManifest> manifests) {
  std::sort(manifests.begin(), manifests.end(), [](const auto& a, const auto& b) {
    return a.summary.first < b.summary.first;
  });
  for (size_t i = 1; i < manifests.size(); ++i) {
    const CheckedManifest& before = manifests[i - 1];
    const CheckedManifest& here = manifests[i];
    if (here.head.order != before.head.order)
      return fail(ErrorCode::ManifestIncomplete,
                  fmt::format("{} is of the order {}, {} of {}",
                              before.path.string(),
                              before.head.order,
                              here.path.string(),
                              here.head.order));
    if (here.summary.first == before.summary.last + 1) continue;
    return fail(ErrorCode::ManifestIncomplete,
                fmt::format("{} ends with {}, {} begins with {}",
                            before.path.string(),
                            before.summary.last,
                            here.path.string(),
                            here.summary.first));
  }
  return {};
}

Result<void> compare_with_ledger(const CheckedManifest& manifest, const CertificateSource& source) {
  const RangeSummary& said = manifest.summary;
  LS_TRY(const RangeSummary there,
         walk_range(source,
                    manifest.head.order,
                    {said.first, said.last},
                    [](const LedgerCertificate& /*certificate*/, size_t /*ca*/) -> Result<void> {
                      return {};
                    }));
  if (there == said) return {};
  return fail(
      ErrorCode::ManifestIncomplete,
      fmt::format("{}: {} devices of {} CAs with the hash {}; the ledger has {} of {} with the "
                  "hash {}",
                  manifest.path.string(),
                  said.count,
                  said.cas.size(),
                  to_hex(said.hash),
                  there.count,
                  there.cas.size(),
                  to_hex(there.hash)));
}

}  // namespace linesign
