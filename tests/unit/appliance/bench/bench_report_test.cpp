#include "appliance/bench/bench_report.h"

#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <gmock/gmock.h>

namespace linesign::bench {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// 20,000 certificates in 4 s, for 5 CPU-seconds, where the loop alone would make 8,000 a second.
BenchReport good_report() {
  BenchReport report;
  report.load.wall = std::chrono::seconds(4);
  report.load.certificates = 20'000;
  report.load.all_certificates = 20'500;
  report.ledger_certificates = 20'500;
  report.transactions = 205;
  report.usage.daemon = {.pid = 1, .name = "linesignd", .cpu_seconds = 1};
  report.usage.children = {{.pid = 2, .name = "linesign-signer", .cpu_seconds = 1.5},
                           {.pid = 3, .name = "linesign-signer", .cpu_seconds = 1.5}};
  report.usage.ended_cpu_seconds = 1;
  report.ceiling_before = CeilingFigures{
      .processes = 2, .certificates_per_second = 8200, .certificates_per_cpu_second = 5100};
  report.ceiling_after = CeilingFigures{
      .processes = 2, .certificates_per_second = 7800, .certificates_per_cpu_second = 4900};
  return report;
}

TEST(BenchReport, DividesByWallAndByCpuOfAllProcesses) {
  const BenchReport report = good_report();
  EXPECT_DOUBLE_EQ(report.certificates_per_second(), 5000);
  EXPECT_DOUBLE_EQ(report.certificates_per_cpu_second(), 4000);
  EXPECT_DOUBLE_EQ(report.transactions_per_certificate(), 0.01);
}

TEST(BenchReport, ComparesWithTheMeanOfBothCeilings) {
  const BenchReport report = good_report();
  EXPECT_DOUBLE_EQ(*report.cpu_ratio(), 0.8);
  EXPECT_DOUBLE_EQ(*report.wall_ratio(), 0.625);
}

TEST(BenchReport, OneCeilingIsEnough) {
  BenchReport report = good_report();
  report.ceiling_after.reset();
  EXPECT_DOUBLE_EQ(*report.wall_ratio(), 5000.0 / 8200);
}

TEST(BenchReport, WithoutACeilingThereIsNoRatio) {
  BenchReport report = good_report();
  report.ceiling_before.reset();
  report.ceiling_after.reset();
  EXPECT_FALSE(report.cpu_ratio().has_value());
  EXPECT_FALSE(report.wall_ratio().has_value());
  EXPECT_THAT(report_text(report), ::testing::Not(HasSubstr("ceiling")));
}

TEST(BenchReport, CountsTheLoneStation) {
  BenchReport report = good_report();
  report.load.lone.emplace();
  report.load.lone->latency.count = 400;
  EXPECT_EQ(report.certificates(), 20'400U);
  EXPECT_DOUBLE_EQ(report.certificates_per_second(), 5100);
}

TEST(BenchReport, OfNothingHasNoNumbersThatAreNotNumbers) {
  const BenchReport report;
  EXPECT_EQ(report.certificates_per_second(), 0);
  EXPECT_EQ(report.certificates_per_cpu_second(), 0);
  EXPECT_EQ(report.transactions_per_certificate(), 0);
  EXPECT_THAT(report_json(report), ::testing::Not(HasSubstr("nan")));
}

TEST(BenchReport, OfAGoodRunHasNoRemarks) {
  BenchReport report = good_report();
  report.load.later["Busy"] = 7;  // an answer like any other
  EXPECT_THAT(report.remarks(), IsEmpty());
}

TEST(BenchReport, SaysWhatWentWrong) {
  BenchReport report = good_report();
  report.load.refused["KeyExists"] = 3;
  report.load.later["Unavailable"] = 2;
  report.load.examples["Unavailable"] = "the HSM is gone";
  report.load.ran_out = true;
  report.signer_restarts = 1;
  report.ledger_certificates = 20'499;
  report.machine_load.stolen = 0.1;
  report.ceiling_after->certificates_per_second = 4000;
  const auto remarks = report.remarks();
  EXPECT_EQ(remarks.size(), 7U);
  EXPECT_THAT(remarks, Contains(HasSubstr("3 KeyExists")));
  EXPECT_THAT(remarks, Contains(HasSubstr("2 Unavailable (the HSM is gone)")));
  EXPECT_THAT(remarks, Contains(HasSubstr("20499 of the 20500")));
  EXPECT_THAT(remarks, Contains(HasSubstr("hypervisor")));
}

TEST(BenchReport, NoticesThatTheMachineIsShared) {
  BenchReport report = good_report();  // 5 CPU-seconds of 4 s on 2 cores
  report.machine.cores = 2;
  report.load_generator_cpu_seconds = 1;
  report.machine_load.busy = 0.78;
  EXPECT_NEAR(report.others_share(), 0.03, 1e-9);
  EXPECT_THAT(report.remarks(), IsEmpty());
  report.machine_load.busy = 1;
  EXPECT_THAT(report.remarks(), Contains(HasSubstr("Other processes took 25 %")));
}

TEST(BenchReport, JsonHoldsTheFigures) {
  BenchReport report = good_report();
  report.load.later["Busy"] = 7;
  Poco::JSON::Parser parser;
  const auto object = parser.parse(report_json(report)).extract<Poco::JSON::Object::Ptr>();
  EXPECT_EQ(object->getValue<uint64_t>("certificates"), 20'000U);
  EXPECT_DOUBLE_EQ(object->getObject("ratios")->getValue<double>("per_cpu_second"), 0.8);
  EXPECT_DOUBLE_EQ(object->getObject("ratios")->getValue<double>("wall"), 0.625);
  EXPECT_EQ(object->getObject("later")->getValue<int>("Busy"), 7);
  EXPECT_EQ(object->getObject("cpu")->getArray("processes")->size(), 3U);
  EXPECT_TRUE(object->isNull("lone"));
}

}  // namespace
}  // namespace linesign::bench
