// A PKCS#11 module that behaves like an HSM on a network: it passes every call on to SoftHSM2, but
// a signature takes its time, there are only so many sessions, and it breaks what a test tells it
// to.
//
// Settings, read at C_Initialize from the environment of the process that loads it:
//   LINESIGN_SIMULATED_MODULE        the module behind it (default: Debian's libsofthsm2.so)
//   LINESIGN_SIMULATED_SIGN_US       microseconds that every C_Sign takes at least (default 0)
//   LINESIGN_SIMULATED_SESSIONS      sessions before CKR_SESSION_COUNT, which C_GetTokenInfo tells
//                                    (default 0: no limit)
//   LINESIGN_SIMULATED_SESSION_FILE  a file that all processes share: the sessions are those of the
//                                    device then (default: the sessions of each process)
//   LINESIGN_SIMULATED_SIGN_LOG      a file that gets a line for each C_Sign before it is done: the
//                                    process, and what is signed in hex digits
//   LINESIGN_SIMULATED_FAULTS        a plan of faults (tests/support/fault_plan.h). The calls are
//                                    those of fault_list(); the actions a CK_RV ("0x30"), "hang",
//                                    "crash", "slow200" (milliseconds) and, for C_Sign, "flip": one
//                                    bit of a good signature. "final-try=yes":
//                                    CKF_USER_PIN_FINAL_TRY
//   LINESIGN_SIMULATED_PIN_TRIES     wrong PINs in a row that lock the user out (default 0: none)
//   LINESIGN_SIMULATED_PIN_FILE      a file that all processes share and a test may write: "<wrong
//                                    in a row> <logins ever tried>". C_GetTokenInfo tells
//                                    CKF_USER_PIN_COUNT_LOW, FINAL_TRY and LOCKED by it
//
// The delay is slept, not computed: like a network HSM it leaves the CPU to others. SoftHSM2's own
// time counts as a part of it.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include <p11-kit/pkcs11.h>

#include "protocol/base/bytes.h"
#include "protocol/base/unique_fd.h"
#include "tests/support/fault_plan.h"
#include "tests/support/module_behind.h"

namespace {

constexpr long kMicrosPerSecond = 1'000'000;
constexpr long kMicrosPerMilli = 1000;
constexpr long kNanosPerMicro = 1000;
constexpr long kNanosPerSecond = 1'000'000'000;

// Who holds a session. Over processes each session is a locked byte of a file: the kernel gives it
// back when a process ends, however it ends.
class Sessions final {
 public:
  void limit(long maximum, const char* file) {
    const std::lock_guard<std::mutex> lock(mutex_);
    maximum_ = maximum;
    file_ = file != nullptr ? file : "";
    held_.clear();
  }
  void clear() {
    const std::lock_guard<std::mutex> lock(mutex_);
    held_.clear();
  }
  // Calls open() only while there is a session left.
  template <typename Open>
  CK_RV open(Open open, CK_SESSION_HANDLE* session) {
    const std::lock_guard<std::mutex> lock(mutex_);
    linesign::UniqueFd place;
    if (maximum_ > 0 && !take(place)) return CKR_SESSION_COUNT;
    const CK_RV rv = open();
    if (rv == CKR_OK) held_[*session] = std::move(place);
    return rv;
  }
  void close(CK_SESSION_HANDLE session) {
    const std::lock_guard<std::mutex> lock(mutex_);
    held_.erase(session);
  }
  void tell(CK_TOKEN_INFO& info) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (maximum_ == 0) return;
    info.ulMaxSessionCount = static_cast<CK_ULONG>(maximum_);
    info.ulMaxRwSessionCount = info.ulMaxSessionCount;
    info.ulSessionCount = file_.empty() ? held_.size() : locked_bytes();
  }

