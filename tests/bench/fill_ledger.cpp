// fill_ledger: a ledger with as many certificates as a plant makes in years, within minutes, to see
// whether the appliance minds.
//
//   fill_ledger --ledger DIR --rows N [--tbs BYTES]
//
// The schema is made by the ledger itself, and so are station and profile; the rows are as long and
// as random as real ones, with their deliveries, but the certificates are noise. Durability is
// switched off while they are written, for this file only, and SQLite gets much memory: the UNIQUE
// indexes are random, and belong to the tables, so they grow with every row.
//
// Exit code: 0; 64 wrong usage; 65 there is a ledger already; 74 disk or database
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sqlite3.h>

#include "appliance/ledger/ledger.h"

namespace linesign {
namespace {

constexpr uint64_t kRowsPerLine = 250'000;
constexpr uint64_t kBytesPerRow = 620;  // beside the TBS: columns, signature, five B-trees
constexpr uint64_t kSpareBytes = 1ULL << 30;
constexpr size_t kSignatureBytes = 71;
constexpr int64_t kFirstIssuedAt = 1'700'000'000;
constexpr int64_t kRowsPerSecond = 50;  // of the years that are told of
constexpr int64_t kMostCacheKib = 8LL * 1024 * 1024;

struct Options {
  std::string folder;
  uint64_t rows = 0;
  size_t tbs_bytes = 600;
};

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
struct EndStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, EndStatement>;

class Database final {
 public:
  static Result<Database> open(const std::string& file) {
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr);
    Database database(handle);
    if (code != SQLITE_OK) return fail(database.error());
    return database;
  }
  Result<void> run(const std::string& sql) {
    if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
      return fail(error());
    return {};
  }
  Result<Statement> prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_.get(), sql, -1, &statement, nullptr) != SQLITE_OK)
      return fail(error());
    return Statement(statement);
  }
  Result<void> step(const Statement& statement) {
    if (sqlite3_step(statement.get()) != SQLITE_DONE) return fail(error());
    sqlite3_reset(statement.get());
    return {};
  }
  // The first column of all rows, one after the other.
  Result<std::string> text(const char* sql) {
    LS_TRY(const Statement statement, prepare(sql));
    std::string all;
    while (sqlite3_step(statement.get()) == SQLITE_ROW) {
      const auto* value = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 0));
      all += value == nullptr ? "" : value;
      all += '\n';
    }
    return all;
  }
  Error error() const { return Error(ErrorCode::LedgerUnavailable, sqlite3_errmsg(handle_.get())); }

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3, CloseDatabase> handle_;
};

