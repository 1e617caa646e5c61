// Module: a PKCS#11 module, loaded and initialised with its own locking.
//
// Lifetimes: Module > Slot > TokenSession, each declared after what it refers to. libp11 may
// initialise and finalise the same module beside us; both sides expect that.
//
// Errors   HsmModuleLoad; HsmUnavailable and others from ckr_error()
// Threads  every call may be made from any thread; a TokenSession belongs to one
// Source   PKCS#11 2.40 sections 5.4, 5.5
#ifndef LINESIGN_HSM_PKCS11_MODULE_H_
#define LINESIGN_HSM_PKCS11_MODULE_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <p11-kit/pkcs11.h>

#include "protocol/base/result.h"

namespace linesign {

struct LibraryInfo {
  std::string manufacturer;
  std::string description;
  std::string library_version;   // "2.6"
  std::string cryptoki_version;  // "2.40"
};

enum class SlotFilter : uint8_t { All, WithToken };

class Module final {
 public:
  static Result<Module> load(const std::filesystem::path& path);

  // Finalises and unloads. The destructor does the same and cannot report.
  Result<void> close();

  const CK_FUNCTION_LIST* functions() const { return functions_.get(); }
  Result<LibraryInfo> info() const;
  Result<std::vector<CK_SLOT_ID>> slots(SlotFilter filter) const;

 private:
  struct Unload {
    void operator()(void* library) const;
  };
  struct Finalize {
    void operator()(CK_FUNCTION_LIST* functions) const;
  };
  Module() = default;

  std::unique_ptr<void, Unload> library_;
  std::unique_ptr<CK_FUNCTION_LIST, Finalize> functions_;  // belongs to the module, not freed
};

// Fixed-size fields of PKCS#11 are padded with blanks (by some modules with zero bytes).
std::string padded_text(const unsigned char* field, size_t size);

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_MODULE_H_