 private:
  linesign::UniqueFd open_file() const {
    return linesign::UniqueFd(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }
  static struct flock byte_at(long place) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = place;
    lock.l_len = 1;
    return lock;
  }
  bool take(linesign::UniqueFd& place) const {
    if (file_.empty()) return held_.size() < static_cast<size_t>(maximum_);
    place = open_file();
    for (long i = 0; i < maximum_; ++i) {
      struct flock lock = byte_at(i);
      if (::fcntl(place.get(), F_OFD_SETLK, &lock) == 0) return true;
    }
    return false;
  }
  CK_ULONG locked_bytes() const {
    const linesign::UniqueFd file = open_file();
    CK_ULONG locked = 0;
    for (long i = 0; i < maximum_; ++i) {
      struct flock lock = byte_at(i);
      if (::fcntl(file.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) ++locked;
    }
    return locked;
  }

  std::mutex mutex_;
  long maximum_ = 0;
  std::string file_;
  std::map<CK_SESSION_HANDLE, linesign::UniqueFd> held_;
};

// How often the PIN may still be wrong. SoftHSM2 itself never locks.
class PinCounter final {
 public:
  void limit(long maximum, const char* file) {
    maximum_ = file != nullptr ? maximum : 0;
    file_ = file != nullptr ? file : "";
  }
  // Counts before the PIN is looked at, as a device does that must survive a power cut.
  template <typename Login>
  CK_RV log_in(Login login) {
    if (maximum_ == 0) return login();
    const linesign::UniqueFd lock(::open(file_.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
    ::flock(lock.get(), LOCK_EX);
    Counts counts = read();
    if (counts.wrong >= maximum_) return CKR_PIN_LOCKED;
    write({counts.wrong + 1, counts.logins + 1});
    const CK_RV rv = login();
    if (rv != CKR_PIN_INCORRECT) write({rv == CKR_OK ? 0 : counts.wrong, counts.logins + 1});
    return rv;
  }
  void tell(CK_TOKEN_INFO& info) const {
    if (maximum_ == 0) return;
    info.flags &= ~static_cast<CK_FLAGS>(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY |
                                         CKF_USER_PIN_LOCKED);
    const long wrong = read().wrong;
    if (wrong > 0) info.flags |= CKF_USER_PIN_COUNT_LOW;
    if (wrong == maximum_ - 1) info.flags |= CKF_USER_PIN_FINAL_TRY;
    if (wrong >= maximum_) info.flags |= CKF_USER_PIN_LOCKED;
  }

 private:
  struct Counts {
    long wrong = 0;
    long logins = 0;
  };
  Counts read() const {
    Counts counts;
    std::ifstream(file_) >> counts.wrong >> counts.logins;
    return counts;
  }
  void write(Counts counts) const {
    std::ofstream(file_) << counts.wrong << " " << counts.logins << "\n";
  }

  long maximum_ = 0;
  std::string file_;
};

struct Simulator {
  CK_FUNCTION_LIST* real = nullptr;
  CK_FUNCTION_LIST sound{};  // with time and sessions
  CK_FUNCTION_LIST ours{};   // with faults besides
  linesign::testing::FaultPlan plan{"LINESIGN_SIMULATED_FAULTS"};
  linesign::UniqueFd sign_log;
  long sign_us = 0;
  Sessions sessions;
  PinCounter pin;
};

Simulator& simulator() {
  static Simulator instance;
  return instance;
}

long number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::strtol(text, nullptr, 10);
}

timespec now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time;
}

void sleep_until(timespec start, long micros) {
  // The kernel would round each sleep up by 50 us to save power.
  thread_local const int kExact = ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  static_cast<void>(kExact);
  start.tv_sec += micros / kMicrosPerSecond;
  start.tv_nsec += (micros % kMicrosPerSecond) * kNanosPerMicro;
  if (start.tv_nsec >= kNanosPerSecond) {
    start.tv_nsec -= kNanosPerSecond;
    ++start.tv_sec;
  }
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &start, nullptr) == EINTR) {
  }
}

// What this call is told to return; CKR_OK: nothing. Does not come back when it is to hang.
CK_RV fault_of(const std::string& action) {
  while (action == "hang") ::pause();
  if (action == "crash") __builtin_trap();
  if (action.rfind("slow", 0) == 0) {
    sleep_until(now(), std::strtol(action.c_str() + 4, nullptr, 10) * kMicrosPerMilli);
    return CKR_OK;
  }
  return action == "flip" ? CKR_OK : std::strtoul(action.c_str(), nullptr, 0);
}

// One of the module's functions, broken where the plan says so.
template <auto Member, typename Function>
struct Breakable;
template <auto Member, typename... Arguments>
struct Breakable<Member, CK_RV (*)(Arguments...)> {
  static inline const char* name = nullptr;
  static CK_RV call(Arguments... arguments) {
    const CK_RV fault = fault_of(simulator().plan.next(name));
    return fault != CKR_OK ? fault : (simulator().sound.*Member)(arguments...);
  }
};

template <auto Member>
void make_breakable(const char* name) {
  using Function = Breakable<Member, std::decay_t<decltype(simulator().ours.*Member)>>;
  Function::name = name;
  simulator().ours.*Member = Function::call;
}

void fault_list() {
  make_breakable<&CK_FUNCTION_LIST::C_Initialize>("C_Initialize");
  make_breakable<&CK_FUNCTION_LIST::C_GetSlotList>("C_GetSlotList");
  make_breakable<&CK_FUNCTION_LIST::C_GetTokenInfo>("C_GetTokenInfo");
  make_breakable<&CK_FUNCTION_LIST::C_OpenSession>("C_OpenSession");
  make_breakable<&CK_FUNCTION_LIST::C_Login>("C_Login");
  make_breakable<&CK_FUNCTION_LIST::C_FindObjectsInit>("C_FindObjectsInit");
  make_breakable<&CK_FUNCTION_LIST::C_FindObjects>("C_FindObjects");
  make_breakable<&CK_FUNCTION_LIST::C_GetAttributeValue>("C_GetAttributeValue");
  make_breakable<&CK_FUNCTION_LIST::C_SignInit>("C_SignInit");
}

void write_sign_log(linesign::ByteView data) {
  if (!simulator().sign_log) return;
  const std::string line = std::to_string(::getpid()) + " " + linesign::to_hex(data) + "\n";
  static_cast<void>(::write(simulator().sign_log.get(), line.data(), line.size()));
}

