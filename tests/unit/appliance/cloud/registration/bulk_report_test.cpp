#include "appliance/cloud/registration/bulk_report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

using testing::HasSubstr;

// Devices 11 to 13 with certificates AAAA, BBBB, CCCC and things SN-1 to SN-3, in this order.
class BulkReportTest : public testing::Test {
 protected:
  BulkReportTest() {
    const char* letter = "ABC";
    for (uint8_t i = 0; i < 3; ++i)
      lines_.add(test::make_item(11 + i),
                 Sha256{i},
                 fmt::format("-----A-----\n{}\n", std::string(4, letter[i])),
                 fmt::format("SN-{}", i + 1));
  }

  static std::string result(const std::string& number, const std::string& pem) {
    return fmt::format(
        R"({{"lineNumber":{},"offset":9,"response":{{"CertificatePem":"-----A-----\n{}"}}}})",
        number,
        pem);
  }
  static std::string error(int number, const std::string& code) {
    return fmt::format(
        R"({{"lineNumber":{},"error":{{"code":"{}","message":"bad"}}}})", number, code);
  }
  const CloudBooking& booking(uint64_t id) const { return reports_.outcomes().at(id).booking; }

  BulkLines lines_;
  BulkReports reports_{lines_};
};

TEST_F(BulkReportTest, AResultWithOurCertificateIsRegistered) {
  reports_.take_result(result("2", "BBBB"));
  EXPECT_EQ(booking(12).state, RegistrationState::Registered);
  EXPECT_EQ(booking(12).certificate_id, Sha256{1});
  EXPECT_TRUE(reports_.has_registered());
}

TEST_F(BulkReportTest, ADeviceIsFoundByItsCertificateItsNumberOrItsThing) {
  reports_.take_result(R"({"response":{"CertificatePem":"-----A-----\nAAAA"}})");
  reports_.take_result(R"({"lineNumber":"2","response":{}})");
  reports_.take_result(R"({"response":{"ResourceArns":{"t":"arn:aws:iot:r:1:thing/SN-3"}}})");
  for (const uint64_t id : {11U, 12U, 13U})
    EXPECT_EQ(booking(id).state, RegistrationState::Registered) << id;
}

TEST_F(BulkReportTest, ACertificateThatIsNotOursIsParked) {
  reports_.take_result(result("1", "XXXX"));
  EXPECT_EQ(booking(11).state, RegistrationState::Parked);
  EXPECT_THAT(booking(11).reason, HasSubstr("another certificate"));
}

TEST_F(BulkReportTest, WhatAwsCountsFromIsLearntFromItsResults) {
  reports_.take_result(result("0", "AAAA"));
  reports_.take_result(result("2", "CCCC"));
  reports_.take_error(error(1, "ResourceRegistrationFailureException"));
  EXPECT_EQ(booking(11).state, RegistrationState::Registered);
  EXPECT_EQ(booking(12).state, RegistrationState::Parked);
  EXPECT_EQ(booking(13).state, RegistrationState::Registered);
}

TEST_F(BulkReportTest, NumbersThatContradictEachOtherAreNotBelieved) {
  reports_.take_result(result("1", "AAAA"));
  reports_.take_result(result("7", "CCCC"));
  reports_.take_error(error(2, "ResourceRegistrationFailureException"));
  EXPECT_FALSE(reports_.outcomes().contains(12));
  reports_.park_unmentioned();
  EXPECT_THAT(booking(12).reason, HasSubstr("do not name"));
}

TEST_F(BulkReportTest, AnErrorChangesNothingAboutADeviceThatHasAResult) {
  reports_.take_result(result("1", "AAAA"));
  reports_.take_error(error(1, "ResourceRegistrationFailureException"));
  EXPECT_EQ(booking(11).state, RegistrationState::Registered);
}

TEST_F(BulkReportTest, AFailedLineIsParkedWithTheReason) {
  reports_.take_error(error(1, "ResourceRegistrationFailureException"));
  EXPECT_EQ(booking(11).state, RegistrationState::Parked);
  EXPECT_EQ(booking(11).code, static_cast<uint32_t>(ErrorCode::AwsRefused));
  EXPECT_THAT(booking(11).reason, HasSubstr("bad"));
  EXPECT_EQ(booking(11).attempts, 1U);
}

TEST_F(BulkReportTest, TheSpellingOfAPublicFileIsRead) {
  reports_.take_result(
      R"({"errorMessage":null,"lineNumber":2,"offset":9,"response":{"certificatePem":)"
      R"("-----A-----\nBBBB","resourceArns":{}}})");
  const auto public_error = [](int number, const std::string& code, int status) {
    return fmt::format(
        R"({{"errorMessage":"com.amazonaws.services.iot.model.{1}: no (Service: AWSIot; )"
        R"x(Status Code: {2}; Error Code: {1}; Request ID: 1)","lineNumber":{0},"offset":1,)x"
        R"("response":null}})",
        number,
        code,
        status);
  };
  reports_.take_error(public_error(1, "ThrottlingException", 429));
  reports_.take_error(public_error(3, "InvalidRequestException", 400));
  EXPECT_EQ(booking(12).state, RegistrationState::Registered);
  EXPECT_EQ(booking(11).state, RegistrationState::Waiting) << "it goes into a later task";
  EXPECT_EQ(reports_.outcomes().at(11).hold->code(), ErrorCode::AwsThrottled);
  EXPECT_EQ(booking(13).state, RegistrationState::Parked);
  EXPECT_THAT(booking(13).reason, HasSubstr("InvalidRequestException: no (Service: AWSIot"));
}

TEST_F(BulkReportTest, AFailureThatMayPassIsNoVerdict) {
  reports_.take_error(error(1, "ThrottlingException"));
  reports_.take_error(error(2, "InternalFailureException"));
  EXPECT_EQ(booking(11).state, RegistrationState::Waiting);
  EXPECT_EQ(reports_.outcomes().at(11).hold->code(), ErrorCode::AwsThrottled);
  EXPECT_EQ(reports_.outcomes().at(12).hold->code(), ErrorCode::AwsUnavailable);
}

TEST_F(BulkReportTest, WhatNamesNoDeviceOfOursIsLeftOut) {
  for (const char* line : {"",
                           "[]",
                           "{",
                           "{}",
                           R"({"lineNumber":0})",
                           R"({"lineNumber":4})",
                           R"({"lineNumber":"x"})",
                           R"({"lineNumber":"1x"})",
                           R"({"lineNumber":""})",
                           R"({"response":{"ResourceArns":{"t":"arn:aws:iot:r:1:thing/SN-9"}}})"}) {
    reports_.take_result(line);
    reports_.take_error(line);
    EXPECT_TRUE(reports_.outcomes().empty()) << line;
  }
}

TEST(BulkReportSetUpTest, TenLinesThatFailAlikeAndNoOtherAreAboutTheSetUp) {
  for (const int count : {9, 10}) {
    BulkLines lines;
    for (int i = 1; i <= count; ++i)
      lines.add(test::make_item(static_cast<uint64_t>(i)), {}, std::to_string(i), "");
    BulkReports reports(lines);
    for (int i = 1; i <= count; ++i)
      reports.take_error(
          fmt::format(R"({{"lineNumber":{},"error":{{"code":"AccessDeniedException"}}}})", i));
    const auto all = reports.what_all_failed_with();
    EXPECT_EQ(all.has_value(), count == 10);
    if (!all) continue;
    EXPECT_EQ(all->code(), ErrorCode::AwsDenied);
    EXPECT_THAT(all->detail(), HasSubstr("all 10 lines"));
  }
}

}  // namespace
}  // namespace linesign
