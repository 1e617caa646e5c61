// Reports that come back from a plant without internet.
#include "appliance/cloud/registration/plant_report.h"

#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/cloud/manifest/manifest_line.h"
#include "appliance/cloud/registration/report_file.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/csr.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

using testing::HasSubstr;

class PlantReportTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& text) {
    const auto path = folder_.path() / fmt::format("report-{}", ++files_);
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::string hex(uint64_t id) const {
    return to_hex(sha256(outbox_.items.at(id).certificate_der));
  }
  std::string result(uint64_t id) const {
    return fmt::format(R"({{"lineNumber":{},"response":{{"CertificatePem":{}}}}})"
                       "\n",
                       id,
                       json_text(certificate_pem(outbox_.items.at(id).certificate_der)));
  }
  std::string manifest() const {
    std::string text;
    for (const auto& [id, item] : outbox_.items)
      text += *device_line({{"A", "{device_id}"}, {"Pem", "{certificate_pem}"}}, item);
    return text;
  }
  Result<ImportedReport> book(const PlantReport& report) {
    PlantBook ledger;
    ledger.certificates = [this](const std::string& order, uint64_t after, uint32_t limit) {
      return outbox_.certificates(order, after, limit);
    };
    ledger.claim = [this](uint64_t after, uint32_t limit) {
      return outbox_.claim("plant", after, limit);
    };
    ledger.book = [this](const std::vector<CloudBooking>& bookings) {
      return outbox_.book("plant", bookings);
    };
    return book_report(report, {"default"}, ledger);
  }
  Result<void> read(const std::string& text) {
    PlantReport report;
    return report.read(file(text));
  }

  TempDir folder_;
  int files_ = 0;
  test::FakeOutbox outbox_{5};
};

TEST_F(PlantReportTest, ResultsAndErrorsOfATaskAreBooked) {
  PlantReport report;
  ASSERT_TRUE(report.read_manifest(file(manifest())).has_value());
  ASSERT_TRUE(report.read(file(result(1) + result(2))).has_value());
  ASSERT_TRUE(report
                  .read(file(R"({"lineNumber":4,"error":{"code":"InvalidRequestException",)"
                             R"("message":"bad"}})"
                             "\n"))
                  .has_value());
  const auto imported = book(report);
  ASSERT_TRUE(imported.has_value()) << imported.error().to_string();
  EXPECT_EQ(imported->registered, 2U);
  EXPECT_EQ(imported->failed, 1U);
  EXPECT_EQ(outbox_.items.at(2).state, RegistrationState::Registered);
  EXPECT_EQ(outbox_.items.at(4).state, RegistrationState::Parked);
  EXPECT_EQ(outbox_.booked.at(4).reason, "InvalidRequestException: bad");
  EXPECT_EQ(outbox_.items.at(3).state, RegistrationState::Waiting);
}

TEST_F(PlantReportTest, EachSpellingOfAwsIsReadAndALineThatMayPassBooksNothing) {
  PlantReport report;
  std::string lower = result(1);
  lower.replace(lower.find("CertificatePem"), 1, "c");
  const std::string busy =
      R"({"errorMessage":"com.amazonaws.services.iot.model.ThrottlingException: slow (Service: )"
      R"x(AWSIot; Status Code: 429; Error Code: ThrottlingException)","lineNumber":3,"offset":816,)x"
      R"("response":null})"
      "\n";
  ASSERT_TRUE(report.read_manifest(file(manifest())).has_value());
  const auto read =
      report.read(file(lower + "\n" + busy +
                       R"({"lineNumber":4,"code":"InvalidRequestException","message":"bad"})"));
  ASSERT_TRUE(read.has_value()) << read.error().to_string();
  ASSERT_TRUE(report.read(file("")).has_value()) << "AWS writes empty reports";
  ImportedReport imported = book(report).value();
  EXPECT_EQ(imported.registered, 1U);
  EXPECT_EQ(imported.failed, 1U);
  EXPECT_EQ(imported.to_retry, std::vector<uint64_t>{3});
  EXPECT_EQ(outbox_.items.at(3).state, RegistrationState::Waiting);
  EXPECT_FALSE(outbox_.booked.contains(3));
  // A later report says what became of it; an earlier one changes nothing any more.
  ASSERT_TRUE(report.read(file(result(3) + busy)).has_value());
  imported = book(report).value();
  EXPECT_EQ(imported.registered, 2U);
  EXPECT_TRUE(imported.to_retry.empty());
}

TEST_F(PlantReportTest, ALineNumberNeedsTheManifest) {
  const std::string line = R"({"lineNumber":1,"error":{"code":"X","message":"bad"}})";
  const auto read_alone = read(line);
  ASSERT_FALSE(read_alone.has_value());
  EXPECT_THAT(read_alone.error().detail(), HasSubstr("manifest"));
  PlantReport report;
  ASSERT_TRUE(report.read_manifest(file(manifest())).has_value());
  EXPECT_FALSE(
      report.read(file(R"({"lineNumber":6,"error":{"code":"X","message":"bad"}})")).has_value());
}