CK_RV sign(CK_SESSION_HANDLE session,
           CK_BYTE* data,
           CK_ULONG data_size,
           CK_BYTE* signature,
           CK_ULONG* signature_size) {
  Simulator& sim = simulator();
  // A call that only asks for the length does no work in an HSM either.
  if (signature == nullptr)
    return sim.real->C_Sign(session, data, data_size, signature, signature_size);
  const timespec start = now();
  write_sign_log({data, data_size});
  const std::string action = sim.plan.next("C_Sign");
  const CK_RV fault = fault_of(action);
  // Also when it fails: that ends the operation in the token, as a device that fails in it would.
  const CK_RV rv = sim.real->C_Sign(session, data, data_size, signature, signature_size);
  if (sim.sign_us > 0) sleep_until(start, sim.sign_us);
  if (fault != CKR_OK) return fault;
  if (rv == CKR_OK && action == "flip") signature[*signature_size / 2] ^= 1;
  return rv;
}

CK_RV open_session(CK_SLOT_ID slot,
                   CK_FLAGS flags,
                   void* application,
                   CK_NOTIFY notify,
                   CK_SESSION_HANDLE* session) {
  return simulator().sessions.open(
      [&] { return simulator().real->C_OpenSession(slot, flags, application, notify, session); },
      session);
}

CK_RV close_session(CK_SESSION_HANDLE session) {
  const CK_RV rv = simulator().real->C_CloseSession(session);
  if (rv == CKR_OK) simulator().sessions.close(session);
  return rv;
}

CK_RV close_all_sessions(CK_SLOT_ID slot) {
  const CK_RV rv = simulator().real->C_CloseAllSessions(slot);
  if (rv == CKR_OK) simulator().sessions.clear();
  return rv;
}

CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  // SoftHSM2 on a read-only token cannot tell after a login; a device can.
  static CK_TOKEN_INFO before{};
  static CK_SLOT_ID before_slot = 0;
  const CK_RV rv = simulator().real->C_GetTokenInfo(slot, info);
  if (rv == CKR_GENERAL_ERROR && before_slot == slot && before.label[0] != '\0') {
    *info = before;
  } else if (rv != CKR_OK) {
    return rv;
  }
  before = *info;
  before_slot = slot;
  simulator().sessions.tell(*info);
  simulator().pin.tell(*info);
  if (!simulator().plan.next("final-try").empty())
    info->flags |= CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY;
  return CKR_OK;
}

CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR* pin, CK_ULONG size) {
  return simulator().pin.log_in(
      [&] { return simulator().real->C_Login(session, user, pin, size); });
}

CK_RV initialize(void* arguments) {
  Simulator& sim = simulator();
  const CK_RV rv = sim.real->C_Initialize(arguments);
  if (rv != CKR_OK) return rv;
  sim.sign_us = number_from_environment("LINESIGN_SIMULATED_SIGN_US");
  sim.sessions.limit(number_from_environment("LINESIGN_SIMULATED_SESSIONS"),
                     std::getenv("LINESIGN_SIMULATED_SESSION_FILE"));
  if (const char* log = std::getenv("LINESIGN_SIMULATED_SIGN_LOG"))
    sim.sign_log = linesign::UniqueFd(::open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  sim.pin.limit(number_from_environment("LINESIGN_SIMULATED_PIN_TRIES"),
                std::getenv("LINESIGN_SIMULATED_PIN_FILE"));
  return rv;
}

CK_RV finalize(void* reserved) {
  const CK_RV rv = simulator().real->C_Finalize(reserved);
  if (rv == CKR_OK) simulator().sessions.clear();
  return rv;
}

CK_RV get_function_list(CK_FUNCTION_LIST** list);

CK_RV load() {
  Simulator& sim = simulator();
  if (sim.real != nullptr) return CKR_OK;
  const char* named = std::getenv("LINESIGN_SIMULATED_MODULE");
  sim.real = linesign::testing::load_module_behind(
      named != nullptr ? named : linesign::testing::kSoftHsmModule);
  if (sim.real == nullptr) return CKR_GENERAL_ERROR;
  sim.sound = *sim.real;
  sim.sound.C_Initialize = initialize;
  sim.sound.C_Finalize = finalize;
  sim.sound.C_GetTokenInfo = get_token_info;
  sim.sound.C_OpenSession = open_session;
  sim.sound.C_CloseSession = close_session;
  sim.sound.C_CloseAllSessions = close_all_sessions;
  sim.sound.C_Login = login;
  sim.sound.C_Sign = sign;
  sim.sound.C_GetFunctionList = get_function_list;
  sim.ours = sim.sound;
  fault_list();
  return CKR_OK;
}

CK_RV get_function_list(CK_FUNCTION_LIST** list) {
  if (list == nullptr) return CKR_ARGUMENTS_BAD;
  const CK_RV loaded = load();
  if (loaded == CKR_OK) *list = &simulator().ours;
  return loaded;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  return get_function_list(list);
}
