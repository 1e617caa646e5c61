// A PKCS#11 module that passes every call on to SoftHSM2 and breaks what a test tells it to.
//
// Settings, from the environment of the process that loads it:
//   LINESIGN_FAULTS     "C_Login:1-2=0x5 C_Sign:3=0xb3 C_Sign:4=flip": which calls, counted from 1
//                       per process, return what; "flip" inverts one bit of a good signature,
//                       "hang" never returns. With "@FILE" behind it only in the process that makes
//                       FILE
//   LINESIGN_FAULT_LOG  a file that gets one line with the name of each call that may be broken
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include <p11-kit/pkcs11.h>

#include "tests/support/module_behind.h"

namespace {

constexpr CK_RV kFlip = static_cast<CK_RV>(-2);
constexpr CK_RV kHang = static_cast<CK_RV>(-3);

struct Fault {
  std::string call;
  unsigned long first = 0;
  unsigned long last = 0;
  CK_RV answer = CKR_OK;
  std::string once;  // the file
};

struct Faults {
  CK_FUNCTION_LIST* real = nullptr;
  CK_FUNCTION_LIST ours{};
  std::vector<Fault> list;
  std::map<std::string, unsigned long> counts;
  std::mutex mutex;
};

Faults& faults() {
  static Faults instance;
  return instance;
}

// "C_Login:1-2=0x5"
Fault parse_fault(const std::string& word) {
  Fault fault;
  const size_t colon = word.find(':');
  const size_t equals = word.find('=');
  fault.call = word.substr(0, colon);
  const std::string range = word.substr(colon + 1, equals - colon - 1);
  const size_t dash = range.find('-');
  fault.first = std::stoul(range);
  fault.last = dash == std::string::npos ? fault.first : std::stoul(range.substr(dash + 1));
  std::string answer = word.substr(equals + 1);
  if (const size_t at = answer.find('@'); at != std::string::npos) {
    fault.once = answer.substr(at + 1);
    answer.resize(at);
  }
  if (answer == "flip") {
    fault.answer = kFlip;
  } else {
    fault.answer = answer == "hang" ? kHang : std::stoul(answer, nullptr, 0);
  }
  return fault;
}

void load_faults() {
  const char* text = std::getenv("LINESIGN_FAULTS");
  std::istringstream words(text != nullptr ? text : "");
  for (std::string word; words >> word;) faults().list.push_back(parse_fault(word));
}

bool is_first(const std::string& file) {
  return file.empty() || ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) >= 0;
}

CK_RV find_fault(const std::string& call) {
  const std::lock_guard<std::mutex> lock(faults().mutex);
  if (const char* log = std::getenv("LINESIGN_FAULT_LOG"))
    std::ofstream(log, std::ios::app) << call << "\n";
  const unsigned long number = ++faults().counts[call];
  for (const Fault& fault : faults().list)
    if (fault.call == call && number >= fault.first && number <= fault.last && is_first(fault.once))
      return fault.answer;
  return CKR_OK;
}

// What this call is told to return; CKR_OK: nothing.
CK_RV next_fault(const std::string& call) {
  const CK_RV fault = find_fault(call);
  while (fault == kHang) ::pause();
  return fault;
}

CK_RV initialize(void* arguments) {
  if (const CK_RV fault = next_fault("C_Initialize"); fault != CKR_OK) return fault;
  return faults().real->C_Initialize(arguments);
}

CK_RV find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE* wanted, CK_ULONG count) {
  if (const CK_RV fault = next_fault("C_FindObjectsInit"); fault != CKR_OK) return fault;
  return faults().real->C_FindObjectsInit(session, wanted, count);
}

CK_RV open_session(CK_SLOT_ID slot,
                   CK_FLAGS flags,
                   void* application,
                   CK_NOTIFY notify,
                   CK_SESSION_HANDLE* session) {
  if (const CK_RV fault = next_fault("C_OpenSession"); fault != CKR_OK) return fault;
  return faults().real->C_OpenSession(slot, flags, application, notify, session);
}

CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR* pin, CK_ULONG size) {
  if (const CK_RV fault = next_fault("C_Login"); fault != CKR_OK) return fault;
  return faults().real->C_Login(session, user, pin, size);
}

CK_RV sign(CK_SESSION_HANDLE session,
           CK_BYTE* data,
           CK_ULONG data_size,
           CK_BYTE* signature,
           CK_ULONG* signature_size) {
  const CK_RV fault = next_fault("C_Sign");
  if (fault != CKR_OK && fault != kFlip) {
    // Ends the operation in the token, as a device that fails in it would.
    faults().real->C_Sign(session, data, data_size, signature, signature_size);
    return fault;
  }
  const CK_RV rv = faults().real->C_Sign(session, data, data_size, signature, signature_size);
  if (rv == CKR_OK && fault == kFlip && signature != nullptr) signature[*signature_size / 2] ^= 1;
  return rv;
}

}  // namespace

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  Faults& all = faults();
  if (all.real == nullptr) {
    all.real = linesign::testing::load_module_behind();
    if (all.real == nullptr) return CKR_GENERAL_ERROR;
    all.ours = *all.real;
    all.ours.C_Initialize = initialize;
    all.ours.C_FindObjectsInit = find_objects_init;
    all.ours.C_OpenSession = open_session;
    all.ours.C_Login = login;
    all.ours.C_Sign = sign;
    load_faults();
  }
  *list = &all.ours;
  return CKR_OK;
}
