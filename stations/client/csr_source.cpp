// CSRs from files.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "protocol/base/plain_text.h"
#include "stations/client/der.h"
#include "stations/client/lot_source.h"

namespace linesign::client {
namespace {

constexpr std::array<std::string_view, 5> kExtensions = {".csr", ".req", ".pem", ".der", ".p10"};

class CsrPreparer final : public LotPreparer {
 public:
  CsrPreparer(const CsrFilesPlan& plan, const LotFolder& out) : plan_(plan), out_(out) {}

  Result<LotEntry> prepare(uint64_t index) override;
  Result<void> settle() override { return {}; }

 private:
  struct NamedBy {
    std::string device_id;
    std::string_view what;
  };
  NamedBy name_device(const LoadedCsr& csr, const std::filesystem::path& file) const;
  Result<std::string> device_id_of(const LoadedCsr& csr, const std::filesystem::path& file) const;

  const CsrFilesPlan& plan_;
  const LotFolder& out_;
};

CsrPreparer::NamedBy CsrPreparer::name_device(const LoadedCsr& csr,
                                              const std::filesystem::path& file) const {
  const DeviceIdFrom from = plan_.device_id_from;
  if (!plan_.device_id.empty()) return {plan_.device_id, "--device-id"};
  if (from == DeviceIdFrom::SerialNumber) return {csr.serial_number, "serialNumber of the subject"};
  if (from == DeviceIdFrom::CommonName || (from == DeviceIdFrom::Any && !csr.common_name.empty()))
    return {csr.common_name, "common name of the subject"};
  return {decode_file_name(file.stem().string()), "name of the file"};
}

Result<std::string> CsrPreparer::device_id_of(const LoadedCsr& csr,
                                              const std::filesystem::path& file) const {
  NamedBy named = name_device(csr, file);
  if (check_device_id(named.device_id).has_value()) return std::move(named.device_id);
  return fail(ErrorCode::DeviceIdInvalid,
              fmt::format("{}: the {} is '{}'; choose another source with --device-id-from",
                          file.string(),
                          named.what,
                          printable(named.device_id)));
}

Result<LotEntry> CsrPreparer::prepare(uint64_t index) {
  const std::filesystem::path& file = plan_.files[index];
  LotOutcome outcome{LotEnd::Refused, plan_.device_id, file.string(), {}};
  const auto refuse = [&](Error error) {
    outcome.error = std::move(error);
    return LotEntry(std::move(outcome));
  };
  auto csr = load_csr(file);
  if (!csr.has_value()) return refuse(std::move(csr).error());
  auto device_id = device_id_of(*csr, file);
  if (!device_id.has_value()) return refuse(std::move(device_id).error());
  outcome.device_id = std::move(*device_id);
  auto found = out_.look(outcome.device_id, key_in_csr(csr->der));
  if (!found.has_value()) return refuse(std::move(found).error());
  if (*found == LotFolder::Found::Other)
    return refuse(Error(ErrorCode::FileExists,
                        out_.file_of(outcome.device_id, ".pem").string() +
                            ": it is not the certificate of this CSR's key"));
  if (*found == LotFolder::Found::Wanted) {
    outcome.end = LotEnd::AlreadyThere;
    return LotEntry(std::move(outcome));
  }
  return LotEntry(LotItem{IssueRequest::make(outcome.device_id, csr->der, plan_.order_id),
                          std::move(outcome.origin)});
}

class CsrSource final : public LotSource {
 public:
  CsrSource(CsrFilesPlan plan, const LotFolder& out) : plan_(std::move(plan)), out_(out) {}

  uint64_t size() const override { return plan_.files.size(); }
  Result<std::unique_ptr<LotPreparer>> make_preparer() const override {
    return std::unique_ptr<LotPreparer>(std::make_unique<CsrPreparer>(plan_, out_));
  }

 private:
  CsrFilesPlan plan_;
  const LotFolder& out_;
};

bool looks_like_csr(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return path.filename().string().front() != '.' &&
         std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

}  // namespace

std::unique_ptr<LotSource> make_csr_source(CsrFilesPlan plan, const LotFolder& out) {
  return std::make_unique<CsrSource>(std::move(plan), out);
}

Result<std::vector<std::filesystem::path>> list_csr_files(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    std::error_code ignored;  // a file that cannot be looked at is reported when it is read
    if (looks_like_csr(entry->path()) && !entry->is_directory(ignored))
      files.push_back(entry->path());
    entry.increment(error);
  }
  if (error) return fail(ErrorCode::Io, directory.string() + ": " + error.message());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace linesign::client