TEST_F(PlantReportTest, AResultWithoutItsCertificateIsNotBelieved) {
  PlantReport report;
  ASSERT_TRUE(report.read_manifest(file(manifest())).has_value());
  const auto done = report.read(file(R"({"lineNumber":1,"response":{"ResourceArns":{}}})"));
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().detail(), HasSubstr("without its certificate"));
}

TEST_F(PlantReportTest, AnotherManifestThanAwsWasGivenIsNoticed) {
  std::string turned = result(2);
  turned.replace(turned.find(":2,"), 3, ":1,");
  PlantReport report;
  ASSERT_TRUE(report.read_manifest(file(manifest())).has_value());
  const auto done = report.read(file(turned));
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().detail(), HasSubstr("another certificate"));
}

TEST_F(PlantReportTest, AReasonCannotWriteToAnOperatorsTerminal) {
  PlantReport report;
  ASSERT_TRUE(report
                  .read(file("\xef\xbb\xbf"
                             "certificate_id,status,reason\n" +
                             hex(1) + ",failed,\x1b[2Jgone\r\n"))
                  .has_value());
  ASSERT_TRUE(book(report).has_value());
  EXPECT_EQ(outbox_.booked.at(1).reason, " [2Jgone");
}

TEST_F(PlantReportTest, ATableIsBooked) {
  PlantReport report;
  const std::string table = "device_id,certificate_id,status,reason\r\nSN-1," + hex(1) +
                            ",registered,\r\n\"SN,2\"," + hex(2) +
                            ",failed,\"no \"\"type\"\"\"\r\n";
  ASSERT_TRUE(report.read(file(table)).has_value());
  const auto imported = book(report);
  ASSERT_TRUE(imported.has_value());
  EXPECT_EQ(outbox_.items.at(1).state, RegistrationState::Registered);
  EXPECT_EQ(outbox_.booked.at(2).reason, "no \"type\"");
}

TEST_F(PlantReportTest, ATableIsReadAsExcelWritesIt) {
  std::string upper = hex(2);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
    return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  for (const std::string separator : {";", ",", "\t"}) {
    const auto row = [&](const std::vector<std::string>& cells) {
      std::string text;
      for (const std::string& cell : cells) text += (text.empty() ? "" : separator) + cell;
      return text + "\r\n";
    };
    PlantReport report;
    const auto read =
        report.read(file("\xef\xbb\xbf" + row({"Line", "Certificate_ID", "STATUS", "Reason"}) +
                         row({" ", "", "", ""}) + "\r\n" + row({"7", hex(1), "Registered"}) +
                         row({"7", upper, "FAILED", "\"no\r\n\"\"type\"\"\""})));
    ASSERT_TRUE(read.has_value()) << read.error().to_string();
    ASSERT_TRUE(book(report).has_value());
    EXPECT_EQ(outbox_.items.at(1).state, RegistrationState::Registered);
    EXPECT_EQ(outbox_.booked.at(2).reason, "no  \"type\"");
  }
  EXPECT_THAT(read(std::string("c\0e\0r\0", 6)).error().detail(), HasSubstr("UTF-16"));
}

TEST_F(PlantReportTest, GarbageIsRefusedWithItsLine) {
  const std::string id = hex(1);
  const std::vector<std::string> garbage = {
      "certificate_id\n" + id + "\n",
      "certificate_id,state,colour\n",
      "certificate_id,status,status\n",
      "certificate_id,status\n" + id + "\n",
      "certificate_id,status\n" + id + ",perhaps\n",
      "certificate_id,status\n" + id.substr(1) + ",failed\n",
      "certificate_id,status\n" + id + ",registered\n" + id + ",failed\n",
      "certificate_id,status\n" + id + ",\"failed\n",
      "{}\n",
      "{\"response\":{}}\n",
      result(1) + "{\"half\":",
      "<html>",
      std::string(kMaxReportLine + 1, 'x')};
  for (const std::string& text : garbage) {
    const auto refused = read(text);
    ASSERT_FALSE(refused.has_value()) << text.substr(0, 200);
    EXPECT_EQ(refused.error().code(), ErrorCode::ReportMalformed);
  }
  EXPECT_THAT(read("certificate_id,status\n" + id + ",perhaps\n").error().detail(),
              HasSubstr(":2: status"));
}

TEST_F(PlantReportTest, ForeignDevicesAreRefusedAndNothingIsBooked) {
  PlantReport report;
  ASSERT_TRUE(report
                  .read(file("certificate_id,status\n" + hex(1) + ",registered\n" +
                             std::string(64, 'e') + ",registered\n"))
                  .has_value());
  const auto refused = book(report);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::ReportRefused);
  EXPECT_TRUE(outbox_.booked.empty());
}

TEST_F(PlantReportTest, WhatTheLedgerRefusesIsToldAndEndsTheImport) {
  PlantReport report;
  ASSERT_TRUE(report.read(file("certificate_id,status\n" + hex(1) + ",registered\n")).has_value());
  outbox_.failure = ErrorCode::AdminUnavailable;
  EXPECT_EQ(book(report).error().code(), ErrorCode::AdminUnavailable);
  outbox_.failure.reset();
  EXPECT_TRUE(book(report).has_value());
}

}  // namespace
}  // namespace linesign
