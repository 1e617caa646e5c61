// The PKCS#11 module that a test module passes its calls on to.
#ifndef LINESIGN_TESTS_SUPPORT_MODULE_BEHIND_H_
#define LINESIGN_TESTS_SUPPORT_MODULE_BEHIND_H_

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

namespace linesign::testing {

constexpr const char* kSoftHsmModule = "/usr/lib/softhsm/libsofthsm2.so";

// Null: it cannot be loaded. It stays loaded until the process ends.
inline CK_FUNCTION_LIST* load_module_behind(const char* path = kSoftHsmModule) {
  void* library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST* functions = nullptr;
  return get != nullptr && get(&functions) == CKR_OK ? functions : nullptr;
}

}  // namespace linesign::testing

#endif  // LINESIGN_TESTS_SUPPORT_MODULE_BEHIND_H_
