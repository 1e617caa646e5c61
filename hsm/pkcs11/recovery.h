// Recovery: what a return value of PKCS#11 (CKR) means for us, and what helps against it.
//
// Shape    one table: CKR, its name, our code, what to do
// Errors   an unknown or vendor value is HsmUnavailable, that is Restart
// Threads  no state, safe anywhere
// Source   PKCS#11 2.40 section 5.1
#ifndef LINESIGN_HSM_PKCS11_RECOVERY_H_
#define LINESIGN_HSM_PKCS11_RECOVERY_H_

#include <cstdint>
#include <source_location>
#include <span>
#include <string>
#include <string_view>

#include "protocol/base/error.h"

namespace linesign {

enum class Recovery : uint8_t {
  RetryAtOnce,  // the same item, the same session
  Restart,      // exit and be started again: sessions or handles are lost
  Stop          // a person must act; trying again would harm or be useless
};

struct CkrInfo {
  unsigned long value;
  std::string_view name;  // "CKR_DEVICE_ERROR"
  ErrorCode code;
};

std::span<const CkrInfo> ckr_list();  // in ascending order of value

// "CKR_DEVICE_ERROR", or "CKR 0x80000123" for a value that is not in the list.
std::string ckr_name(unsigned long value);

ErrorCode ckr_code(unsigned long value);

// "C_Sign: CKR_DEVICE_ERROR" with its code.
Error ckr_error(std::string_view call,
                unsigned long value,
                std::source_location where = std::source_location::current());

// What helps against an error of signing or of the start.
Recovery recovery_of(ErrorCode code);

// At the start, another process's login can make a token look broken for some milliseconds: such
// an error is worth a few more tries. Never true for a refused PIN.
bool is_transient_at_start(ErrorCode code);

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_RECOVERY_H_
