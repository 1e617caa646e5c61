// FaultVfs: SQLite's file layer with a switch: writes or syncs fail from step N on.
//
// Everything else goes to SQLite's own "unix" layer, so that what succeeded is really on disk.
//
// Threads  fail() and heal() from any thread
#ifndef LINESIGN_TESTS_SUPPORT_FAULT_VFS_H_
#define LINESIGN_TESTS_SUPPORT_FAULT_VFS_H_

#include <cstdint>
#include <string>

namespace linesign::testing {

enum class FaultAt : uint8_t { Nothing, Write, Sync };

class FaultVfs final {
 public:
  // Registers it; give this name to LedgerSettings::vfs.
  static std::string name();

  // After `skip` more operations of this kind on the write-ahead log, `times` of them fail with
  // this SQLite code.
  static void fail(FaultAt what, int skip, int code, int times = 1'000'000'000);
  static void heal();
  static int failures();  // since the last fail()
};

}  // namespace linesign::testing

#endif  // LINESIGN_TESTS_SUPPORT_FAULT_VFS_H_
