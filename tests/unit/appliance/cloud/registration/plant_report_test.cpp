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

TEST_F(PlantReportTest, GarbageIsRefusedWithItsLine) {
  const std::string id = hex(1);
  const std::vector<std::string> garbage = {
      "",
      "\n",
      "certificate_id\n" + id + "\n",
      "certificate_id,status,colour\n",
      "certificate_id,status,status\n",
      "certificate_id,status\n" + id + "\n",
      "certificate_id,status\n" + id + ",perhaps\n",
      "certificate_id,status\n" + id.substr(1) + ",failed\n",
      "certificate_id,status\n" + id + ",registered\n" + id + ",failed\n",
      "certificate_id,status\n" + id + ",\"failed\n",
      "{}\n",
      "{\"response\":{}}\n",
      result(1) + "{\"half\":",
      result(1) + "\n" + result(2),
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
