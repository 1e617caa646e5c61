#include "hsm/pkcs11/module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "hsm/pkcs11/recovery.h"

namespace linesign {
namespace {

// dlerror() is the only place where the reason stands.
std::string load_failure(const std::filesystem::path& path) {
  const char* reason = ::dlerror();
  return fmt::format("{}: {}", path.string(), reason != nullptr ? reason : "unknown reason");
}

std::string version_text(const CK_VERSION& version) {
  return fmt::format("{}.{}", version.major, version.minor);
}

}  // namespace

std::string padded_text(const unsigned char* field, size_t size) {
  std::string text(reinterpret_cast<const char*>(field), size);
  if (const size_t zero = text.find('\0'); zero != std::string::npos) text.resize(zero);
  const size_t last = text.find_last_not_of(' ');
  text.resize(last == std::string::npos ? 0 : last + 1);
  return text;
}

void Module::Unload::operator()(void* library) const { ::dlclose(library); }

void Module::Finalize::operator()(CK_FUNCTION_LIST* functions) const {
  functions->C_Finalize(nullptr);
}

Result<Module> Module::load(const std::filesystem::path& path) {
  Module module;
  module.library_.reset(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!module.library_) return fail(ErrorCode::HsmModuleLoad, load_failure(path));
  // POSIX lets an object pointer from dlsym be used as a function pointer; C++ wants it spelled.
  const auto get_function_list =
      reinterpret_cast<CK_C_GetFunctionList>(::dlsym(module.library_.get(), "C_GetFunctionList"));
  if (get_function_list == nullptr)
    return fail(ErrorCode::HsmModuleLoad,
                fmt::format("{}: no PKCS#11 module (no C_GetFunctionList)", path.string()));
  CK_FUNCTION_LIST* functions = nullptr;
  CK_RV rv = get_function_list(&functions);
  if (rv != CKR_OK || functions == nullptr)
    return fail(ErrorCode::HsmModuleLoad,
                fmt::format("{}: C_GetFunctionList: {}", path.string(), ckr_name(rv)));
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  rv = functions->C_Initialize(&arguments);
  if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)
    return fail(ckr_error("C_Initialize", rv));
  module.functions_.reset(functions);
  return module;
}

Result<void> Module::close() {
  const CK_RV rv = functions_ ? functions_.release()->C_Finalize(nullptr) : CKR_OK;
  library_.reset();
  if (rv != CKR_OK && rv != CKR_CRYPTOKI_NOT_INITIALIZED) return fail(ckr_error("C_Finalize", rv));
  return {};
}

Result<LibraryInfo> Module::info() const {
  CK_INFO info{};
  if (const CK_RV rv = functions_->C_GetInfo(&info); rv != CKR_OK)
    return fail(ckr_error("C_GetInfo", rv));
  return LibraryInfo{padded_text(info.manufacturerID, sizeof(info.manufacturerID)),
                     padded_text(info.libraryDescription, sizeof(info.libraryDescription)),
                     version_text(info.libraryVersion),
                     version_text(info.cryptokiVersion)};
}

Result<std::vector<CK_SLOT_ID>> Module::slots(SlotFilter filter) const {
  const CK_BBOOL with_token = filter == SlotFilter::WithToken ? CK_TRUE : CK_FALSE;
  // A slot may appear between the two calls; then the second one says so and it is done again.
  constexpr int kTries = 3;
  for (int i = 0; i < kTries; ++i) {
    CK_ULONG count = 0;
    CK_RV rv = functions_->C_GetSlotList(with_token, nullptr, &count);
    if (rv != CKR_OK) return fail(ckr_error("C_GetSlotList", rv));
    std::vector<CK_SLOT_ID> slots(count);
    if (count == 0) return slots;
    rv = functions_->C_GetSlotList(with_token, slots.data(), &count);
    if (rv == CKR_BUFFER_TOO_SMALL) continue;
    if (rv != CKR_OK) return fail(ckr_error("C_GetSlotList", rv));
    slots.resize(count);
    return slots;
  }
  return fail(ckr_error("C_GetSlotList", CKR_BUFFER_TOO_SMALL));
}

}  // namespace linesign
