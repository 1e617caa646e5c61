#include "stations/client/lot_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include <openssl/evp.h>

#include "protocol/base/file.h"
#include "stations/client/der.h"

namespace linesign::client {
namespace {

constexpr const char* kLockFile = ".linesign-station.lock";
constexpr size_t kMaxCertificateFileBytes = 256 * 1024;
constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----\n";
constexpr std::string_view kEnd = "\n-----END CERTIFICATE-----\n";

tl::unexpected<Error> io_failure(const std::filesystem::path& path) {
  return fail(ErrorCode::Io, path.string() + ": " + errno_text(errno));
}

Result<UniqueFd> take_lock(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kLockFile;
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return io_failure(path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return fail(ErrorCode::FolderInUse, directory.string());
  return io_failure(path);
}

// ".<device>.pem.XXXXXX", as write_file_atomic names what it has not finished.
bool is_left_over(std::string_view name) {
  constexpr std::array<std::string_view, 3> kSuffixes = {".pem", ".key", ".csr"};
  constexpr size_t kRandomBytes = 7;
  if (name.size() < kRandomBytes + 6 || name.front() != '.') return false;
  if (name[name.size() - kRandomBytes] != '.') return false;
  name.remove_suffix(kRandomBytes);
  return std::any_of(kSuffixes.begin(), kSuffixes.end(), [&](std::string_view suffix) {
    return name.ends_with(suffix);
  });
}

Result<void> remove_left_overs(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    const std::filesystem::path path = entry->path();
    if (is_left_over(path.filename().string())) ::unlink(path.c_str());
    entry.increment(error);
  }
  if (error) return fail(ErrorCode::Io, directory.string() + ": " + error.message());
  return {};
}

// One line break every 64 characters, as to_pem() writes it.
std::optional<Bytes> decode_block(std::string_view base64) {
  std::string text(base64);
  text.erase(std::remove(text.begin(), text.end(), '\n'), text.end());
  if (text.empty() || text.size() % 4 != 0) return {};
  Bytes der(text.size() / 4 * 3);
  const int length = EVP_DecodeBlock(
      der.data(), reinterpret_cast<const uint8_t*>(text.data()), static_cast<int>(text.size()));
  if (length < 0) return {};
  const auto padding = static_cast<size_t>(std::count(text.end() - 2, text.end(), '='));
  der.resize(static_cast<size_t>(length) - padding);
  return der;
}

// What is left of a certificate file after a power cut. Anything else may be dear to somebody.
bool is_cut_certificate(std::string_view text) {
  const bool is_blank = std::all_of(text.begin(), text.end(), [](char c) { return c == '\0'; });
  return is_blank || text.starts_with(kBegin) || kBegin.starts_with(text);
}

}  // namespace

Bytes certificate_file_key(std::string_view pem) {
  Bytes key;
  if (pem.empty()) return key;
  while (!pem.empty()) {
    if (!pem.starts_with(kBegin)) return {};
    const size_t end = pem.find(kEnd);
    if (end == std::string_view::npos) return {};
    const auto der = decode_block(pem.substr(kBegin.size(), end - kBegin.size()));
    const auto outline = der ? outline_certificate(*der) : std::nullopt;
    if (!outline) return {};
    if (key.empty()) key = to_bytes(outline->spki);
    pem.remove_prefix(end + kEnd.size());
  }
  return key;
}

Result<LotFolder> LotFolder::open(const std::filesystem::path& directory, mode_t mode) {
  LS_CHECK(make_directories(directory, mode));
  LS_TRY(UniqueFd lock, take_lock(directory));
  LS_CHECK(remove_left_overs(directory));
  UniqueFd self(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!self) return io_failure(directory);
  return LotFolder(directory, std::move(lock), std::move(self));
}

std::filesystem::path LotFolder::file_of(std::string_view device_id,
                                         std::string_view suffix) const {
  return directory_ / (std::string(device_id) + std::string(suffix));
}

Result<LotFolder::Found> LotFolder::look(std::string_view device_id, ByteView spki) const {
  const std::filesystem::path path = file_of(device_id, ".pem");
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return Found::Nothing;
  LS_TRY(const Bytes pem, read_file(path, kMaxCertificateFileBytes));
  const Bytes key = certificate_file_key(as_text(pem));
  if (key.empty()) return is_cut_certificate(as_text(pem)) ? Found::Unusable : Found::Other;
  return spki.empty() || equal(key, spki) ? Found::Wanted : Found::Other;
}

Result<void> LotFolder::write(std::string_view device_id,
                              std::string_view suffix,
                              ByteView content,
                              mode_t mode) const {
  return write_file_atomic(
      file_of(device_id, suffix), content, mode, Overwrite::Replace, Durability::Renamed);
}

Result<void> LotFolder::sync() const {
  if (::syncfs(self_.get()) != 0) return io_failure(directory_);
  return {};
}

}  // namespace linesign::client
