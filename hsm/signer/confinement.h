// Confinement: what the kernel refuses to a signer that is logged in, and to the vendor's module in
// it: other programs and processes, users, the network, and all files but those that the module
// needs.
//
// A deny list of system calls (seccomp), because nobody knows what a vendor's module calls, and an
// allow list of paths (Landlock). Both last until the process ends. What is open already stays
// usable, so a module that has opened its connection or device keeps it.
//
// Errors   none: what cannot be set up is returned, a sentence for each, for `linesign status`
// Threads  before there are threads of our own: Landlock does not reach those that run already
// Source   seccomp(2), landlock(7), docs/decisions/ (protections of signers)
#ifndef LINESIGN_HSM_SIGNER_CONFINEMENT_H_
#define LINESIGN_HSM_SIGNER_CONFINEMENT_H_

#include <filesystem>
#include <string>
#include <vector>

namespace linesign {

struct Confinement {
  std::vector<std::filesystem::path> readable;  // files, and folders with all that is in them
  std::vector<std::filesystem::path> writable;
  bool network = false;  // sockets of all kinds, local ones too
};

// Before the module is loaded: what it starts remains a child of this process, and confine() finds
// it, unless the module means harm already when it is loaded.
void adopt_orphans();

// REQUIRES: no_new_privs is set; this process has started no other. Empty: all protections are in
// effect.
std::vector<std::string> confine(const Confinement& confinement);

// What this kernel cannot do of it; for the doctor.
std::vector<std::string> find_missing_kernel_support();

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_CONFINEMENT_H_
