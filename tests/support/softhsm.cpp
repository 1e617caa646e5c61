#include "tests/support/softhsm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <openssl/pem.h>

#include "hsm/x509/csr.h"
#include "hsm/x509/handles.h"
#include "protocol/base/bytes.h"
#include "protocol/base/spawn.h"

namespace linesign::test {
namespace {

constexpr const char* kUtility = "softhsm2-util";
constexpr const char* kSecurityOfficerPin = "31415926";
constexpr size_t kSerialDigits = 16;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "SoftHsm: %s\n", why.c_str());
  std::abort();
}

void write_file(const std::filesystem::path& path, std::string_view text, int mode) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  if (!stream) give_up("cannot write " + path.string());
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode));
}

void run_utility(std::vector<std::string> arguments, const std::filesystem::path& output) {
  arguments.insert(arguments.begin(), kUtility);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  SpawnActions actions;
  posix_spawn_file_actions_addopen(
      actions.get(), STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(actions.get(), STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int spawned =
      ::posix_spawnp(&child, kUtility, actions.get(), nullptr, pointers.data(), environ);
  int status = 0;
  if (spawned != 0 || ::waitpid(child, &status, 0) != child || status != 0)
    give_up(fmt::format("{} failed: {}", kUtility, read_text(output)));
}

void change_modes(const std::filesystem::path& root, std::filesystem::perm_options how) {
  namespace fs = std::filesystem;
  constexpr fs::perms kWrite =
      fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
  const fs::perms which = how == fs::perm_options::add ? fs::perms::owner_write : kWrite;
  std::error_code error;
  fs::permissions(root, which, how, error);
  for (const auto& entry : fs::recursive_directory_iterator(root, error))
    fs::permissions(entry.path(), which, how, error);
}

}  // namespace

SoftHsm::SoftHsm() {
  std::filesystem::create_directory(tokens());
  const std::filesystem::path configuration = folder() / "softhsm2.conf";
  write_file(configuration,
             fmt::format("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = "
                         "ERROR\n",
                         tokens().string()),
             0600);
  ::setenv("SOFTHSM2_CONF", configuration.c_str(), 1);
  write_pin(kUserPin);
}

SoftHsm::~SoftHsm() {
  change_modes(tokens(), std::filesystem::perm_options::add);
  ::unsetenv("SOFTHSM2_CONF");
}

std::filesystem::path SoftHsm::module() { return "/usr/lib/softhsm/libsofthsm2.so"; }

std::string SoftHsm::add_token(const std::string& label) {
  std::set<std::filesystem::path> before;
  for (const auto& entry : std::filesystem::directory_iterator(tokens())) before.insert(entry);
  run_utility({"--init-token",
               "--free",
               "--label",
               label,
               "--pin",
               std::string(kUserPin),
               "--so-pin",
               kSecurityOfficerPin},
              folder() / "output");
  // Two tokens may have one label: the folder that was not there before is the new one, and its
  // name, a UUID, ends in the serial number.
  for (const auto& entry : std::filesystem::directory_iterator(tokens())) {
    if (before.contains(entry)) continue;
    std::string name = entry.path().filename().string();
    std::erase(name, '-');
    return name.substr(name.size() - kSerialDigits);
  }
  give_up("the new token is not there");
}

void SoftHsm::import_key(const std::string& token,
                         const std::string& label,
                         const std::string& id_hex,
                         EVP_PKEY* key) {
  const Bio memory(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    give_up("PEM_write_bio_PKCS8PrivateKey");
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  const auto file = folder() / "import.pem";
  write_file(file, std::string_view(text, static_cast<size_t>(size)), 0600);
  run_utility({"--import",
               file.string(),
               "--token",
               token,
               "--label",
               label,
               "--id",
               id_hex,
               "--pin",
               std::string(kUserPin),
               "--force"},
              folder() / "output");
}

void SoftHsm::write_pin(std::string_view pin) const { write_file(pin_file(), pin, 0600); }

void SoftHsm::make_read_only() const {
  change_modes(tokens(), std::filesystem::perm_options::remove);
}

std::string SoftHsm::fingerprint() const {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tokens()))
    if (entry.is_regular_file()) files[entry.path().string()] = read_text(entry.path());
  std::string all;
  for (const auto& [name, content] : files)
    all += fmt::format("{} {} ", name, to_hex(sha256(as_bytes(content))));
  return to_hex(sha256(as_bytes(all)));
}

}  // namespace linesign::test
