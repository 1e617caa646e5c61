#include "protocol/log/log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "protocol/base/unique_fd.h"

namespace linesign {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) ADD_FAILURE() << "pipe2";
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }

  // Until the writing end is closed.
  std::string read_all() {
    writer.reset();
    std::string text;
    std::array<char, 65536> piece{};
    for (ssize_t got = 0; (got = ::read(reader.get(), piece.data(), piece.size())) > 0;)
      text.append(piece.data(), static_cast<size_t>(got));
    return text;
  }

  std::string read_until(const std::string& end) {
    std::string text;
    char c = 0;
    while (!text.ends_with(end) && ::read(reader.get(), &c, 1) == 1) text += c;
    return text;
  }

  UniqueFd reader;
  UniqueFd writer;
};

// How many lines such a pipe takes without a reader, and more.
constexpr int kMoreThanThePipeHolds = 20'000;

TEST(LogTest, WritesALineInTheOneForm) {
  Pipe pipe;
  {
    const Log log({.ending = " pid=%P", .fd = pipe.writer.get()});
    spdlog::warn("station revoked station={}", "press-1");
  }
  EXPECT_THAT(pipe.read_all(),
              MatchesRegex("....-..-..T..:..:..\\....Z warning station revoked station=press-1 "
                           "pid=[0-9]+\n"));
}

TEST(LogTest, AReaderThatDoesNotReadStopsNobodyNotEvenTheEnd) {
  Pipe pipe;
  const Log log({.ending = "", .fd = pipe.writer.get()});
  for (int i = 0; i < kMoreThanThePipeHolds; ++i) spdlog::info("line {}", i);
}

TEST(LogTest, SaysHowManyLinesWereDropped) {
  Pipe pipe;
  {
    const Log log({.ending = "", .fd = pipe.writer.get(), .queue_lines = 16});
    for (int i = 0; i < kMoreThanThePipeHolds; ++i) spdlog::info("line {}", i);
    const std::string all = pipe.read_until("line 19999\n");
    EXPECT_THAT(all, HasSubstr("warning log lines dropped count="));
  }
}

TEST(LogTest, CutsALineThatIsTooLong) {
  Pipe pipe;
  {
    const Log log({.ending = "", .fd = pipe.writer.get()});
    spdlog::info("{}", std::string(2 * kMaxLogLineBytes, 'x'));
    spdlog::info("next");
  }
  const std::string text = pipe.read_all();
  EXPECT_EQ(text.find('\n'), kMaxLogLineBytes - 1);
  EXPECT_THAT(text, HasSubstr("info next\n"));
}

TEST(LogTest, ALineAfterItsEndGoesNowhere) {
  Pipe pipe;
  { const Log log({.ending = "", .fd = pipe.writer.get()}); }
  spdlog::error("too late");
  EXPECT_THAT(pipe.read_all(), Not(HasSubstr("too late")));
}

}  // namespace
}  // namespace linesign
