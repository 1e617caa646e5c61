#include "appliance/ledger/database.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include <Poco/Data/SQLite/Connector.h>
#include <Poco/Data/SQLite/Utility.h>
#include <Poco/Data/Statement.h>
#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign {
namespace {

using namespace Poco::Data::Keywords;  // NOLINT(google-build-using-namespace): Poco's own idiom

constexpr const char* kLockName = "ledger.lock";
// Long enough for somebody's quick look with sqlite3(1), short enough for a start.
constexpr int kBusyMilliseconds = 2000;

// The folder's own troubles, in the words of the ledger.
tl::unexpected<Error> file_failure(const std::filesystem::path& path, int error_number) {
  const bool is_full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  return fail(is_full ? ErrorCode::LedgerDiskFull : ErrorCode::LedgerUnavailable,
              fmt::format("{}: {}", path.string(), errno_text(error_number)));
}

// After a failed fsync Linux calls pages clean that never reached the disk: reading them back shows
// what is not there. Writing the same bytes again makes them dirty, so that this fsync is honest.
Result<void> write_again(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd && errno == ENOENT) return {};
  if (!fd) return file_failure(path, errno);
  Bytes buffer(1024 * 1024);
  off_t offset = 0;
  for (;;) {
    const ssize_t got = ::pread(fd.get(), buffer.data(), buffer.size(), offset);
    if (got < 0) return file_failure(path, errno);
    if (got == 0) break;
    const ssize_t put = ::pwrite(fd.get(), buffer.data(), static_cast<size_t>(got), offset);
    if (put <= 0) return file_failure(path, put < 0 ? errno : EIO);
    offset += put;
  }
  if (::fsync(fd.get()) != 0) return file_failure(path, errno);
  return {};
}

// SQLite would make the file readable by everybody, and its -wal after the same pattern.
Result<void> make_private_file(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return file_failure(path, errno);
  return {};
}

Result<void> sync_folder(const std::filesystem::path& path) {
  if (auto synced = sync_directory(path); !synced.has_value())
    return fail(ErrorCode::LedgerUnavailable, synced.error().detail());
  return {};
}

// For the name of a file that nobody expects and that must meet no other.
std::string unique_suffix() {
  std::array<uint8_t, 6> number{};
  sqlite3_randomness(static_cast<int>(number.size()), number.data());
  return to_hex(number);
}

// "file:/path?vfs=name"; SQLite decodes percent signs.
std::string connection_string(const std::filesystem::path& path, const std::string& vfs) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  if (!vfs.empty()) uri += "?vfs=" + vfs;
  return uri;
}

}  // namespace

Result<Database::Lock> Database::Lock::take(const std::filesystem::path& path) {
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return file_failure(path, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return file_failure(path, errno);
    std::array<char, 32> owner{};
    const ssize_t got = ::pread(lock.get(), owner.data(), owner.size() - 1, 0);
    return fail(ErrorCode::LedgerInUse,
                fmt::format("{}: held by process {}", path.string(), got > 0 ? owner.data() : "?"));
  }
  // For the message above and for linesign-audit, so a full disk does not matter here.
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock.get(), 0) == 0)
    static_cast<void>(::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0);
  return Lock(std::move(lock));
}

Database::Lock::~Lock() {
  if (fd_) static_cast<void>(::ftruncate(fd_.get(), 0) == 0);
}

Database::Database(std::filesystem::path file, Lock lock, Poco::Data::Session session)
    : file_(std::move(file)),
      lock_(std::move(lock)),
      session_(std::move(session)),
      handle_(Poco::Data::SQLite::Utility::dbHandle(session_)) {}

Result<std::unique_ptr<Database>> Database::open(const LedgerSettings& settings,
                                                 int64_t oldest_schema,
                                                 const LedgerId* only) {
  const std::filesystem::path& directory = settings.directory;
  if (auto made = make_directories(directory, 0700); !made.has_value())
    return fail(ErrorCode::LedgerUnavailable, made.error().detail());
  LS_TRY(Lock lock, Lock::take(directory / kLockName));
  const std::filesystem::path file = directory / kLedgerFileName;
  const std::filesystem::path log = file.string() + "-wal";
  std::error_code error;
  const bool has_log = std::filesystem::exists(log, error) || error;
  LS_CHECK(write_again(log));
  LS_CHECK(make_private_file(file));
  auto database =
      guarded(nullptr, "opening " + file.string(), [&]() -> Result<std::unique_ptr<Database>> {
        Poco::Data::SQLite::Connector::registerConnector();
        Poco::Data::Session session("SQLite", connection_string(file, settings.vfs));
        return std::unique_ptr<Database>(new Database(file, std::move(lock), std::move(session)));
      });
  if (!database.has_value()) return database;
  if (has_log) (*database)->keep_wal();
  LS_CHECK((*database)->configure());
  LS_CHECK((*database)->migrate(oldest_schema, only));
  LS_CHECK((*database)->empty_wal());
  LS_CHECK(sync_folder(directory));
  LS_TRY((*database)->files_, LedgerFiles::watch(file));
  return database;
}

