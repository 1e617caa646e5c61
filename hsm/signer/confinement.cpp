#include "hsm/signer/confinement.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <system_error>

#include <fmt/format.h>
#include <sched.h>
#include <seccomp.h>

#include "protocol/base/file.h"
#include "protocol/base/unique_fd.h"

namespace linesign {
namespace {

// --- system calls

// A pair as well: one of datagrams sends to any local address.
constexpr std::array kNetworkCalls = {
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"};

constexpr std::array kDeniedCalls = {
    // other programs
    "execve",
    "execveat",
    "fork",
    "vfork",
    "uselib",
    // other processes and their memory
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "tkill",
    "perf_event_open",
    "userfaultfd",
    // users and privileges
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
    "capset",
    "personality",
    // the file system as others see it; what Landlock leaves open; files by their number
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "unshare",
    "setns",
    "truncate",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "utime",
    "utimes",
    "utimensat",
    "futimesat",
    "mknod",
    "mknodat",
    "name_to_handle_at",
    "open_by_handle_at",
    "fanotify_init",
    "quotactl",
    // system calls that no filter sees
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    // the kernel and the machine
    "bpf",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "syslog",
    "iopl",
    "ioperm",
    "modify_ldt",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "vhangup"};

// fchmodat2, setxattrat, removexattrat, file_setattr: the libseccomp of Debian 12 does not know
// their names. They have one number on all architectures.
constexpr std::array kDeniedNumbers = {452, 463, 466, 469};

// Only with this process as their first argument.
constexpr std::array kOwnCalls = {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"};

class CallFilter final {
 public:
  CallFilter() : filter_(seccomp_init(SCMP_ACT_ALLOW)) {
    if (!filter_) error_ = ENOMEM;
    set(SCMP_FLTATR_CTL_TSYNC, 1);     // the module's threads as well
    set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree
  }

  void deny(const char* name, int answer = EPERM, std::initializer_list<scmp_arg_cmp> when = {}) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number != __NR_SCMP_ERROR) deny(number, answer, when);
  }
  void deny(int number, int answer = EPERM, std::initializer_list<scmp_arg_cmp> when = {}) {
    if (error_ == 0)
      note(seccomp_rule_add_array(filter_.get(),
                                  SCMP_ACT_ERRNO(static_cast<uint32_t>(answer)),
                                  number,
                                  static_cast<unsigned int>(when.size()),
                                  when.begin()));
  }

  // 0, or an errno value.
  int load() {
    if (error_ == 0) note(seccomp_load(filter_.get()));
    return error_;
  }

 private:
  struct Release {
    void operator()(void* filter) const { seccomp_release(filter); }
  };
  void set(scmp_filter_attr attribute, uint32_t value) {
    if (error_ == 0) note(seccomp_attr_set(filter_.get(), attribute, value));
  }
  void note(int result) {
    if (result < 0) error_ = -result;
  }

  std::unique_ptr<void, Release> filter_;
  int error_ = 0;
};

int filter_calls(bool network) {
  CallFilter filter;
  for (const char* name : kDeniedCalls) filter.deny(name);
  for (const int number : kDeniedNumbers) filter.deny(number);
  if (!network)
    for (const char* name : kNetworkCalls) filter.deny(name);
  const auto self = static_cast<uint32_t>(::getpid());
  for (const char* name : kOwnCalls) filter.deny(name, EPERM, {SCMP_A0_32(SCMP_CMP_NE, self)});
  // The limits of another process; 0 is this one.
  filter.deny("prlimit64", EPERM, {SCMP_A0_32(SCMP_CMP_NE, 0U)});
  // The kernel signals whoever owns a descriptor.
  for (const int command : {F_SETOWN, F_SETOWN_EX, F_SETSIG})
    for (const char* name : {"fcntl", "fcntl64"})
      filter.deny(name, EPERM, {SCMP_A1_32(SCMP_CMP_EQ, static_cast<uint32_t>(command))});
  for (const int command : {FIOSETOWN, SIOCSPGRP})
    filter.deny("ioctl", EPERM, {SCMP_A1_32(SCMP_CMP_EQ, static_cast<uint32_t>(command))});
  // Threads, but no processes. clone3 hides its flags from a filter; without it glibc uses clone.
  filter.deny("clone", EPERM, {SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)});
  filter.deny("clone3", ENOSYS);
  return filter.load();
}

// --- files

// What any library may read: no configuration of ours, no data, no other process.
constexpr std::array kSystemPaths = {"/usr",
                                     "/lib",
                                     "/lib64",
                                     "/etc/ld.so.cache",
                                     "/etc/nsswitch.conf",
                                     "/etc/hosts",
                                     "/etc/resolv.conf",
                                     "/etc/localtime",
                                     "/etc/ssl/openssl.cnf",
                                     "/etc/ssl/certs",
                                     "/etc/softhsm",
                                     "/dev/null",
                                     "/dev/random",
                                     "/dev/urandom",
                                     "/proc/self",
                                     "/sys/devices/system/cpu"};

constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kTruncate = 1ULL << 14;  // these two have no name in the headers of Debian 12
constexpr uint64_t kDeviceControl = 1ULL << 15;
constexpr uint64_t kWrite = kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                            LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                            LANDLOCK_ACCESS_FS_MAKE_REG | kTruncate | kDeviceControl;
constexpr uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                              LANDLOCK_ACCESS_FS_READ_FILE | kTruncate | kDeviceControl;

// By number: glibc has no functions for these calls. Negative: not in this kernel, or not switched
// on.
int landlock_version() {
  return static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

// All that this version can refuse.
uint64_t handled_rights(int version) {
  const int count = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;
  return (1ULL << count) - 1;
}

// A path that is not there needs no rule.
void allow(const UniqueFd& rules, const std::filesystem::path& path, uint64_t rights) {
  const UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat info {};
  if (!place || ::fstat(place.get(), &info) != 0) return;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = S_ISDIR(info.st_mode) ? rights : rights & kOfFiles;
  rule.parent_fd = place.get();
  static_cast<void>(
      ::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
}

int restrict_files(const Confinement& confinement) {
  const int version = landlock_version();
  if (version < 1) return errno;
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = handled_rights(version);
  const UniqueFd rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!rules) return errno;
  for (const char* path : kSystemPaths) allow(rules, path, kRead);
  for (const auto& path : confinement.readable) allow(rules, path, kRead);
  for (const auto& path : confinement.writable)
    allow(rules, path, kWrite & attributes.handled_access_fs);
  return ::syscall(SYS_landlock_restrict_self, rules.get(), 0) == 0 ? 0 : errno;
}

size_t count_threads() {
  std::error_code error;
  const std::filesystem::directory_iterator threads("/proc/self/task", error);
  return static_cast<size_t>(std::distance(begin(threads), end(threads)));
}

// Orphans too, after adopt_orphans(). What has ended already is of no interest and is reaped.
bool has_children() {
  siginfo_t ended{};
  while (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | __WALL) == 0) {
    if (ended.si_pid == 0) return true;
    ended = {};
  }
  return false;
}

std::string landlock_sentence(int error) {
  return error == ENOSYS || error == EOPNOTSUPP
             ? "signers can open any file of their user: this kernel has no Landlock"
             : fmt::format("signers can open any file of their user: Landlock: {}",
                           errno_text(error));
}

std::string filter_sentence(int error) {
  return fmt::format("signers can use the network and other programs: seccomp: {}",
                     errno_text(error));
}

}  // namespace

void adopt_orphans() { static_cast<void>(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)); }

std::vector<std::string> confine(const Confinement& confinement) {
  std::vector<std::string> missing;
  const size_t threads = count_threads();
  if (const int error = restrict_files(confinement); error != 0) {
    missing.push_back(landlock_sentence(error));
  } else if (threads > 1) {
    missing.push_back(fmt::format(
        "{} threads of the PKCS#11 module can open any file of the signer's user: they ran before "
        "Landlock was switched on",
        threads - 1));
  }
  if (const int error = filter_calls(confinement.network); error != 0)
    missing.push_back(filter_sentence(error));
  if (has_children())
    missing.emplace_back(
        "a process that the PKCS#11 module started is not confined: it ran before the protections "
        "were switched on");
  return missing;
}

std::vector<std::string> find_missing_kernel_support() {
  std::vector<std::string> missing;
  if (landlock_version() < 1) missing.push_back(landlock_sentence(errno));
  // EFAULT: it would read the filter that is not there.
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr) != 0 && errno != EFAULT)
    missing.push_back(filter_sentence(errno));
  return missing;
}

}  // namespace linesign
