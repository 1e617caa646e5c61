// PinMemory: which PINs a token was asked about, so that each is tried once, however often programs
// start and wherever they are killed.
//
// A try is on disk before the login. A PIN that was refused, or whose try has no known outcome, is
// not tried again; one that this token accepted last gets kMaxUnknownTries, because a login that
// was cut off says nothing against it, and then one after a minute and one every ten. A login that
// is accepted forgets everything else; one that fails for another reason than the PIN was no try.
//
// Shape    FOLDER/pin-<serial number in hex>, mode 0600: one block of 4 KiB, rewritten in place:
//            linesign PIN memory 1
//            salt <hex>
//            accepted|tried|refused <scrypt of the PIN, hex> <unix time> <tries without outcome>
// Limits   kMaxPins; a block that cannot be read allows nothing
// Errors   HsmPinRefused: this PIN must not be tried; SignerTimeout: not yet; Io, also for a block
//          that cannot be read
// Threads  one process at a time between begin() and end(): under the login lock
// Source   RFC 7914; docs/decisions/0018-pin-tries.md
#ifndef LINESIGN_HSM_PKCS11_PIN_MEMORY_H_
#define LINESIGN_HSM_PKCS11_PIN_MEMORY_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

constexpr int kMaxUnknownTries = 3;
constexpr size_t kMaxPins = 16;

// What a login respects.
struct PinRule {
  std::filesystem::path memory;  // folder of PinMemory; empty: nothing is remembered
  bool is_ordered = false;       // an operator wants this try, whatever speaks against it
};

enum class LoginOutcome : uint8_t { Accepted, Refused, NotJudged };

class PinMemory final {
 public:
  // Makes folder and file where there is none. What is root's there becomes the user's who owns the
  // folder above.
  static Result<PinMemory> open(const std::filesystem::path& folder, std::string_view token_serial);
  // The folder alone.
  static Result<void> make(const std::filesystem::path& folder);

  // Notes on disk that `pin` is tried now. `is_count_low`: the token knows of a wrong PIN since the
  // last login, which may well be the one of a try without outcome.
  Result<void> begin(const SecretBytes& pin, bool is_ordered, bool is_count_low, UnixTime now);
  // REQUIRES: begin() has succeeded.
  Result<void> end(LoginOutcome outcome);

  // For who waits, every now and then: may `pin` be tried now, as the file says, or because
  // somebody has removed it? `is_count_low` as for begin(): what made it refuse.
  Result<bool> allows_again(const SecretBytes& pin, bool is_count_low, UnixTime now);

 private:
  enum class Word : uint8_t { Accepted, Tried, Refused };
  struct Entry {
    Word word = Word::Tried;
    Bytes hash;
    UnixTime at{};
    int unknown = 0;  // tries without an outcome
  };
  PinMemory(std::filesystem::path path, UniqueFd file);

  Result<void> load();
  Result<void> parse(std::string_view text);
  Result<void> save();
  Result<Bytes> hash_of(const SecretBytes& pin) const;
  Entry* find(ByteView hash);
  static bool is_due(const Entry& entry, UnixTime now);
  static Result<void> check_cut_off(const Entry& entry, bool is_count_low, UnixTime now);
  Result<void> check(const Entry* entry, bool is_count_low, UnixTime now) const;

  std::filesystem::path path_;
  UniqueFd file_;
  Bytes salt_;
  std::vector<Entry> entries_;
  std::vector<Entry> before_;  // begin()
  Bytes trying_;               // the hash
  std::string block_;          // as it was read or written last
  std::string watched_;        // as allows_again() saw it, and whose pause it waits for
  std::optional<Entry> pausing_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_PIN_MEMORY_H_
