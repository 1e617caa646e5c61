#include "tests/support/fault_vfs.h"

#include <algorithm>
#include <mutex>
#include <new>

#include <sqlite3.h>

namespace linesign::testing {
namespace {

constexpr const char* kName = "linesign-fault";

struct Plan {
  std::mutex mutex;
  FaultAt what = FaultAt::Nothing;
  int skip = 0;
  int times = 0;
  int code = 0;
  int failures = 0;

  // The code with which this operation is to fail, or SQLITE_OK.
  int next(FaultAt operation) {
    const std::lock_guard lock(mutex);
    if (operation != what) return SQLITE_OK;
    if (skip > 0) {
      --skip;
      return SQLITE_OK;
    }
    if (times == 0) return SQLITE_OK;
    --times;
    ++failures;
    return code;
  }
};

Plan& plan() {
  static Plan only;
  return only;
}

sqlite3_vfs* real_vfs() {
  static sqlite3_vfs* const kReal = sqlite3_vfs_find("unix");
  return kReal;
}

// SQLite allocates this, and behind it room for the real file.
struct FaultFile {
  sqlite3_file base;
  bool is_wal;
};

constexpr int kRealOffset = (static_cast<int>(sizeof(FaultFile)) + 15) / 16 * 16;

sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + kRealOffset);
}

int fault(sqlite3_file* file, FaultAt operation) {
  return reinterpret_cast<FaultFile*>(file)->is_wal ? plan().next(operation) : SQLITE_OK;
}

int x_close(sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); }
int x_read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), to, n, at);
}
int x_write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (const int code = fault(f, FaultAt::Write); code != SQLITE_OK) return code;
  return real(f)->pMethods->xWrite(real(f), from, n, at);
}
int x_truncate(sqlite3_file* f, sqlite3_int64 n) {
  return real(f)->pMethods->xTruncate(real(f), n);
}
int x_sync(sqlite3_file* f, int flags) {
  if (const int code = fault(f, FaultAt::Sync); code != SQLITE_OK) return code;
  return real(f)->pMethods->xSync(real(f), flags);
}
int x_file_size(sqlite3_file* f, sqlite3_int64* size) {
  return real(f)->pMethods->xFileSize(real(f), size);
}
int x_lock(sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); }
int x_unlock(sqlite3_file* f, int level) { return real(f)->pMethods->xUnlock(real(f), level); }
int x_check(sqlite3_file* f, int* out) {
  return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
int x_control(sqlite3_file* f, int op, void* arg) {
  return real(f)->pMethods->xFileControl(real(f), op, arg);
}
int x_sector(sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); }
int x_device(sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }

// Version 1: no shared memory, no memory mapping. Exclusive locking needs neither.
const sqlite3_io_methods kMethods = {1,
                                     x_close,
                                     x_read,
                                     x_write,
                                     x_truncate,
                                     x_sync,
                                     x_file_size,
                                     x_lock,
                                     x_unlock,
                                     x_check,
                                     x_control,
                                     x_sector,
                                     x_device,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr};

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  auto* own =
      new (file) FaultFile{.base = {.pMethods = nullptr}, .is_wal = (flags & SQLITE_OPEN_WAL) != 0};
  const int code = real_vfs()->xOpen(real_vfs(), path, real(file), flags, out_flags);
  if (real(file)->pMethods != nullptr) own->base.pMethods = &kMethods;
  return code;
}

bool register_vfs() {
  static sqlite3_vfs shim = *real_vfs();
  shim.zName = kName;
  shim.pNext = nullptr;
  shim.szOsFile = kRealOffset + real_vfs()->szOsFile;
  shim.xOpen = open_file;
  return sqlite3_vfs_register(&shim, 0) == SQLITE_OK;
}

}  // namespace

std::string FaultVfs::name() {
  sqlite3_initialize();
  static const bool kRegistered = register_vfs();
  return kRegistered ? kName : "";
}

void FaultVfs::fail(FaultAt what, int skip, int code, int times) {
  const std::lock_guard lock(plan().mutex);
  plan().what = what;
  plan().skip = skip;
  plan().code = code;
  plan().times = times;
  plan().failures = 0;
}

void FaultVfs::heal() {
  const std::lock_guard lock(plan().mutex);
  plan().what = FaultAt::Nothing;
}

int FaultVfs::failures() {
  const std::lock_guard lock(plan().mutex);
  return plan().failures;
}

}  // namespace linesign::testing
