// Keys and CSRs made here, so that an interruption at any moment leaves for every device either no
// request that was sent, or a key that is on the disk.
#include <fmt/format.h>

#include "protocol/base/file.h"
#include "stations/client/der.h"
#include "stations/client/lot_source.h"

namespace linesign::client {
namespace {

constexpr size_t kMaxDeviceKeyBytes = 16 * 1024;

// What an earlier run left for a device.
struct KeyFiles {
  bool has_key = false;
  bool is_key_whole = false;  // a power cut may have left a part of it; then nothing was sent yet
  SecretBytes key_pem;
  Bytes csr_der;  // empty when there is none that can be used
};

class GeneratingPreparer final : public LotPreparer {
 public:
  GeneratingPreparer(const GeneratePlan& plan,
                     const LotFolder& out,
                     const LotFolder& keys,
                     KeyMaker maker)
      : plan_(plan), out_(out), keys_(keys), maker_(std::move(maker)) {}

  Result<LotEntry> prepare(uint64_t index) override;
  Result<void> settle() override;

 private:
  Result<KeyFiles> look_for_key(const std::string& device_id) const;
  Result<Bytes> make_key(const std::string& device_id);
  Result<Bytes> use_key(const std::string& device_id, const KeyFiles& files);

  const GeneratePlan& plan_;
  const LotFolder& out_;
  const LotFolder& keys_;
  KeyMaker maker_;
  bool is_unsettled_ = false;
};

Result<KeyFiles> GeneratingPreparer::look_for_key(const std::string& device_id) const {
  KeyFiles files;
  const std::filesystem::path key_path = keys_.file_of(device_id, ".key");
  std::error_code error;
  files.has_key = std::filesystem::exists(key_path, error);
  if (files.has_key) {
    LS_TRY(files.key_pem, read_secret_file(key_path, kMaxDeviceKeyBytes));
    const std::string_view text = as_text(files.key_pem.reveal());
    files.is_key_whole = text.starts_with("-----BEGIN ") && text.ends_with("-----");
  }
  auto csr = load_csr(keys_.file_of(device_id, ".csr"));
  if (csr.has_value()) files.csr_der = std::move(csr->der);
  return files;
}

Result<Bytes> GeneratingPreparer::make_key(const std::string& device_id) {
  LS_TRY(MadeKey made, maker_.make(device_id));
  LS_CHECK(keys_.write(device_id, ".key", made.private_key_pem.reveal(), 0400));
  const std::string csr_pem = to_pem("CERTIFICATE REQUEST", made.csr_der);
  LS_CHECK(keys_.write(device_id, ".csr", as_bytes(csr_pem), 0644));
  return std::move(made.csr_der);
}

// The CSR of an earlier run if it fits the key, so that the request is the same; else a new one.
Result<Bytes> GeneratingPreparer::use_key(const std::string& device_id, const KeyFiles& files) {
  LS_TRY(const Bytes spki, public_key_of(files.key_pem.reveal()));
  if (!files.csr_der.empty() && equal(key_in_csr(files.csr_der), spki)) return files.csr_der;
  LS_TRY(Bytes csr, make_csr(files.key_pem.reveal(), device_id));
  const std::string csr_pem = to_pem("CERTIFICATE REQUEST", csr);
  LS_CHECK(keys_.write(device_id, ".csr", as_bytes(csr_pem), 0644));
  return csr;
}

Result<LotEntry> GeneratingPreparer::prepare(uint64_t index) {
  const std::string device_id = generated_device_id(plan_, index);
  LotOutcome outcome{LotEnd::Refused, device_id, keys_.file_of(device_id, ".csr").string(), {}};
  LS_TRY(const KeyFiles files, look_for_key(device_id));
  auto found = out_.look(device_id, key_in_csr(files.csr_der));
  if (!found.has_value()) {
    outcome.error = std::move(found).error();
    return LotEntry(std::move(outcome));
  }
  if (*found == LotFolder::Found::Wanted) {
    outcome.end = LotEnd::AlreadyThere;
    return LotEntry(std::move(outcome));
  }
  if (*found == LotFolder::Found::Other) {
    outcome.error = Error(ErrorCode::FileExists, out_.file_of(device_id, ".pem").string());
    return LotEntry(std::move(outcome));
  }
  // Another key would do no good: the device may be certified with the one that is gone.
  if (!files.has_key && !files.csr_der.empty()) {
    outcome.error = Error(ErrorCode::InputInvalid, "the CSR is there, but its key is gone");
    return LotEntry(std::move(outcome));
  }
  auto csr = files.is_key_whole ? use_key(device_id, files) : make_key(device_id);
  if (!csr.has_value() && csr.error().code() == ErrorCode::InputInvalid) {
    outcome.origin = keys_.file_of(device_id, ".key").string();
    outcome.error = std::move(csr).error();
    return LotEntry(std::move(outcome));
  }
  if (!csr.has_value()) return fail(std::move(csr).error());
  is_unsettled_ = true;  // also what was found: the run that made it may have died before its sync
  return LotEntry(
      LotItem{IssueRequest::make(device_id, *csr, plan_.order_id), std::move(outcome.origin)});
}

Result<void> GeneratingPreparer::settle() {
  if (!is_unsettled_) return {};
  is_unsettled_ = false;
  return keys_.sync();
}

class GeneratingSource final : public LotSource {
 public:
  GeneratingSource(GeneratePlan plan, const LotFolder& out, const LotFolder& keys)
      : plan_(std::move(plan)), out_(out), keys_(keys) {}

  uint64_t size() const override { return plan_.count; }
  Result<std::unique_ptr<LotPreparer>> make_preparer() const override {
    LS_TRY(KeyMaker maker, KeyMaker::open(plan_.kind));
    return std::unique_ptr<LotPreparer>(
        std::make_unique<GeneratingPreparer>(plan_, out_, keys_, std::move(maker)));
  }

 private:
  GeneratePlan plan_;
  const LotFolder& out_;
  const LotFolder& keys_;
};

}  // namespace

std::string generated_device_id(const GeneratePlan& plan, uint64_t index) {
  return fmt::format("{}{:06}", plan.prefix, plan.first + index);
}

std::unique_ptr<LotSource> make_generating_source(GeneratePlan plan,
                                                  const LotFolder& out,
                                                  const LotFolder& keys) {
  return std::make_unique<GeneratingSource>(std::move(plan), out, keys);
}

}  // namespace linesign::client
