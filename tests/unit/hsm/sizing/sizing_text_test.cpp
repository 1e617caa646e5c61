#include <gtest/gtest.h>

#include "hsm/sizing/sizing.h"

namespace linesign {
namespace {

SizingReport report() {
  SizingReport made;
  made.token = "line (0123)";
  made.ca_key = KeyType::EcP256;
  made.cores = 2;
  made.steps = {{1, 1, 3500.4, 3510, 0.997}, {2, 1, 6900, 3450, 2}, {2, 2, 6950, 3400, 2.04}};
  made.knee = 1;
  made.end_reason = "two steps in a row brought less than 5 % more";
  return made;
}

TEST(SizingText, ShowsTheStepsAndTheLinesToUse) {
  EXPECT_EQ(sizing_text(report()),
            "processes  threads  sessions  certificates/s  ms each  per CPU-second  cores busy\n"
            "        1        1         2            3500     0.29            3510        1.00\n"
            "        2        1         4            6900     0.29            3450        2.00\n"
            "        2        2         6            6950     0.58            3400        2.04\n"
            "\n"
            "token line (0123), CA key P-256, 2 cores; the token names no limit of sessions\n"
            "no further step: two steps in a row brought less than 5 % more\n"
            "the fewest sessions within 5 % of the highest: 6900 certificates/s with\n"
            "\n"
            "[hsm]\n"
            "signers = 2\n"
            "threads_per_signer = 1\n");
}

TEST(SizingText, NamesTheLimitOfTheToken) {
  SizingReport limited = report();
  limited.session_maximum = 10;
  limited.sessions_of_others = 3;
  EXPECT_NE(sizing_end_text(limited).find("the token grants 10 sessions, 3 of them were in use"),
            std::string::npos);
  EXPECT_NE(sizing_json(limited).find(R"("session_maximum":10,"sessions_of_others":3)"),
            std::string::npos);
}

TEST(SizingText, WarnsOfAnHsmThatComesNearTheTimeout) {
  SizingReport slow = report();
  slow.steps = {{1, 1, 2.5, 100, 0.1}};
  slow.knee = 0;
  EXPECT_EQ(sizing_text(slow).find("sign_timeout"), std::string::npos) << "no configuration";
  slow.sign_timeout = std::chrono::milliseconds(900);
  EXPECT_EQ(sizing_text(slow).find("sign_timeout"), std::string::npos);
  slow.sign_timeout = std::chrono::milliseconds(700);
  EXPECT_NE(sizing_text(slow).find("a signature takes 400 ms, more than half of sign_timeout (700 "
                                   "ms) in [hsm]: raise it"),
            std::string::npos)
      << sizing_text(slow);
}

TEST(SizingText, IsJsonForPrograms) {
  const std::string expected =
      R"json({"token":"line (0123)","ca_key":"P-256","cores":2,"session_maximum":null,)json"
      R"("sessions_of_others":0,"steps":[)"
      R"({"processes":1,"threads":1,"certificates_per_second":3500.4,)"
      R"("milliseconds_each":0.29,"certificates_per_cpu_second":3510.0,"cores_busy":1.00},)"
      R"({"processes":2,"threads":1,"certificates_per_second":6900.0,)"
      R"("milliseconds_each":0.29,"certificates_per_cpu_second":3450.0,"cores_busy":2.00},)"
      R"({"processes":2,"threads":2,"certificates_per_second":6950.0,)"
      R"("milliseconds_each":0.58,"certificates_per_cpu_second":3400.0,"cores_busy":2.04}],)"
      R"("knee":1,"end_reason":"two steps in a row brought less than 5 % more",)"
      R"("signers":2,"threads_per_signer":1})";
  EXPECT_EQ(sizing_json(report()), expected);
}

}  // namespace
}  // namespace linesign
