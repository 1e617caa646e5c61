#include "appliance/cloud/registration/bulk_report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/base/error.h"

namespace linesign {
namespace {

using testing::HasSubstr;

class BulkReportTest : public testing::Test {
 protected:
  BulkReportTest() {
    lines_.add(11, Sha256{1}, "-----A-----\nAAAA\n", "SN-1");
    lines_.add(12, Sha256{2}, "-----A-----\nBBBB\n", "SN-2");
  }
  BulkLines lines_;
};

TEST_F(BulkReportTest, FindsTheLineByItsNumber) {
  const auto booking = read_report_line(
      R"({"lineNumber":2,"offset":9,"response":{"CertificatePem":"-----A-----\nBBBB"}})",
      true,
      lines_);
  ASSERT_TRUE(booking.has_value());
  EXPECT_EQ(booking->issuance_id, 12U);
  EXPECT_EQ(booking->state, RegistrationState::Registered);
  EXPECT_EQ(booking->certificate_id, Sha256{2});
}

TEST_F(BulkReportTest, ANumberMayBeAText) {
  const auto booking = read_report_line(
      R"({"lineNumber":"2","response":{"CertificatePem":"-----A-----\nBBBB"}})", true, lines_);
  ASSERT_TRUE(booking.has_value());
  EXPECT_EQ(booking->issuance_id, 12U);
}

TEST_F(BulkReportTest, FindsTheLineByCertificateOrThing) {
  EXPECT_EQ(read_report_line(R"({"response":{"CertificatePem":"-----A-----\nAAAA"}})", true, lines_)
                ->issuance_id,
            11U);
  EXPECT_EQ(read_report_line(
                R"({"response":{"ResourceArns":{"t":"arn:aws:iot:r:1:thing/SN-2"}}})", true, lines_)
                ->issuance_id,
            12U);
}

TEST_F(BulkReportTest, AnotherCertificateOnTheLineIsParked) {
  const auto booking = read_report_line(
      R"({"lineNumber":1,"response":{"CertificatePem":"-----A-----\nBBBB"}})", true, lines_);
  ASSERT_TRUE(booking.has_value());
  EXPECT_EQ(booking->state, RegistrationState::Parked);
}

TEST_F(BulkReportTest, AFailedLineIsParkedWithTheReason) {
  const auto booking = read_report_line(
      R"({"lineNumber":1,"error":{"code":"ResourceRegistrationFailureException","message":"bad"}})",
      false,
      lines_);
  ASSERT_TRUE(booking.has_value());
  EXPECT_EQ(booking->state, RegistrationState::Parked);
  EXPECT_EQ(booking->code, static_cast<uint32_t>(ErrorCode::AwsRefused));
  EXPECT_THAT(booking->reason, HasSubstr("bad"));
}

TEST_F(BulkReportTest, AThrottledLineWaitsAgain) {
  const auto booking = read_report_line(
      R"({"lineNumber":1,"error":{"code":"ThrottlingException","message":"slow"}})", false, lines_);
  ASSERT_TRUE(booking.has_value());
  EXPECT_EQ(booking->state, RegistrationState::Waiting);
}

TEST_F(BulkReportTest, WhatNamesNoDeviceOfOursIsLeftOut) {
  for (const char* line : {"",
                           "[]",
                           "{",
                           "{}",
                           R"({"lineNumber":0})",
                           R"({"lineNumber":3})",
                           R"({"lineNumber":"x"})",
                           R"({"lineNumber":"1x"})",
                           R"({"lineNumber":""})",
                           R"({"response":{"ResourceArns":{"t":"arn:aws:iot:r:1:thing/SN-9"}}})"})
    EXPECT_FALSE(read_report_line(line, true, lines_).has_value()) << line;
}

}  // namespace
}  // namespace linesign
