#include "stations/client/lot_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "protocol/base/file.h"
#include "stations/client/der.h"

namespace linesign::client {
namespace {

constexpr const char* kLockFile = ".linesign-station.lock";
constexpr size_t kMaxCertificateFileBytes = 256 * 1024;
constexpr std::string_view kCertificateBegin = "-----BEGIN CERTIFICATE-----\n";
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

bool has_suffix(std::string_view name) {
  constexpr std::array<std::string_view, 3> kSuffixes = {".pem", ".key", ".csr"};
  return std::any_of(kSuffixes.begin(), kSuffixes.end(), [&](std::string_view suffix) {
    return name.size() > suffix.size() && name.ends_with(suffix);
  });
}

// ".<device>.pem.XXXXXX", as write_file_atomic names what it has not finished.
bool is_left_over(std::string_view name) {
  constexpr size_t kRandomBytes = 7;
  if (name.size() < kRandomBytes + 6 || name.front() != '.') return false;
  if (name[name.size() - kRandomBytes] != '.') return false;
  name.remove_suffix(kRandomBytes);
  return has_suffix(name);
}

// Can this file be made? It is gone afterwards.
bool can_write(const std::filesystem::path& path, ByteView content) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return false;
  const ssize_t written = ::write(fd.get(), content.data(), content.size());
  ::unlink(path.c_str());
  return written == static_cast<ssize_t>(content.size());
}

// REQUIRES: the lock file is there.
FileNames::Limits limits_of(const std::filesystem::path& directory) {
  return {.refuses_colon = !can_write(directory / ".linesign-station:probe", {}),
          .ignores_case = ::access((directory / ".LINESIGN-STATION.LOCK").c_str(), F_OK) == 0};
}

// Removes left-overs and learns the names that are taken.
Result<void> look_around(const std::filesystem::path& directory, FileNames& names) {
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    const std::filesystem::path path = entry->path();
    const std::string name = path.filename().string();
    if (is_left_over(name))
      ::unlink(path.c_str());
    else if (has_suffix(name))
      names.add_existing(path.stem().string());
    entry.increment(error);
  }
  if (error) return fail(ErrorCode::Io, directory.string() + ": " + error.message());
  return {};
}

// With the line breaks of to_pem().
std::optional<Bytes> decode_block(std::string_view base64) {
  std::string text(base64);
  text.erase(std::remove(text.begin(), text.end(), '\n'), text.end());
  return decode_base64(text);
}

// What is left of a certificate file after a power cut. Anything else may be dear to somebody.
bool is_cut_certificate(std::string_view text) {
  const bool is_blank = std::all_of(text.begin(), text.end(), [](char c) { return c == '\0'; });
  return is_blank || text.starts_with(kCertificateBegin) || kCertificateBegin.starts_with(text);
}

}  // namespace

Bytes certificate_file_key(std::string_view pem) {
  Bytes key;
  if (pem.empty()) return key;
  while (!pem.empty()) {
    if (!pem.starts_with(kCertificateBegin)) return {};
    const size_t end = pem.find(kEnd);
    if (end == std::string_view::npos) return {};
    const auto der =
        decode_block(pem.substr(kCertificateBegin.size(), end - kCertificateBegin.size()));
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
  auto names = std::make_unique<FileNames>(limits_of(directory));
  LS_CHECK(look_around(directory, *names));
  UniqueFd self(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!self) return io_failure(directory);
  return LotFolder(directory, std::move(lock), std::move(self), std::move(names));
}

std::filesystem::path LotFolder::file_of(std::string_view device_id,
                                         std::string_view suffix) const {
  return directory_ / (names_->stem_of(device_id) + std::string(suffix));
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

bool LotFolder::takes_files() const {
  const Bytes content(4096);
  return can_write(directory_ / ".linesign-station.probe", content);
}

bool LotFolder::keeps_secrets() const {
  struct stat info {};
  return ::fstat(lock_.get(), &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

Result<void> LotFolder::sync() const {
  if (::syncfs(self_.get()) != 0) return io_failure(directory_);
  return {};
}

}  // namespace linesign::client