Result<void> Database::configure() {
  sqlite3_extended_result_codes(handle_, 0);  // Poco's table of exceptions knows the plain ones
  sqlite3_busy_timeout(handle_, kBusyMilliseconds);
  // locking_mode comes first: set before the first access, the WAL's index lives in memory and no
  // other process can come in. page_size counts for a new file only.
  LS_CHECK(
      script("PRAGMA locking_mode = EXCLUSIVE;"
             "PRAGMA page_size = 4096;"
             "PRAGMA auto_vacuum = NONE;",
             "configuring the ledger"));
  const Result<std::string> mode =
      guarded(handle_, "configuring the ledger", [&]() -> Result<std::string> {
        std::string name;
        session_ << "PRAGMA journal_mode = WAL", into(name), now;
        return name;
      });
  if (!mode.has_value()) return fail(mode.error());
  if (*mode != "wal") return fail(ErrorCode::LedgerUnavailable, "journal_mode is " + *mode);
  LS_CHECK(
      script("PRAGMA synchronous = FULL;"
             "PRAGMA foreign_keys = ON;"
             "PRAGMA trusted_schema = OFF;"
             "PRAGMA secure_delete = OFF;"  // nothing in the ledger is secret
             "PRAGMA temp_store = MEMORY;"
             "PRAGMA cache_size = -65536;",  // KiB
             "configuring the ledger"));
  sqlite3_wal_autocheckpoint(handle_, kCheckpointPages);
  return {};
}

Result<void> Database::migrate(int64_t oldest_schema, const LedgerId* only) {
  LS_TRY(const int64_t application, number("PRAGMA application_id"));
  LS_TRY(const int64_t version, number("PRAGMA user_version"));
  const auto known = ledger_migrations();
  if (application == 0 && version == 0) {
    LS_TRY(const int64_t pages, number("PRAGMA schema_version"));
    if (pages != 0) return fail(ErrorCode::LedgerCorrupt, "the file is not a ledger of linesign");
  } else if (application != kLedgerApplicationId) {
    return fail(ErrorCode::LedgerCorrupt, "the file is not a ledger of linesign");
  }
  if (version == 0 && oldest_schema > 0)
    return fail(ErrorCode::LedgerUnknown,
                fmt::format("{} is empty; this appliance has used another one. To use it from now "
                            "on: linesignd --new-ledger",
                            file_.string()));
  if (version < oldest_schema)
    return fail(ErrorCode::LedgerOlder,
                fmt::format("{} was written by an older version of linesign (schema {}) than this "
                            "appliance has used. To go on with it, as after the restore of a "
                            "backup: linesignd --restored-ledger",
                            file_.string(),
                            version));
  if (version > static_cast<int64_t>(known.size()))
    return fail(ErrorCode::LedgerSchemaNewer,
                fmt::format("it has schema {}, this program knows {}", version, known.size()));
  if (only != nullptr && version > 0 && version < kSchemaWithIdentity)
    LS_CHECK(check_first_serial(*only));
  return apply(known.subspan(static_cast<size_t>(version)), known.size());
}

// What 0004_identity.sql would name it after. An empty one is nobody's.
Result<void> Database::check_first_serial(const LedgerId& only) {
  LS_TRY(
      const int64_t others,
      number(fmt::format("SELECT count(*) FROM (SELECT serial FROM issuance WHERE id = 1 UNION ALL"
                         " SELECT serial FROM void_issuance WHERE issuance_id = 1)"
                         " WHERE serial <> x'{}'",
                         to_hex(only))));
  if (others == 0) return {};
  return fail(ErrorCode::LedgerUnknown,
              fmt::format("{} is another ledger than the recorded one. To use it from now on: "
                          "linesignd --new-ledger",
                          file_.string()));
}

// In one transaction: whatever interrupts it leaves the schema that was found, or the present one.
Result<void> Database::apply(std::span<const Migration> missing, size_t schema) {
  if (missing.empty()) return {};
  std::string whole = "BEGIN IMMEDIATE;\n";
  for (const Migration& each : missing) whole += std::string(each.sql) + "\n";
  whole += fmt::format("PRAGMA application_id = {};\nPRAGMA user_version = {};\nCOMMIT;",
                       kLedgerApplicationId,
                       schema);
  return script(whole.c_str(), missing.back().name.data());
}

