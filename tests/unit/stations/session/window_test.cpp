#include <set>

#include "tests/unit/stations/session/session_fixture.h"

namespace linesign::test {
namespace {

const Bytes kReply = {0x30, 0x00};

class WindowTest : public SessionFixture {};

TEST_F(WindowTest, TenThousandPipelinedRequestsGetTheWindowAndBusy) {
  constexpr uint32_t kRequests = 10000;
  open_and_greet();
  Bytes stream;
  for (uint32_t i = 0; i < kRequests; ++i) append_frame(stream, issue(i));
  for (size_t at = 0; at < stream.size(); at += 16384)
    session_->receive(ByteView(stream).subspan(at, std::min<size_t>(16384, stream.size() - at)));

  EXPECT_EQ(service_.issues.size(), 4U);
  EXPECT_EQ(session_->unanswered(), 4U);
  const auto replies = take();
  ASSERT_EQ(replies.size(), kRequests - 4);
  for (uint32_t i = 0; i < replies.size(); ++i) {
    const auto& reply = replies[i].issue();
    ASSERT_EQ(reply.request_id(), text_of(request_id(i + 4)));
    ASSERT_EQ(reply.status(), station::v1::STATUS_TRY_LATER);
    ASSERT_EQ(failure_code(reply.failure()), ErrorCode::Busy);
    ASSERT_GT(reply.failure().retry_after_ms(), 0U);
  }
  EXPECT_EQ(host_.requests, kRequests);
  EXPECT_EQ(host_.busy, kRequests - 4);
  EXPECT_FALSE(session_->is_closing());
}

TEST_F(WindowTest, EveryAnswerMakesRoomForOneMore) {
  open_and_greet();
  for (uint32_t i = 0; i < 100; ++i) {
    send(issue(2 * i));
    send(issue(2 * i + 1));
    if (i >= 2) {
      EXPECT_TRUE(service_.answer(ByteView(kReply)));
      EXPECT_TRUE(service_.answer(ByteView(kReply)));
    }
    EXPECT_LE(session_->unanswered(), 4U);
  }
}

TEST_F(WindowTest, FetchAndConfirmCountToo) {
  open_and_greet();
  send(issue(1));
  send(fetch(2));
  send(confirm(3));
  send(confirm(4));
  EXPECT_TRUE(take().empty());
  send(confirm(5));
  const auto reply = take_one().confirm();
  EXPECT_EQ(reply.request_id(), text_of(request_id(5)));
  EXPECT_EQ(reply.status(), station::v1::STATUS_TRY_LATER);
  EXPECT_EQ(failure_code(reply.failure()), ErrorCode::Busy);
}

TEST_F(WindowTest, PingIsAnsweredWithAFullWindow) {
  open_and_greet();
  for (uint32_t i = 0; i < 4; ++i) send(issue(i));
  send(ping(1));
  EXPECT_TRUE(take_one().has_pong());
}

TEST_F(WindowTest, RestsWhenAsManyAsTheWindowWereToldToComeLater) {
  open_and_greet();
  const SteadyTime begin = std::chrono::steady_clock::now();
  SteadyTime told = begin;
  for (uint32_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(session_->rests_until(begin)) << "one that obeys could still send something";
    send(issue(i));
    service_.answer(tl::unexpected(Refusal{Error(ErrorCode::Busy), std::chrono::seconds(10 + i)}));
    if (i == 0) told = std::chrono::steady_clock::now();
  }
  const auto until = session_->rests_until(begin);
  ASSERT_TRUE(until);
  EXPECT_GE(*until, begin + std::chrono::seconds(10));
  EXPECT_LE(*until, told + std::chrono::seconds(10)) << "the first of the times";
  EXPECT_FALSE(session_->rests_until(*until));
  send(issue(1));
  service_.answer(tl::unexpected(Refusal{Error(ErrorCode::Busy), std::chrono::seconds(60)}));
  EXPECT_TRUE(session_->rests_until(*until)) << "it came once for the time that passed";
}

TEST_F(WindowTest, DoesNotRestForWhatWasRefusedForGood) {
  open_and_greet();
  for (uint32_t i = 0; i < 8; ++i) {
    send(issue(i));
    service_.answer(tl::unexpected(Refusal{Error(ErrorCode::CsrProofWrong), {}}));
  }
  EXPECT_FALSE(session_->rests_until(std::chrono::steady_clock::now()));
}

TEST_F(WindowTest, AnswersMayComeInAnyOrder) {
  open_and_greet();
  for (uint32_t i = 0; i < 4; ++i) send(issue(i));
  for (const uint32_t i : {2U, 0U, 3U, 1U}) {
    EXPECT_TRUE(service_.replies[i](ByteView(kReply)));
    EXPECT_EQ(take_one().issue().request_id(), text_of(request_id(i)));
  }
}

TEST_F(WindowTest, TheSameRequestIdTwiceIsTheServicesAffair) {
  open_and_greet();
  send(issue(1));
  send(issue(1));
  EXPECT_EQ(service_.issues.size(), 2U);
  EXPECT_TRUE(service_.answer(ByteView(kReply)));
  EXPECT_TRUE(service_.answer(ByteView(kReply)));
  EXPECT_EQ(take().size(), 2U);
}

}  // namespace
}  // namespace linesign::test
