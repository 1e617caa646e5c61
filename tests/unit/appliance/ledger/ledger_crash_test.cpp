// kill -9 of a process that writes to the ledger, at many moments.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <random>
#include <set>

#include "protocol/base/spawn.h"
#include "protocol/base/unique_fd.h"
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

using testing::Request;
using testing::signature_of;

// What a killed writer had been told to be durable.
struct Acknowledged {
  std::set<uint64_t> intents;
  std::set<uint64_t> certificates;
  uint64_t last = 0;
};

class LedgerCrash : public testing::LedgerTest {
 protected:
  // Kills the writer after `lines` acknowledgements, and then some.
  Acknowledged run_and_kill(uint64_t from, size_t lines) {
    std::array<int, 2> pipe_ends{};
    EXPECT_EQ(::pipe2(pipe_ends.data(), O_CLOEXEC), 0);
    UniqueFd read_end(pipe_ends[0]);
    UniqueFd write_end(pipe_ends[1]);
    SpawnActions actions;
    posix_spawn_file_actions_adddup2(actions.get(), write_end.get(), STDOUT_FILENO);
    std::string program = CRASH_WRITER;
    std::string folder = settings().directory.string();
    std::string start = std::to_string(from);
    std::array<char*, 4> arguments = {program.data(), folder.data(), start.data(), nullptr};
    pid_t child = 0;
    EXPECT_EQ(
        ::posix_spawn(&child, CRASH_WRITER, actions.get(), nullptr, arguments.data(), environ), 0);
    write_end.reset();
    std::string text;
    size_t seen = 0;
    char byte = 0;
    while (seen < lines && ::read(read_end.get(), &byte, 1) == 1) {
      text += byte;
      if (byte == '\n') ++seen;
    }
    EXPECT_EQ(seen, lines);
    ::kill(child, SIGKILL);
    while (::read(read_end.get(), &byte, 1) == 1) text += byte;  // what it still said
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    return parse(text);
  }

  static Acknowledged parse(const std::string& text) {
    Acknowledged result;
    size_t position = 0;
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', position)) {
      const uint64_t number = std::stoull(text.substr(position + 2, end - position - 2));
      (text[position] == 'I' ? result.intents : result.certificates).insert(number);
      result.last = std::max(result.last, number);
      position = end + 1;
    }
    return result;
  }
};

TEST_F(LedgerCrash, LosesNothingThatWasAcknowledged) {
  std::mt19937 random(::testing::UnitTest::GetInstance()->random_seed() + 1);
  uint64_t from = 1;
  for (int round = 0; round < 15; ++round) {
    SCOPED_TRACE(round);
    ledger_.reset();
    const Acknowledged said = run_and_kill(from, 1 + random() % 60);
    open();
    for (const uint64_t number : said.certificates) {
      const auto found = ledger_->find_certificate("default", "device-" + std::to_string(number));
      ASSERT_TRUE(found.has_value() && found->has_value()) << number;
      EXPECT_EQ((*found)->signature, signature_of(number));
      EXPECT_EQ((*found)->tbs, Request(number).tbs);
    }
    for (const uint64_t number : said.intents) {
      const Request request(number);
      const auto again = record(request);
      ASSERT_TRUE(again.has_value());
      EXPECT_FALSE(std::holds_alternative<RecordedIntent>(*again)) << number;
    }
    // At most the one intent in work is open; finish it as a daemon does.
    const auto open_intents = ledger_->open_intents();
    ASSERT_TRUE(open_intents.has_value());
    ASSERT_LE(open_intents->size(), 1U);
    for (const RecordedIntent& intent : *open_intents) {
      const uint64_t number = std::stoull(intent.device_id().substr(7));
      EXPECT_TRUE(equal(intent.tbs(), Request(number).tbs));
      ASSERT_TRUE(in_transaction([&] {
                    return ledger_->record_certificate(
                        intent.issuance_id(), signature_of(number), testing::kNow);
                  }).has_value());
    }
    from = said.last + 2;
  }
  EXPECT_EQ(number("SELECT (SELECT count(*) FROM certificate) = (SELECT count(*) FROM issuance)"
                   " AND (SELECT reserved FROM production_order) ="
                   " (SELECT count(*) FROM issuance)"),
            1);
  EXPECT_EQ(number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
}

}  // namespace
}  // namespace linesign
