// SignatureWatch: which signers returned wrong signatures, and what follows from it.
//
// Two within an hour: the signer is quarantined and not started again. Two signers in quarantine,
// or all that the configuration has: the HSM is not trusted, until an operator says so. Nothing of
// it is forgotten by a restart, or by a configuration with fewer signers.
//
// Shape    one line for each signer that was ever wrong: its number, how often, the last time,
// since
//          when it is quarantined (unix times; 0: it is not). Mode 0600, replaced and synced
// Errors   record() and trust(): Io; verdict(): HsmNotTrusted
// Threads  one at a time
#ifndef LINESIGN_APPLIANCE_SIGNERS_SIGNATURE_WATCH_H_
#define LINESIGN_APPLIANCE_SIGNERS_SIGNATURE_WATCH_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>

#include "protocol/base/clock.h"
#include "protocol/base/error.h"
#include "protocol/base/result.h"

namespace linesign {

class SignatureWatch final {
 public:
  struct Record {
    uint64_t wrong = 0;               // since the file was made
    std::optional<UnixTime> last_at;  // since the HSM was last trusted
    std::optional<UnixTime> quarantined_since;
  };

  // `file` empty: everything is forgotten with this object. A file that cannot be read is no trust.
  SignatureWatch(const Clock& clock, std::filesystem::path file, size_t signers);

  // A wrong signature of this signer; what it is then is in of(). The record counts also when the
  // file cannot be written.
  Result<void> record(size_t signer);
  // What an operator says: all signers may sign again. How many were in quarantine. Nothing changes
  // when the file cannot be written.
  Result<size_t> trust();

  Record of(size_t signer) const;
  bool is_quarantined(size_t signer) const { return of(signer).quarantined_since.has_value(); }
  uint64_t total() const;
  // Why nobody may sign; absent: those who are not in quarantine may.
  std::optional<Error> verdict() const;

 private:
  using Records = std::map<size_t, Record>;
  Result<void> load();
  Result<void> parse(std::string_view text);
  Result<void> save(const Records& records) const;

  const Clock& clock_;
  std::filesystem::path file_;
  size_t signers_;
  Records records_;
  std::optional<Error> unreadable_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_SIGNERS_SIGNATURE_WATCH_H_
