#include "appliance/cloud/registration/report_line.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/cloud/registration/verdict.h"

namespace linesign {
namespace {

using testing::HasSubstr;

std::string sdk_text(const std::string& code, int status) {
  return fmt::format(
      "com.amazonaws.services.iot.model.{0}: Rate exceeded (Service: AWSIot; Status Code: {1}; "
      "Error Code: {0}; Request ID: 5c3f0f0e-0000-4000-8000-000000000000; Proxy: null)",
      code,
      status);
}

ReportLine read(const std::string& json) {
  const auto line = read_report_line(json);
  EXPECT_TRUE(line.has_value()) << json;
  return line.value_or(ReportLine{});
}

ReportFailure failure(const std::string& json) {
  const ReportLine line = read(json);
  EXPECT_TRUE(line.failure.has_value() && !line.result) << json;
  return line.failure.value_or(ReportFailure{});
}

TEST(ReportLine, AnErrorAsAPublicFileShowsIt) {
  const std::string text = sdk_text("ThrottlingException", 429);
  const std::string json =
      fmt::format(R"({{"errorMessage":"{}","lineNumber":1,"offset":816,"response":null}})", text);
  EXPECT_EQ(read(json).number, 1);
  EXPECT_EQ(failure(json).meaning.error, ErrorCode::AwsThrottled);
  EXPECT_TRUE(failure(json).may_pass());
  EXPECT_EQ(failure(json).words, text) << "AWS's own words, and no code twice";
}

TEST(ReportLine, EachSpellingOfAnErrorIsRead) {
  for (const char* error : {R"("errorMessage":"ThrottlingException: slow")",
                            R"("error":{"code":"ThrottlingException","message":"slow"})",
                            R"("error":{"Code":"ThrottlingException","Message":"slow"})",
                            R"("Error":{"code":"ThrottlingException","message":"slow"})",
                            R"("Error":{"errorCode":"ThrottlingException","errorMessage":"slow"})",
                            R"("error":"ThrottlingException: slow")",
                            R"("code":"ThrottlingException","message":"slow")",
                            R"("errorCode":"ThrottlingException","errorMessage":"slow")"}) {
    const std::string json = fmt::format(R"({{"lineNumber":"7",{},"response":null}})", error);
    EXPECT_EQ(read(json).number, 7);
    EXPECT_EQ(failure(json).meaning.error, ErrorCode::AwsThrottled) << json;
    EXPECT_EQ(failure(json).words, "ThrottlingException: slow") << json;
  }
}

TEST(ReportLine, TheMostSpecificCodeInTheTextCounts) {
  const auto error_of = [](const std::string& code, const std::string& message) {
    return read_report_failure(code, message).meaning.error;
  };
  const std::string wrapper = "ResourceRegistrationFailureException";
  EXPECT_EQ(error_of("", sdk_text(wrapper, 400)), ErrorCode::AwsRefused);
  EXPECT_EQ(error_of(wrapper, sdk_text("ThrottlingException", 400)), ErrorCode::AwsThrottled);
  EXPECT_EQ(error_of(wrapper, "AccessDeniedException: no"), ErrorCode::AwsDenied);
  EXPECT_EQ(error_of("", wrapper + ": a.b.LimitExceededException: 10"), ErrorCode::AwsQuota);
  EXPECT_EQ(error_of("", sdk_text("ThrottlingException", 429) + " " + sdk_text(wrapper, 400)),
            ErrorCode::AwsThrottled);
  // SDK version 2 names no code beside its class.
  EXPECT_EQ(error_of("",
                     "software.amazon.awssdk.services.iot.model.InternalFailureException: oh "
                     "(Service: Iot, Status Code: 500, Request ID: 1)"),
            ErrorCode::AwsUnavailable);
  EXPECT_EQ(error_of("ThrottlingException", "the thing: is busy"), ErrorCode::AwsThrottled);
}

TEST(ReportLine, WithoutACodeTheStatusCounts) {
  const auto error_at = [](int status) {
    return read_report_failure(
               "", fmt::format("no (Service: AWSIot; Status Code: {}; Error Code: null)", status))
        .meaning.error;
  };
  EXPECT_EQ(error_at(429), ErrorCode::AwsThrottled);
  EXPECT_EQ(error_at(503), ErrorCode::AwsUnavailable);
  EXPECT_EQ(error_at(403), ErrorCode::AwsDenied);
  EXPECT_EQ(error_at(400), ErrorCode::AwsRefused);
  EXPECT_EQ(error_at(99999), ErrorCode::AwsRefused) << "no status";
  EXPECT_EQ(read_report_failure("", sdk_text("NewException", 503)).meaning.error,
            ErrorCode::AwsUnavailable);
}

TEST(ReportLine, WordsAreOneBoundedLine) {
  EXPECT_EQ(read_report_failure("", "").words, "no message");
  EXPECT_EQ(read_report_failure("BadException", "").words, "BadException: no message");
  EXPECT_EQ(read_report_failure("", "a\nb\x1b[2J").words, "a b [2J");
  const ReportFailure longest = read_report_failure("BadException", std::string(100'000, 'x'));
  EXPECT_EQ(longest.words.size(), kMaxReasonBytes);
  EXPECT_THAT(longest.words, HasSubstr("BadException: xxx"));
}

TEST(ReportLine, EachSpellingOfAResultIsRead) {
  for (
      const char* json :
      {R"({"lineNumber":2,"response":{"CertificatePem":"P","ResourceArns":{"t":"arn:x:thing/A"}}})",
       R"({"lineNumber":2,"response":{"certificatePem":"P","resourceArns":{"t":"arn:x:thing/A"}}})",
       R"({"errorMessage":null,"lineNumber":2,"offset":1,"response":{"CertificatePem":"P",)"
       R"("ResourceArns":{"certificate":"arn:x:cert/1","t":"arn:x:thing/A"}}})",
       R"({"errorMessage":"","message":"ok","lineNumber":2,"certificatePem":"P",)"
       R"("resourceArns":{"t":"arn:x:thing/A"}})"}) {
    const ReportLine line = read(json);
    ASSERT_TRUE(line.result.has_value() && !line.failure) << json;
    EXPECT_EQ(line.number, 2);
    EXPECT_EQ(line.result->certificate_pem, "P");
    EXPECT_EQ(line.result->thing_name, "A");
  }
}

TEST(ReportLine, WhatIsNeitherSaysNothing) {
  for (const char* json : {"", "[]", "{", "7", "null"})
    EXPECT_FALSE(read_report_line(json)) << json;
  for (const char* json :
       {"{}", R"({"lineNumber":1,"response":null})", R"({"lineNumber":1,"response":[]})"}) {
    const ReportLine line = read(json);
    EXPECT_FALSE(line.result || line.failure) << json;
  }
  const ReportLine both = read(R"({"errorMessage":"no","response":{"CertificatePem":"P"}})");
  EXPECT_TRUE(both.result && both.failure) << "a contradiction";
}

}  // namespace
}  // namespace linesign
