#include "hsm/pkcs11/pin_memory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "protocol/base/file.h"
#include "protocol/base/file_owner.h"

namespace linesign {
namespace {

constexpr std::string_view kTitle = "linesign PIN memory 1";
constexpr size_t kBlockBytes = 4096;
constexpr mode_t kFolderMode = 0700;
constexpr mode_t kParentMode = 0750;
constexpr size_t kSaltBytes = 16;
constexpr size_t kHashBytes = 32;
// 16 MiB and some 40 ms for each guess.
constexpr uint64_t kScryptN = 1U << 14;
constexpr uint64_t kScryptR = 8;
constexpr uint64_t kScryptP = 1;
constexpr uint64_t kScryptMemory = 64UL * 1024 * 1024;
constexpr std::string_view kMustBelong =
    "pin_memory in [hsm] names this folder, or for another PIN file pin_memory in [manifest] or "
    "state_dir in [aws]; it and what is in it must belong to the user who reads the PIN file";
// Of logins without an answer, beyond kMaxUnknownTries.
constexpr std::chrono::minutes kFirstPause(1);
constexpr std::chrono::minutes kPause(10);
constexpr std::string_view kWhatHelps =
    "it is not tried again by itself; another PIN in the PIN file is, and `linesign doctor "
    "--try-pin` tries this one once more";
constexpr std::array<std::string_view, 3> kWords = {"accepted", "tried", "refused"};

std::chrono::seconds pause_after(int unknown_tries) {
  return unknown_tries <= kMaxUnknownTries ? kFirstPause : kPause;
}

Error io_error(const std::filesystem::path& path) {
  return Error(ErrorCode::Io,
               fmt::format("{}, which remembers PINs that were tried: {}; {}",
                           path.string(),
                           errno_text(errno),
                           kMustBelong));
}

// Each level that is missing, and the folder itself where root has left it to nobody. By
// descriptor: the owner of what is above can put a link under each name while root works there.
Result<UniqueFd> make_folder(const std::filesystem::path& folder, mode_t mode) {
  const auto above = folder.parent_path();
  std::error_code error;
  if (!above.empty() && !std::filesystem::exists(above, error))
    LS_CHECK(make_folder(above, kParentMode));
  const UniqueFd parent = open_folder_of(folder);
  if (!parent) return fail(io_error(folder));
  const std::string name = folder.filename().string();
  const bool is_new = ::mkdirat(parent.get(), name.c_str(), mode) == 0;
  if (!is_new && errno != EEXIST) return fail(io_error(folder));
  UniqueFd made(
      ::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made) return fail(io_error(folder));
  leave_to_owner_of(parent, made);
  if (is_new) LS_CHECK(sync_directory(above.empty() ? "." : above));
  return made;
}

// A file that is something else, or has a second name, is nobody's memory.
Result<UniqueFd> open_file(const UniqueFd& folder, const std::filesystem::path& path) {
  constexpr int kOpen = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  UniqueFd file(::openat(folder.get(), path.filename().c_str(), kOpen, 0600));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return fail(io_error(path));
  if (S_ISREG(status.st_mode) && status.st_nlink <= 1) return file;
  return fail(ErrorCode::Io,
              fmt::format("{}, which remembers PINs that were tried, is no file of its own; {}",
                          path.string(),
                          kMustBelong));
}

Result<std::string> read_block(const UniqueFd& file, const std::filesystem::path& path) {
  std::string block(kBlockBytes, '\0');
  const ssize_t got = ::pread(file.get(), block.data(), block.size(), 0);
  if (got < 0) return fail(io_error(path));
  block.resize(static_cast<size_t>(got));
  return block;
}

// In one call, always of one size: a process that is killed leaves the former block or the new one.
Result<void> write_block(const UniqueFd& file,
                         const std::filesystem::path& path,
                         const std::string& block) {
  errno = ENOSPC;  // of a short write
  if (::pwrite(file.get(), block.data(), block.size(), 0) != static_cast<ssize_t>(block.size()) ||
      ::fsync(file.get()) != 0)
    return fail(io_error(path));
  return {};
}

}  // namespace

PinMemory::PinMemory(std::filesystem::path path, UniqueFd file)
    : path_(std::move(path)), file_(std::move(file)) {}

Result<void> PinMemory::make(const std::filesystem::path& folder) {
  LS_CHECK(make_folder(folder.has_filename() ? folder : folder.parent_path(), kFolderMode));
  return {};
}

Result<PinMemory> PinMemory::open(const std::filesystem::path& folder,
                                  std::string_view token_serial) {
  LS_TRY(const UniqueFd opened,
         make_folder(folder.has_filename() ? folder : folder.parent_path(), kFolderMode));
  std::filesystem::path path = folder / ("pin-" + to_hex(as_bytes(token_serial)));
  LS_TRY(UniqueFd file, open_file(opened, path));
  PinMemory memory(std::move(path), std::move(file));
  // Two that start at once must not draw two salts.
  while (::flock(memory.file_.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail(io_error(memory.path_));
  auto loaded = memory.load();
  // Only what is a memory: another file of root's that was put here stays root's.
  if (loaded) leave_to_owner_of(opened, memory.file_);
  if (loaded && memory.block_.empty()) {
    memory.salt_.resize(kSaltBytes);
    if (RAND_bytes(memory.salt_.data(), kSaltBytes) != 1)
      return fail(ErrorCode::CryptoFailed, "RAND_bytes");
    LS_CHECK(memory.save());
    LS_CHECK(sync_directory(folder));
  }
  static_cast<void>(::flock(memory.file_.get(), LOCK_UN));
  if (!loaded) return fail(loaded.error());
  return memory;
}

Result<void> PinMemory::load() {
  LS_TRY(std::string block, read_block(file_, path_));
  if (!block.empty()) LS_CHECK(parse(block));
  block_ = std::move(block);
  return {};
}

Result<void> PinMemory::parse(std::string_view text) {
  // Io: whoever needs the memory comes again by himself, and nothing is tried meanwhile.
  const Error broken(ErrorCode::Io,
                     fmt::format("{} cannot be understood, so nobody knows which PINs were tried; "
                                 "remove it if the PIN file is right",
                                 path_.string()));
  std::istringstream in{std::string(text)};
  std::string line;
  std::string word;
  std::string hex;
  if (!std::getline(in, line) || line != kTitle || !(in >> word >> hex) || word != "salt")
    return fail(broken);
  auto salt = from_hex(hex);
  if (!salt || salt->size() != kSaltBytes) return fail(broken);
  std::vector<Entry> entries;
  word.clear();
  int64_t seconds = 0;
  for (int unknown = 0; in >> word >> hex >> seconds >> unknown;) {
    const auto* known = std::find(kWords.begin(), kWords.end(), word);
    auto hash = from_hex(hex);
    if (known == kWords.end() || !hash || hash->size() != kHashBytes || entries.size() == kMaxPins)
      return fail(broken);
    entries.push_back({static_cast<Word>(known - kWords.begin()),
                       std::move(*hash),
                       UnixTime(std::chrono::seconds(seconds)),
                       unknown});
    word.clear();
  }
  if (!in.eof() || !word.empty()) return fail(broken);
  salt_ = std::move(*salt);
  entries_ = std::move(entries);
  return {};
}

Result<void> PinMemory::save() {
  std::string block = fmt::format("{}\nsalt {}\n", kTitle, to_hex(salt_));
  for (const Entry& entry : entries_)
    block += fmt::format("{} {} {} {}\n",
                         kWords.at(static_cast<size_t>(entry.word)),
                         to_hex(entry.hash),
                         entry.at.time_since_epoch().count(),
                         entry.unknown);
  block.resize(kBlockBytes, '\n');
  LS_CHECK(write_block(file_, path_, block));
  block_ = std::move(block);
  return {};
}

Result<Bytes> PinMemory::hash_of(const SecretBytes& pin) const {
  Bytes hash(kHashBytes);
  if (EVP_PBE_scrypt(reinterpret_cast<const char*>(pin.reveal().data()),
                     pin.size(),
                     salt_.data(),
                     salt_.size(),
                     kScryptN,
                     kScryptR,
                     kScryptP,
                     kScryptMemory,
                     hash.data(),
                     hash.size()) != 1) {
    ERR_clear_error();
    return fail(ErrorCode::CryptoFailed, "EVP_PBE_scrypt");
  }
  return hash;
}

PinMemory::Entry* PinMemory::find(ByteView hash) {
  const auto found = std::find_if(
      entries_.begin(), entries_.end(), [&](const Entry& each) { return equal(each.hash, hash); });
  return found == entries_.end() ? nullptr : &*found;
}

bool PinMemory::is_due(const Entry& entry, UnixTime now) {
  const auto since = now - entry.at;
  return since >= pause_after(entry.unknown) || since <= -pause_after(entry.unknown);
}

Result<void> PinMemory::check_cut_off(const Entry& entry, bool is_count_low, UnixTime now) {
  if (entry.word != Word::Accepted || is_count_low)
    return fail(
        ErrorCode::HsmPinRefused,
        fmt::format("a login with this PIN was cut off at {}, and the token may have rejected "
                    "it; {}",
                    to_iso8601(entry.at),
                    kWhatHelps));
  if (entry.unknown < kMaxUnknownTries || is_due(entry, now)) return {};
  return fail(ErrorCode::SignerTimeout,
              fmt::format("the token did not answer the last {} logins with this PIN, which it had "
                          "accepted before; the next try is at {}, and `linesign doctor --try-pin` "
                          "tries at once",
                          entry.unknown,
                          to_iso8601(entry.at + pause_after(entry.unknown))));
}

Result<void> PinMemory::check(const Entry* entry, bool is_count_low, UnixTime now) const {
  if (entry == nullptr) {
    if (entries_.size() < kMaxPins) return {};
    return fail(ErrorCode::HsmPinRefused,
                fmt::format("{} PINs were tried since the last login; `linesign doctor --try-pin` "
                            "tries the one in the PIN file",
                            entries_.size()));
  }
  if (entry->word == Word::Refused)
    return fail(
        ErrorCode::HsmPinRefused,
        fmt::format("the token rejected this PIN at {}; {}", to_iso8601(entry->at), kWhatHelps));
  if (entry->word == Word::Accepted && entry->unknown == 0) return {};
  return check_cut_off(*entry, is_count_low, now);
}

Result<void> PinMemory::begin(const SecretBytes& pin,
                              bool is_ordered,
                              bool is_count_low,
                              UnixTime now) {
  LS_CHECK(load());
  LS_TRY(trying_, hash_of(pin));
  if (!is_ordered) LS_CHECK(check(find(trying_), is_count_low, now));
  before_ = entries_;
  if (find(trying_) == nullptr) {
    // Only an order gets here with a full list.
    if (entries_.size() == kMaxPins) entries_.erase(entries_.begin());
    entries_.push_back({Word::Tried, trying_, now, 0});
  }
  Entry& entry = *find(trying_);
  entry.at = now;
  ++entry.unknown;
  return save();
}

Result<void> PinMemory::end(LoginOutcome outcome) {
  Entry* entry = find(trying_);
  if (outcome == LoginOutcome::NotJudged || entry == nullptr) {
    entries_ = std::move(before_);
    return save();
  }
  entry->word = outcome == LoginOutcome::Accepted ? Word::Accepted : Word::Refused;
  entry->unknown = 0;
  if (outcome == LoginOutcome::Accepted) entries_ = {std::move(*entry)};
  return save();
}

Result<bool> PinMemory::allows_again(const SecretBytes& pin, bool is_count_low, UnixTime now) {
  struct stat status {};
  if (::fstat(file_.get(), &status) == 0 && status.st_nlink == 0) return true;
  LS_CHECK(load());
  if (block_ == watched_) return pausing_ && is_due(*pausing_, now);
  LS_TRY(const Bytes hash, hash_of(pin));
  watched_ = block_;
  const Entry* entry = find(hash);
  const auto checked = check(entry, is_count_low, now);
  pausing_.reset();
  if (!checked && checked.error().code() == ErrorCode::SignerTimeout) pausing_ = *entry;
  return checked.has_value();
}

}  // namespace linesign
