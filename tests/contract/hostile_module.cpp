// A PKCS#11 module that signs with SoftHSM2 and, inside the signer, tries what a module that was
// taken over would try.
//
// Settings, from the environment of the process that loads it; both files are opened at once, and
// a pair of sockets is made, so that what the signer may do later does not matter:
//   LINESIGN_ATTACKS         a line for each: its name and its argument, as in kAttacks; read when
//                            a certificate is signed
//   LINESIGN_ATTACK_HELPER   set: a process of its own is started when the module is loaded; it
//   ends
//                            with the signer
//   LINESIGN_ATTACK_RESULTS  gets a line for each: name, argument and errno, 0 for success
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>
#include <string>

#include <p11-kit/pkcs11.h>

#include "tests/support/module_behind.h"

namespace {

struct Hostile {
  CK_FUNCTION_LIST* real = nullptr;
  CK_FUNCTION_LIST ours{};
  int attacks = -1;
  int results = -1;
  std::array<int, 2> pair{-1, -1};  // of stream sockets
  std::mutex mutex;
};

Hostile& hostile() {
  static Hostile instance;
  return instance;
}

int result_of(long returned) { return returned >= 0 ? 0 : errno; }

int open_with(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  const int result = result_of(fd);
  if (fd >= 0) ::close(fd);
  return result;
}

int read_file(const std::string& path) { return open_with(path, O_RDONLY); }
int write_file(const std::string& path) { return open_with(path, O_RDWR); }
int make_file(const std::string& path) { return open_with(path, O_RDWR | O_CREAT | O_EXCL); }
int change_mode(const std::string& path) { return result_of(::chmod(path.c_str(), 0666)); }
int cut_file(const std::string& path) { return result_of(::truncate(path.c_str(), 1 << 20)); }

template <typename Address>
int connect_to(const Address& address) {
  const int fd = ::socket(reinterpret_cast<const sockaddr&>(address).sa_family, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  const int result =
      result_of(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  ::close(fd);
  return result;
}

int connect_tcp(const std::string& port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect_to(address);
}

int connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return connect_to(address);
}

// A pair of datagram sockets needs no connect() to send elsewhere. @name: an abstract address.
int send_datagram(const std::string& path) {
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (path.front() == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const int result = result_of(::sendto(
      sockets[0], "x", 1, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&address), size));
  for (const int each : sockets) ::close(each);
  return result;
}

int ring(const std::string& /*none*/) {
  std::array<char, 256> parameters{};
  return result_of(::syscall(SYS_io_uring_setup, 1, parameters.data()));
}

int fork_process(const std::string& /*none*/) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  return result_of(child);
}

// Only where it fails does anything return.
int execute(const std::string& program) {
  std::string word = program;
  std::array<char*, 2> words = {word.data(), nullptr};
  ::execve(program.c_str(), words.data(), environ);
  return errno;
}

int trace(const std::string& pid) {
  return result_of(::ptrace(PTRACE_SEIZE, std::stoi(pid), nullptr, nullptr));
}

int read_memory(const std::string& pid) {
  char byte = 0;
  iovec here{.iov_base = &byte, .iov_len = 1};
  iovec there{.iov_base = &byte, .iov_len = 1};
  return result_of(::process_vm_readv(std::stoi(pid), &here, 1, &there, 1, 0));
}

int open_memory(const std::string& pid) { return write_file("/proc/" + pid + "/mem"); }
int send_signal(const std::string& pid) { return result_of(::kill(std::stoi(pid), 0)); }

// Whoever owns a descriptor is signalled when there is something to read, with a signal that its
// maker chooses.
int own_socket(int (*take)(int socket, int pid), const std::string& pid) {
  return result_of(take(hostile().pair[0], std::stoi(pid)));
}
int set_owner(const std::string& pid) {
  return own_socket([](int socket, int owner) { return ::fcntl(socket, F_SETOWN, owner); }, pid);
}
int set_owner_ex(const std::string& pid) {
  return own_socket(
      [](int socket, int owner) {
        const f_owner_ex wanted{.type = F_OWNER_PID, .pid = owner};
        return ::fcntl(socket, F_SETOWN_EX, &wanted);
      },
      pid);
}
int set_signal(const std::string& pid) {
  return own_socket([](int socket, int /*owner*/) { return ::fcntl(socket, F_SETSIG, SIGKILL); },
                    pid);
}
int set_owner_by_ioctl(const std::string& pid) {
  return own_socket([](int socket, int owner) { return ::ioctl(socket, FIOSETOWN, &owner); }, pid);
}
int set_group_by_ioctl(const std::string& pid) {
  return own_socket([](int socket, int owner) { return ::ioctl(socket, SIOCSPGRP, &owner); }, pid);
}

int take_user(const std::string& uid) {
  const auto wanted = static_cast<uid_t>(std::stoi(uid));
  return result_of(::setresuid(wanted, wanted, wanted));
}

struct Attack {
  const char* name;
  int (*run)(const std::string& argument);
};

constexpr std::array<Attack, 21> kAttacks = {{{"read", read_file},
                                              {"write", write_file},
                                              {"make", make_file},
                                              {"chmod", change_mode},
                                              {"truncate", cut_file},
                                              {"tcp", connect_tcp},
                                              {"unix", connect_unix},
                                              {"dgram", send_datagram},
                                              {"io_uring", ring},
                                              {"fork", fork_process},
                                              {"exec", execute},
                                              {"ptrace", trace},
                                              {"readv", read_memory},
                                              {"mem", open_memory},
                                              {"kill", send_signal},
                                              {"setown", set_owner},
                                              {"setown_ex", set_owner_ex},
                                              {"setsig", set_signal},
                                              {"fiosetown", set_owner_by_ioctl},
                                              {"siocspgrp", set_group_by_ioctl},
                                              {"setuid", take_user}}};

void run_attack(const std::string& name, const std::string& argument) {
  for (const Attack& attack : kAttacks) {
    if (name != attack.name) continue;
    std::string line = name;
    line.append(" ").append(argument).append(" ");
    line.append(std::to_string(attack.run(argument))).append("\n");
    if (::write(hostile().results, line.data(), line.size()) < 0) ::abort();
  }
}

// Each line once: the file is empty until the test knows whom to attack.
void run_attacks() {
  const std::lock_guard<std::mutex> lock(hostile().mutex);
  std::string text(65536, '\0');
  const ssize_t got = ::read(hostile().attacks, text.data(), text.size());
  if (got <= 0) return;
  text.resize(static_cast<size_t>(got));
  std::istringstream lines(text);
  std::string name;
  std::string argument;
  while (lines >> name >> argument) run_attack(name, argument);
}

CK_RV sign(CK_SESSION_HANDLE session,
           CK_BYTE* data,
           CK_ULONG data_size,
           CK_BYTE* signature,
           CK_ULONG* signature_size) {
  run_attacks();
  return hostile().real->C_Sign(session, data, data_size, signature, signature_size);
}

int open_named(const char* variable, int flags) {
  const char* path = std::getenv(variable);
  return path != nullptr ? ::open(path, flags | O_CLOEXEC) : -1;
}

// As a daemon is started, so that nobody's child is left.
void start_helper() {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) ::abort();
  const pid_t between = ::fork();
  if (between == 0) {
    if (::fork() != 0) ::_exit(0);
    ::close(pipe[1]);
    char byte = 0;
    ::_exit(::read(pipe[0], &byte, 1) == 0 ? 0 : 1);  // until the signer's end is gone
  }
  ::close(pipe[0]);
  if (::waitpid(between, nullptr, 0) != between) ::abort();
}

}  // namespace

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  Hostile& all = hostile();
  if (all.real == nullptr) {
    all.real = linesign::testing::load_module_behind();
    if (all.real == nullptr) return CKR_GENERAL_ERROR;
    all.ours = *all.real;
    all.ours.C_Sign = sign;
    all.attacks = open_named("LINESIGN_ATTACKS", O_RDONLY);
    all.results = open_named("LINESIGN_ATTACK_RESULTS", O_WRONLY | O_APPEND);
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, all.pair.data()) != 0)
      return CKR_GENERAL_ERROR;
    if (std::getenv("LINESIGN_ATTACK_HELPER") != nullptr) start_helper();
  }
  *list = &all.ours;
  return CKR_OK;
}
