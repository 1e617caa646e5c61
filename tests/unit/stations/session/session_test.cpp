#include "stations/session/session.h"

#include "tests/unit/stations/session/session_fixture.h"

namespace linesign::test {
namespace {

const Bytes kCertificate = {0x30, 0x03, 0x02, 0x01, 0x05};

class SessionTest : public SessionFixture {};

TEST_F(SessionTest, AnswersHelloWithWelcome) {
  service_.chain = {{1, 2}, {3}};
  open();
  EXPECT_TRUE(session_->is_waiting_for_first());
  send(hello());
  const ToStation reply = take_one();
  ASSERT_TRUE(reply.has_welcome());
  EXPECT_EQ(reply.welcome().version(), 1U);
  EXPECT_EQ(reply.welcome().software(), "linesign/test");
  EXPECT_EQ(reply.welcome().station(), "jig-7");
  EXPECT_EQ(reply.welcome().window(), 4U);
  EXPECT_EQ(reply.welcome().max_frame_bytes(), kMaxFrameBytes);
  ASSERT_EQ(reply.welcome().issuer_chain_size(), 2);
  EXPECT_EQ(reply.welcome().issuer_chain(0), "\x01\x02");
  EXPECT_FALSE(session_->is_waiting_for_first());
}

TEST_F(SessionTest, TakesAnyRangeOfVersionsThatHoldsOne) {
  for (const auto& [min, max] : {std::pair<uint32_t, uint32_t>{0, 1}, {1, 9}, {1, 0xffffffff}}) {
    open();
    send(hello(min, max));
    EXPECT_TRUE(take_one().has_welcome());
  }
  for (const auto& [min, max] : {std::pair<uint32_t, uint32_t>{0, 0}, {2, 9}, {2, 1}}) {
    open();
    send(hello(min, max));
    expect_goodbye(ErrorCode::VersionUnsupported);
  }
}

TEST_F(SessionTest, RefusesAHelloThatIsOutOfItsLimits) {
  open();
  ToAppliance chatty = hello();
  chatty.mutable_hello()->set_software(std::string(65, 'x'));
  send(chatty);
  expect_goodbye(ErrorCode::FieldInvalid);
  open();
  ToAppliance tiny = hello();
  tiny.mutable_hello()->set_max_frame_bytes(1023);
  send(tiny);
  expect_goodbye(ErrorCode::FieldInvalid);
}

TEST_F(SessionTest, HandsARequestToTheServiceAndTheCertificateBack) {
  open_and_greet();
  send(issue(1, "SN:42"));
  ASSERT_EQ(service_.issues.size(), 1U);
  EXPECT_EQ(service_.issues[0].station_id, 7);
  EXPECT_EQ(service_.issues[0].request_id, request_id(1));
  EXPECT_EQ(service_.issues[0].order_id, "default");
  EXPECT_EQ(service_.issues[0].device_id, "SN:42");
  EXPECT_EQ(service_.issues[0].csr_der, (Bytes{0x30, 1, 2}));
  EXPECT_EQ(session_->unanswered(), 1U);
  EXPECT_TRUE(take().empty());

  EXPECT_TRUE(service_.answer(ByteView(kCertificate)));
  const ToStation reply = take_one();
  EXPECT_EQ(reply.issue().request_id(), text_of(request_id(1)));
  EXPECT_EQ(reply.issue().status(), station::v1::STATUS_OK);
  EXPECT_EQ(to_bytes(reply.issue().certificate_der()), kCertificate);
  EXPECT_FALSE(reply.issue().has_failure());
  EXPECT_EQ(session_->unanswered(), 0U);
}

TEST_F(SessionTest, AnswersAtOnceWhenTheServiceDoes) {
  service_.immediate = kCertificate;
  open_and_greet();
  send(issue(1));
  EXPECT_EQ(to_bytes(take_one().issue().certificate_der()), kCertificate);
}

TEST_F(SessionTest, PassesAPermanentRefusalOnWithItsDetail) {
  open_and_greet();
  send(issue(1));
  EXPECT_TRUE(
      service_.answer(tl::unexpected(Refusal{Error(ErrorCode::CsrProofWrong, "detail"), {}})));
  const auto reply = take_one().issue();
  EXPECT_EQ(reply.status(), station::v1::STATUS_REFUSED);
  EXPECT_EQ(failure_code(reply.failure()), ErrorCode::CsrProofWrong);
  EXPECT_EQ(reply.failure().name(), "CsrProofWrong");
  EXPECT_NE(reply.failure().message().find("(detail)"), std::string::npos);
  EXPECT_EQ(reply.failure().retry_after_ms(), 0U);
  EXPECT_TRUE(reply.certificate_der().empty());
}

TEST_F(SessionTest, PassesATemporaryRefusalOnWithItsTime) {
  open_and_greet();
  send(issue(1));
  EXPECT_TRUE(service_.answer(tl::unexpected(
      Refusal{Error(ErrorCode::Unavailable, "secret of the plant"), std::chrono::seconds(5)})));
  const auto reply = take_one().issue();
  EXPECT_EQ(reply.status(), station::v1::STATUS_TRY_LATER);
  EXPECT_EQ(reply.failure().retry_after_ms(), 5000U);
  EXPECT_EQ(reply.failure().message().find("secret"), std::string::npos);
}

TEST_F(SessionTest, FetchIsAnsweredLikeIssue) {
  open_and_greet();
  send(fetch(9));
  ASSERT_EQ(service_.fetches.size(), 1U);
  EXPECT_EQ(service_.fetches[0].device_id, "SN-1");
  EXPECT_TRUE(service_.answer(ByteView(kCertificate)));
  EXPECT_EQ(take_one().issue().request_id(), text_of(request_id(9)));
}

TEST_F(SessionTest, ConfirmIsAnsweredByConfirmReply) {
  open_and_greet();
  send(confirm(1));
  send(confirm(2));
  ASSERT_EQ(service_.confirms.size(), 2U);
  EXPECT_EQ(service_.confirms[0].csr_der, Bytes(32, 0x11));
  service_.confirm_replies[0]({});
  EXPECT_EQ(take_one().confirm().status(), station::v1::STATUS_OK);
  service_.confirm_replies[1](tl::unexpected(Refusal{Error(ErrorCode::DeviceUnknown), {}}));
  const auto refused = take_one().confirm();
  EXPECT_EQ(refused.request_id(), text_of(request_id(2)));
  EXPECT_EQ(refused.status(), station::v1::STATUS_REFUSED);
  EXPECT_EQ(failure_code(refused.failure()), ErrorCode::DeviceUnknown);
  service_.confirm_replies[1]({});  // a second answer goes nowhere
  EXPECT_TRUE(take().empty());
}

TEST_F(SessionTest, PongReturnsTheNonce) {
  open_and_greet();
  send(ping(0xffffffffffffffff));
  EXPECT_EQ(take_one().pong().nonce(), 0xffffffffffffffff);
}

struct BadField {
  const char* name;
  void (*spoil)(station::v1::IssueRequest&);
  ErrorCode code;
};

class SessionBadField : public SessionFixture, public testing::WithParamInterface<BadField> {};

TEST_P(SessionBadField, IsRefusedInTheAnswerAndTheSessionStays) {
  open_and_greet();
  ToAppliance message = issue(1);
  GetParam().spoil(*message.mutable_issue());
  send(message);
  const auto reply = take_one().issue();
  EXPECT_EQ(reply.status(), station::v1::STATUS_REFUSED);
  EXPECT_EQ(failure_code(reply.failure()), GetParam().code);
  EXPECT_EQ(reply.request_id(), message.issue().request_id().substr(0, 16));
  EXPECT_TRUE(service_.issues.empty());
  EXPECT_EQ(session_->unanswered(), 0U);
  send(issue(2));
  EXPECT_EQ(service_.issues.size(), 1U);
}

using Issue = station::v1::IssueRequest;
INSTANTIATE_TEST_SUITE_P(
    All,
    SessionBadField,
    testing::Values(
        BadField{"NoRequestId", [](Issue& r) { r.clear_request_id(); }, ErrorCode::FieldInvalid},
        BadField{"ShortRequestId",
                 [](Issue& r) { r.set_request_id(std::string(15, 'x')); },
                 ErrorCode::FieldInvalid},
        BadField{"LongRequestId",
                 [](Issue& r) { r.set_request_id(std::string(60000, 'x')); },
                 ErrorCode::FieldInvalid},
        BadField{"NoOrder", [](Issue& r) { r.clear_order_id(); }, ErrorCode::FieldInvalid},
        BadField{
            "OrderWithColon", [](Issue& r) { r.set_order_id("a:b"); }, ErrorCode::FieldInvalid},
        BadField{"NoDevice", [](Issue& r) { r.clear_device_id(); }, ErrorCode::DeviceIdInvalid},
        BadField{"LongDevice",
                 [](Issue& r) { r.set_device_id(std::string(65, 'a')); },
                 ErrorCode::DeviceIdInvalid},
        BadField{"DeviceWithNul",
                 [](Issue& r) { r.set_device_id(std::string("a\0b", 3)); },
                 ErrorCode::DeviceIdInvalid},
        BadField{"DeviceWithLineEnd",
                 [](Issue& r) { r.set_device_id("a\r\nb"); },
                 ErrorCode::DeviceIdInvalid},
        BadField{"EmptyCsr", [](Issue& r) { r.clear_csr_der(); }, ErrorCode::CsrEmpty},
        BadField{"LargeCsr",
                 [](Issue& r) { r.set_csr_der(std::string(8193, 'x')); },
                 ErrorCode::CsrTooLarge}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(SessionTest, TakesTheLargestCsr) {
  open_and_greet();
  ToAppliance message = issue(1);
  message.mutable_issue()->set_csr_der(std::string(8192, 'x'));
  send(message);
  EXPECT_EQ(service_.issues.size(), 1U);
}

TEST_F(SessionTest, RefusesFetchAndConfirmWithBadFields) {
  open_and_greet();
  ToAppliance bad_fetch = fetch(1);
  bad_fetch.mutable_fetch()->set_device_id("");
  send(bad_fetch);
  EXPECT_EQ(failure_code(take_one().issue().failure()), ErrorCode::DeviceIdInvalid);
  ToAppliance bad_confirm = confirm(1);
  bad_confirm.mutable_confirm()->set_proof("short");
  send(bad_confirm);
  const auto reply = take_one().confirm();
  EXPECT_EQ(reply.status(), station::v1::STATUS_REFUSED);
  EXPECT_EQ(failure_code(reply.failure()), ErrorCode::FieldInvalid);
  EXPECT_TRUE(service_.fetches.empty() && service_.confirms.empty());
}

TEST_F(SessionTest, EndsWithGoodbyeWhenALengthIsWrong) {
  const std::pair<const char*, ErrorCode> cases[] = {
      {"00000000", ErrorCode::FrameEmpty},
      {"00010001", ErrorCode::FrameTooLarge},
      {"ffffffff", ErrorCode::FrameTooLarge},
  };
  for (const bool greeted : {false, true}) {
    for (const auto& [hex, code] : cases) {
      open();
      if (greeted) open_and_greet();
      session_->receive(from_hex(hex).value());
      expect_goodbye(code);
    }
  }
}

TEST_F(SessionTest, EndsWithGoodbyeWhenABodyIsNoMessage) {
  for (const char* hex : {"00000001ff", "000000020a05", "00000005120322ffff", "0000000412022aff"}) {
    open_and_greet();
    session_->receive(from_hex(hex).value());
    expect_goodbye(ErrorCode::FrameMalformed);
  }
}

TEST_F(SessionTest, EndsWithGoodbyeWhenTextIsNotUtf8) {
  open_and_greet();
  // IssueRequest {order_id: "\xff"}
  session_->receive(from_hex("0000000512031201ff").value());
  expect_goodbye(ErrorCode::FrameMalformed);
}

TEST_F(SessionTest, WantsHelloFirst) {
  for (const auto& message : {issue(1), fetch(1), confirm(1), ping(1), enroll()}) {
    open();
    send(message);
    expect_goodbye(ErrorCode::HelloExpected);
  }
  EXPECT_TRUE(service_.issues.empty());
}

TEST_F(SessionTest, WantsHelloOnce) {
  open_and_greet();
  send(hello());
  expect_goodbye(ErrorCode::HelloRepeated);
}

TEST_F(SessionTest, DoesNotKnowOtherMessages) {
  // Field 15 with a length, a message of no member, and enrolment on the wrong connection.
  for (const Bytes& frame :
       {from_hex("000000027a00").value(), from_hex("00000003c03e01").value(), frame_of(enroll())}) {
    open_and_greet();
    session_->receive(frame);
    expect_goodbye(ErrorCode::MessageUnknown);
  }
}

TEST_F(SessionTest, IgnoresUnknownFieldsInsideAMessage) {
  open_and_greet();
  Bytes body = from_hex("2a06").value();
  const Bytes inner = from_hex("0807f80701").value();  // nonce 7, field 127 = 1
  body[1] = static_cast<uint8_t>(inner.size());
  body.insert(body.end(), inner.begin(), inner.end());
  Bytes frame = {0, 0, 0, static_cast<uint8_t>(body.size())};
  frame.insert(frame.end(), body.begin(), body.end());
  session_->receive(frame);
  EXPECT_EQ(take_one().pong().nonce(), 7U);
}

TEST_F(SessionTest, NothingIsHeardAfterGoodbye) {
  open_and_greet();
  Bytes stream = {0, 0, 0, 0};
  append_frame(stream, issue(1));
  session_->receive(stream);
  expect_goodbye(ErrorCode::FrameEmpty);
  session_->receive(frame_of(issue(2)));
  session_->close(Error(ErrorCode::IdleTimeout));
  EXPECT_TRUE(take().empty());
  EXPECT_TRUE(service_.issues.empty());
}

TEST_F(SessionTest, CutAtEveryOffsetNothingHappensBeforeTheFrameIsWhole) {
  Bytes stream;
  append_frame(stream, hello());
  const size_t hello_end = stream.size();
  append_frame(stream, issue(1));
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    service_.issues.clear();
    open();
    session_->receive(ByteView(stream).first(cut));
    EXPECT_EQ(take().size(), cut >= hello_end ? 1U : 0U);
    EXPECT_EQ(service_.issues.size(), cut == stream.size() ? 1U : 0U);
    EXPECT_EQ(session_->is_mid_frame(), cut != 0 && cut != hello_end && cut != stream.size());
    session_->receive(ByteView(stream).subspan(cut));
    EXPECT_EQ(service_.issues.size(), 1U);
    EXPECT_FALSE(session_->is_closing());
  }
}

TEST_F(SessionTest, ByteByByteIsTheSameAsAtOnce) {
  Bytes stream;
  append_frame(stream, hello());
  for (uint32_t i = 0; i < 3; ++i) append_frame(stream, issue(i));
  open();
  for (const uint8_t byte : stream) session_->receive({&byte, 1});
  EXPECT_EQ(service_.issues.size(), 3U);
  EXPECT_EQ(session_->frames_received(), 4U);
}

TEST_F(SessionTest, AReplyAfterTheSessionIsGoneDoesNothing) {
  open_and_greet();
  send(issue(1));
  send(confirm(2));
  session_.reset();
  EXPECT_FALSE(service_.answer(ByteView(kCertificate)));
  service_.confirm_replies[0]({});
}

TEST_F(SessionTest, AReplyAfterGoodbyeDoesNothing) {
  open_and_greet();
  send(issue(1));
  session_->close(Error(ErrorCode::StationRevoked));
  expect_goodbye(ErrorCode::StationRevoked);
  EXPECT_FALSE(service_.answer(ByteView(kCertificate)));
  EXPECT_TRUE(take().empty());
}

TEST_F(SessionTest, ASecondReplyDoesNothing) {
  open_and_greet();
  send(issue(1));
  const CertificateReply reply = service_.replies.front();
  EXPECT_TRUE(reply(ByteView(kCertificate)));
  EXPECT_FALSE(reply(ByteView(kCertificate)));
  send(issue(2));  // takes the same slot
  EXPECT_FALSE(reply(ByteView(kCertificate)));
  EXPECT_EQ(take().size(), 1U);
  EXPECT_EQ(session_->unanswered(), 1U);
}

TEST_F(SessionTest, NeverSendsMoreThanTheStationCanReceive) {
  open();
  ToAppliance small = hello();
  small.mutable_hello()->set_max_frame_bytes(1024);
  send(small);
  EXPECT_TRUE(take_one().has_welcome());
  send(issue(1));
  const Bytes large(1024, 0x30);
  EXPECT_FALSE(service_.answer(ByteView(large)));  // it is not delivered
  const auto reply = take_one().issue();
  EXPECT_EQ(reply.status(), station::v1::STATUS_REFUSED);
  EXPECT_EQ(failure_code(reply.failure()), ErrorCode::FieldInvalid);
}

TEST_F(SessionTest, SaysGoodbyeWhenNotEvenWelcomeFits) {
  service_.chain = {Bytes(2000, 1)};
  open();
  ToAppliance small = hello();
  small.mutable_hello()->set_max_frame_bytes(1024);
  send(small);
  expect_goodbye(ErrorCode::FieldInvalid);
}

TEST_F(SessionTest, WhileDrainingRefusesNewRequestsAndAnswersOldOnes) {
  open_and_greet();
  send(issue(1));
  host_.draining = true;
  send(issue(2));
  send(confirm(3));
  send(ping(4));
  const auto replies = take();
  ASSERT_EQ(replies.size(), 3U);
  EXPECT_EQ(failure_code(replies[0].issue().failure()), ErrorCode::Draining);
  EXPECT_EQ(replies[0].issue().status(), station::v1::STATUS_TRY_LATER);
  EXPECT_GT(replies[0].issue().failure().retry_after_ms(), 0U);
  EXPECT_EQ(failure_code(replies[1].confirm().failure()), ErrorCode::Draining);
  EXPECT_TRUE(replies[2].has_pong());
  EXPECT_TRUE(service_.answer(ByteView(kCertificate)));
  EXPECT_EQ(take_one().issue().status(), station::v1::STATUS_OK);
}

TEST_F(SessionTest, GoodbyeSessionSaysOnlyThat) {
  session_ = Session::for_goodbye(host_, {Error(ErrorCode::StationUnknown), {}}, [] {});
  send(hello());
  expect_goodbye(ErrorCode::StationUnknown);
}

}  // namespace
}  // namespace linesign::test