Result<void> Database::script(const char* sql, const char* purpose) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  const Error error = sqlite_error(handle_, sqlite3_extended_errcode(handle_), purpose);
  return fail(error.code(), error.detail() + ": " + sqlite3_errmsg(handle_));
}

Result<int64_t> Database::number(const std::string& sql) {
  return guarded(handle_, sql, [&]() -> Result<int64_t> {
    Poco::Int64 value = 0;
    session_ << sql, into(value), now;
    return value;
  });
}

// Moves what a former owner left in the log into the file and syncs both.
Result<void> Database::empty_wal() {
  const int code =
      sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  return fail(
      sqlite_error(handle_, sqlite3_extended_errcode(handle_), "emptying the write-ahead log"));
}

void Database::keep_wal() {
  int keep = 1;
  sqlite3_file_control(handle_, nullptr, SQLITE_FCNTL_PERSIST_WAL, &keep);
}

Result<void> Database::prepare_close() {
  LS_CHECK(empty_wal());
  return files_.check();
}

Result<void> Database::roll_back() {
  if (sqlite3_get_autocommit(handle_) != 0) return {};
  return script("ROLLBACK", "rolling back");
}

Result<std::string> Database::rescue(const std::filesystem::path& spare_folder) {
  keep_wal();  // what is at its path now may be somebody else's
  const Result<void> emptied = empty_wal();
  if (const std::string place = files_.path_of_database(); !place.empty()) {
    LS_CHECK(emptied);
    LS_TRY(const std::string aside, put_foreign_log_aside());
    return "every committed row is in " + place + aside;
  }
  // The database has no name any more: it ends with this process, so a copy is made.
  Result<std::filesystem::path> copy = copy_into(file_.parent_path());
  if (!copy.has_value() && !spare_folder.empty()) copy = copy_into(spare_folder);
  if (!copy.has_value()) return fail(copy.error());
  // Back to its own name, if nobody else has taken it or left a log there.
  std::error_code error;
  const auto log_bytes = std::filesystem::file_size(file_.string() + "-wal", error);
  if ((error || log_bytes == 0) && move_into_place(*copy, file_, Overwrite::Refuse).has_value()) {
    copy = file_;
    LS_CHECK(sync_folder(file_.parent_path()));
  }
  return "every committed row was copied to " + copy->string();
}

// The next start would apply it to our database. Beside a database of somebody else it is theirs.
Result<std::string> Database::put_foreign_log_aside() {
  const std::filesystem::path log = file_.string() + "-wal";
  if (!files_.has_in_place(file_) || files_.has_in_place(log)) return std::string();
  struct stat status {};
  if (::lstat(log.c_str(), &status) != 0)
    return errno == ENOENT ? Result<std::string>(std::string()) : file_failure(log, errno);
  if (S_ISREG(status.st_mode) && status.st_size == 0) return std::string();
  const std::filesystem::path aside = log.string() + ".foreign-" + unique_suffix();
  if (auto moved = move_into_place(log, aside, Overwrite::Refuse); !moved.has_value())
    return fail(ErrorCode::LedgerUnavailable, moved.error().detail());
  LS_CHECK(sync_folder(file_.parent_path()));
  return "; the log that somebody put beside it is now " + aside.string();
}

// A copy with a name of its own, or nothing.
Result<std::filesystem::path> Database::copy_into(const std::filesystem::path& folder) {
  const std::filesystem::path target =
      folder / fmt::format("ledger-rescued-{}.sqlite", unique_suffix());
  Result<void> copied = copy_to(target);
  if (copied.has_value()) copied = sync_folder(folder);
  if (copied.has_value()) return target;
  ::unlink(target.c_str());
  ::unlink((target.string() + "-journal").c_str());
  return fail(copied.error());
}

// Page by page, from the files that are still open.
Result<void> Database::copy_to(const std::filesystem::path& target) {
  const UniqueFd made(::open(target.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made) return file_failure(target.parent_path(), errno);
  const auto close = [](sqlite3* database) { sqlite3_close(database); };
  sqlite3* opened = nullptr;
  int code = sqlite3_open(target.c_str(), &opened);
  const std::unique_ptr<sqlite3, decltype(close)> copy(opened, close);
  if (code == SQLITE_OK) {
    sqlite3_backup* backup = sqlite3_backup_init(opened, "main", handle_, "main");
    if (backup != nullptr) sqlite3_backup_step(backup, -1);
    code = backup != nullptr ? sqlite3_backup_finish(backup) : sqlite3_errcode(opened);
  }
  if (code == SQLITE_OK) return {};
  return fail(
      sqlite_error(opened, code, "copying the ledger into " + target.parent_path().string()));
}

}  // namespace linesign