void put(const Statement& statement, int index, ByteView bytes) {
  sqlite3_bind_blob(
      statement.get(), index, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
}
void put(const Statement& statement, int index, int64_t number) {
  sqlite3_bind_int64(statement.get(), index, number);
}

// --- what the ledger makes itself ----------------------------------------------------------------

struct References {
  int64_t station = 0;
  Sha256 profile{};
};

Result<References> make_ledger(const std::string& folder) {
  constexpr UnixTime kAt{std::chrono::seconds(kFirstIssuedAt)};
  const Bytes der(700, 0x30);
  References made;
  made.profile.fill(0xab);
  LS_TRY(const auto ledger, Ledger::open({.directory = folder}));
  LS_CHECK(ledger->begin());
  LS_CHECK(ledger->remember_profile(made.profile, "filled for a measurement\n", der, der, kAt));
  LS_TRY(const StationRecord station,
         ledger->add_station("filler", made.profile, kAt, kAt + std::chrono::hours(1)));
  LS_CHECK(ledger->activate_station(station.id, made.profile, der, kAt));
  LS_CHECK(ledger->commit());
  made.station = station.id;
  return made;
}

// --- rows ----------------------------------------------------------------------------------------

class Filler final {
 public:
  static Result<Filler> create(Database& database, const References& made, size_t tbs_bytes) {
    LS_TRY(
        Statement issuance,
        database.prepare("INSERT INTO issuance (id, serial, order_id, device_id, request_id,"
                         " station_id, csr_sha256, key_sha256, profile_id, issued_at, tbs)"
                         " VALUES (?, ?, 1, ?, ?, ?, ?, ?, (SELECT max(id) FROM profile), ?, ?)"));
    LS_TRY(Statement certificate,
           database.prepare("INSERT INTO certificate (issuance_id, signature, committed_at)"
                            " VALUES (?, ?, ?)"));
    LS_TRY(Statement delivery,
           database.prepare("INSERT INTO delivery (issuance_id, station_id, delivered_at)"
                            " VALUES (?, ?, ?)"));
    return Filler(database,
                  made,
                  tbs_bytes,
                  std::move(issuance),
                  std::move(certificate),
                  std::move(delivery));
  }

  Result<void> add(uint64_t row) {
    const auto id = static_cast<int64_t>(row);
    const int64_t at = kFirstIssuedAt + id / kRowsPerSecond;
    for (const std::span<uint8_t> noise : {std::span<uint8_t>(serial_),
                                           std::span<uint8_t>(request_),
                                           std::span<uint8_t>(csr_),
                                           std::span<uint8_t>(key_),
                                           std::span<uint8_t>(tbs_).first(kNoiseOfTbs),
                                           std::span<uint8_t>(signature_)})
      draw(noise);
    serial_[0] = static_cast<uint8_t>(0x40 | (serial_[0] & 0x3f));
    device_ = fmt::format("FILL-{:010}", row);
    put(issuance_, 1, id);
    put(issuance_, 2, serial_);
    sqlite3_bind_text(
        issuance_.get(), 3, device_.data(), static_cast<int>(device_.size()), nullptr);
    put(issuance_, 4, request_);
    put(issuance_, 5, made_.station);
    put(issuance_, 6, csr_);
    put(issuance_, 7, key_);
    put(issuance_, 8, at);
    put(issuance_, 9, tbs_);
    LS_CHECK(database_.step(issuance_));
    put(certificate_, 1, id);
    put(certificate_, 2, signature_);
    put(certificate_, 3, at);
    LS_CHECK(database_.step(certificate_));
    put(delivery_, 1, id);
    put(delivery_, 2, made_.station);
    put(delivery_, 3, at);
    return database_.step(delivery_);
  }

 private:
  static constexpr size_t kNoiseOfTbs = 160;  // serial, key and its hash; the rest is the same

  Filler(Database& database,
         const References& made,
         size_t tbs_bytes,
         Statement issuance,
         Statement certificate,
         Statement delivery)
      : database_(database),
        made_(made),
        issuance_(std::move(issuance)),
        certificate_(std::move(certificate)),
        delivery_(std::move(delivery)),
        tbs_(std::max(tbs_bytes, kNoiseOfTbs), 0x31) {}

  void draw(std::span<uint8_t> into) {
    for (size_t i = 0; i < into.size();) {
      uint64_t number = random_();
      for (int byte = 0; byte < 8 && i < into.size(); ++byte, ++i, number >>= 8)
        into[i] = static_cast<uint8_t>(number);
    }
  }

  Database& database_;
  References made_;
  Statement issuance_;
  Statement certificate_;
  Statement delivery_;
  std::mt19937_64 random_{std::random_device{}()};
  std::string device_;
  SerialNumber serial_{};
  RequestId request_{};
  Sha256 csr_{};
  Sha256 key_{};
  Bytes tbs_;
  std::array<uint8_t, kSignatureBytes> signature_{};
};

// --- around them ---------------------------------------------------------------------------------

// Half of the memory that is free.
int64_t cache_kib() {
  std::ifstream memory("/proc/meminfo");
  for (std::string name, unit; memory >> name;) {
    int64_t kib = 0;
    if (memory >> kib && name == "MemAvailable:") return std::min(kib / 2, kMostCacheKib);
    std::getline(memory, unit);
  }
  return kMostCacheKib / 16;
}

Result<void> check_room(const Options& options) {
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  if (std::filesystem::exists(std::filesystem::path(options.folder) / "ledger.sqlite", error))
    return fail(ErrorCode::FileExists, options.folder + " holds a ledger");
  struct statvfs disk {};
  if (::statvfs(options.folder.c_str(), &disk) != 0) return fail(ErrorCode::Io, options.folder);
  const uint64_t free = disk.f_bavail * disk.f_frsize;
  const uint64_t wanted = options.rows * (options.tbs_bytes + kBytesPerRow) + kSpareBytes;
  fmt::print("{:.1f} GiB are free in {}, at most {:.1f} GiB are needed\n",
             static_cast<double>(free) / kSpareBytes,
             options.folder,
             static_cast<double>(wanted) / kSpareBytes);
  if (free < wanted) return fail(ErrorCode::LedgerDiskFull, options.folder);
  return {};
}

constexpr const char* kSchema =
    "SELECT type || name || coalesce(sql, '') FROM sqlite_schema"
    " ORDER BY type, name";

void report(uint64_t rows, SteadyTime start) {
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  fmt::print("{} rows in {:.0f} s, {:.0f} rows/s\n",
             rows,
             time.count(),
             static_cast<double>(rows) / time.count());
  static_cast<void>(std::fflush(stdout));
}

Result<void> write_rows(Database& database, const References& made, const Options& options) {
  LS_TRY(Filler filler, Filler::create(database, made, options.tbs_bytes));
  const auto start = std::chrono::steady_clock::now();
  // One transaction: each commit would write nearly all pages of the random indexes once more.
  LS_CHECK(database.run("BEGIN"));
  for (uint64_t row = 1; row <= options.rows; ++row) {
    LS_CHECK(filler.add(row));
    if (row % kRowsPerLine == 0) report(row, start);
  }
  LS_CHECK(database.run(
      fmt::format("UPDATE production_order SET reserved = {} WHERE id = 1", options.rows)));
  LS_CHECK(database.run("COMMIT"));
  report(options.rows, start);
  return {};
}

Result<void> fill(const Options& options) {
  LS_CHECK(check_room(options));
  LS_TRY(const References made, make_ledger(options.folder));
  const std::string file = options.folder + "/ledger.sqlite";
  {
    LS_TRY(Database database, Database::open(file));
    LS_TRY(const std::string before, database.text(kSchema));
    LS_CHECK(
        database.run("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE;"
                     "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                     "PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY;"));
    LS_CHECK(database.run(fmt::format("PRAGMA cache_size = -{}", cache_kib())));
    LS_CHECK(write_rows(database, made, options));
    LS_TRY(const std::string after, database.text(kSchema));
    if (before != after) return fail(ErrorCode::Internal, "the schema has changed");
  }
  // The judge is the ledger itself; from here on everything is durable again.
  LS_TRY(const auto ledger, Ledger::open({.directory = options.folder}));
  LS_TRY(const LedgerSummary summary, ledger->summary());
  if (summary.certificates != options.rows || summary.intents != 0)
    return fail(ErrorCode::Internal, fmt::format("the ledger counts {}", summary.certificates));
  ::sync();
  fmt::print("{} certificates in {}, {:.2f} GiB\n",
             summary.certificates,
             file,
             static_cast<double>(std::filesystem::file_size(file)) / kSpareBytes);
  return {};
}

}  // namespace
}  // namespace linesign

int main(int argc, char** argv) {
  linesign::Options options;
  CLI::App app("Fills a new ledger with certificates that are noise.", "fill_ledger");
  app.add_option("--ledger", options.folder, "The folder; must hold no ledger")->required();
  app.add_option("--rows", options.rows, "How many certificates")
      ->required()
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}));
  app.add_option("--tbs", options.tbs_bytes, "Bytes of each TBS")->capture_default_str();
  constexpr int kExitUsage = 64;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "fill_ledger: {}\n", error.what());
    return kExitUsage;
  }
  const auto filled = linesign::fill(options);
  if (filled.has_value()) return 0;
  fmt::print(stderr, "fill_ledger: {}\n", filled.error().to_string());
  return filled.error().exit_code();
}
