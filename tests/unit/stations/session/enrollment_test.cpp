#include "tests/unit/stations/session/session_fixture.h"

namespace linesign::test {
namespace {

class EnrollmentTest : public SessionFixture {
 protected:
  void SetUp() override { open_enrollment(); }
  void open_enrollment() {
    session_ = Session::for_enrollment(host_, {"192.0.2.7", {}}, [this] { ++outputs_; });
  }
};

TEST_F(EnrollmentTest, OneRequestOneAnswerThenTheEnd) {
  send(enroll());
  ASSERT_EQ(service_.enroll_secrets.size(), 1U);
  EXPECT_EQ(service_.enroll_secrets[0], Bytes(32, 0x22));
  EXPECT_FALSE(session_->is_closing());
  EXPECT_EQ(session_->unanswered(), 1U);

  service_.enroll_replies[0](
      Enrolled{.station = "jig-7", .certificate_der = {1, 2}, .ca_certificate_der = {3}});
  const auto reply = take_one().enroll();
  EXPECT_EQ(reply.status(), station::v1::STATUS_OK);
  EXPECT_EQ(reply.station(), "jig-7");
  EXPECT_EQ(reply.certificate_der(), "\x01\x02");
  EXPECT_EQ(reply.ca_certificate_der(), "\x03");
  EXPECT_TRUE(session_->is_closing());
  EXPECT_EQ(session_->unanswered(), 0U);

  service_.enroll_replies[0](fail(ErrorCode::TokenUsed));
  EXPECT_TRUE(take().empty());
}

TEST_F(EnrollmentTest, ARefusalIsToldAndEndsToo) {
  send(enroll());
  service_.enroll_replies[0](fail(ErrorCode::TokenUsed));
  const auto reply = take_one().enroll();
  EXPECT_EQ(reply.status(), station::v1::STATUS_REFUSED);
  EXPECT_EQ(failure_code(reply.failure()), ErrorCode::TokenUsed);
  EXPECT_TRUE(session_->is_closing());
}

TEST_F(EnrollmentTest, ATemporaryFailureHasARetryTime) {
  send(enroll());
  service_.enroll_replies[0](fail(ErrorCode::LedgerUnavailable));
  const auto reply = take_one().enroll();
  EXPECT_EQ(reply.status(), station::v1::STATUS_TRY_LATER);
  EXPECT_GT(reply.failure().retry_after_ms(), 0U);
}

TEST_F(EnrollmentTest, BadFieldsNeverReachTheService) {
  using Spoil = void (*)(station::v1::EnrollRequest&);
  const std::pair<Spoil, ErrorCode> cases[] = {
      {[](auto& r) { r.clear_secret(); }, ErrorCode::FieldInvalid},
      {[](auto& r) { r.set_secret(std::string(65, 'x')); }, ErrorCode::FieldInvalid},
      {[](auto& r) { r.clear_csr_der(); }, ErrorCode::CsrEmpty},
      {[](auto& r) { r.set_csr_der(std::string(8193, 'x')); }, ErrorCode::CsrTooLarge},
  };
  for (const auto& [spoil, code] : cases) {
    open_enrollment();
    ToAppliance message = enroll();
    spoil(*message.mutable_enroll());
    send(message);
    const auto reply = take_one().enroll();
    EXPECT_EQ(reply.status(), station::v1::STATUS_REFUSED);
    EXPECT_EQ(failure_code(reply.failure()), code);
    EXPECT_TRUE(session_->is_closing());
  }
  EXPECT_TRUE(service_.enroll_secrets.empty());
}

TEST_F(EnrollmentTest, KnowsNoOtherMessage) {
  for (const auto& message : {hello(), issue(1), fetch(1), confirm(1), ping(1)}) {
    open_enrollment();
    send(message);
    expect_goodbye(ErrorCode::MessageUnknown);
  }
  EXPECT_TRUE(service_.issues.empty());
}

TEST_F(EnrollmentTest, ASecondRequestEndsIt) {
  send(enroll());
  send(enroll());
  expect_goodbye(ErrorCode::MessageUnknown);
  EXPECT_EQ(service_.enroll_secrets.size(), 1U);
  service_.enroll_replies[0](Enrolled{});
  EXPECT_TRUE(take().empty());
}

TEST_F(EnrollmentTest, AReplyAfterTheSessionIsGoneDoesNothing) {
  send(enroll());
  session_.reset();
  service_.enroll_replies[0](Enrolled{});
}

TEST_F(EnrollmentTest, WhileDrainingNobodyEnrolls) {
  host_.draining = true;
  send(enroll());
  const auto reply = take_one().enroll();
  EXPECT_EQ(reply.status(), station::v1::STATUS_TRY_LATER);
  EXPECT_EQ(failure_code(reply.failure()), ErrorCode::Draining);
}

}  // namespace
}  // namespace linesign::test
