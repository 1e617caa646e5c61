// Issues certificates into a ledger, one transaction after the other, and says so on standard
// output after each commit: "I <number>" for an intent, "C <number>" for its certificate. It goes
// on until it is killed.
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign::testing {
namespace {

bool say(char what, uint64_t number) {
  const std::string line = what + std::string(" ") + std::to_string(number) + "\n";
  return ::write(STDOUT_FILENO, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

Result<void> write_until_killed(Ledger& ledger, uint64_t number) {
  for (;; ++number) {
    const Request request(number);
    LS_CHECK(ledger.begin());
    LS_TRY(const IntentOutcome outcome, ledger.record_intent(request.intent));
    LS_CHECK(ledger.commit());
    if (!say('I', number)) return {};
    const uint64_t id = std::get<RecordedIntent>(outcome).issuance_id();
    LS_CHECK(ledger.begin());
    LS_CHECK(ledger.record_certificate(id, signature_of(number), kNow));
    LS_CHECK(ledger.commit());
    if (!say('C', number)) return {};
  }
}

}  // namespace
}  // namespace linesign::testing

int main(int count, char** arguments) {
  using linesign::Ledger;
  if (count != 3) return 64;
  auto opened = Ledger::open({.directory = arguments[1]});
  if (!opened.has_value()) return opened.error().exit_code();
  const auto ended =
      linesign::testing::write_until_killed(**opened, std::strtoull(arguments[2], nullptr, 10));
  return ended.has_value() ? 0 : 1;
}
