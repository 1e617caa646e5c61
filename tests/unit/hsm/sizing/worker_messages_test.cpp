#include "hsm/sizing/worker_messages.h"

#include <gtest/gtest.h>

#include "hsm/sizing/flat_json.h"

namespace linesign {
namespace {

WorkerJob job() {
  WorkerJob wanted;
  wanted.target.token.module = "/usr/lib/vendor/module.so";
  wanted.target.token.token_label = "line \"1\"";
  wanted.target.token.token_serial = "0123";
  wanted.target.token.key_label = "device-ca";
  wanted.target.token.key_id_hex = "0a0b";
  wanted.target.token.pin_file = "/etc/linesign/pin";
  wanted.target.ca_certificate = "/etc/linesign/ca.pem";
  wanted.target.login_lock = "/run/linesign/lock";
  wanted.target.pin_memory = "/var/lib/linesign/signers";
  wanted.target.user = "linesign-signer";
  wanted.corpus = "/tmp/csrs.pem";
  wanted.threads = 16;
  wanted.duration = std::chrono::milliseconds(1500);
  wanted.timing = StepTiming::On;
  return wanted;
}

TEST(WorkerMessages, CarryAJob) {
  const auto read = parse_job(job_line(job()));
  ASSERT_TRUE(read.has_value()) << read.error().to_string();
  EXPECT_EQ(read->target.token.module, "/usr/lib/vendor/module.so");
  EXPECT_EQ(read->target.token.token_label, "line \"1\"");
  EXPECT_EQ(read->target.token.token_serial, "0123");
  EXPECT_EQ(read->target.token.key_label, "device-ca");
  EXPECT_EQ(read->target.token.key_id_hex, "0a0b");
  EXPECT_EQ(read->target.token.pin_file, "/etc/linesign/pin");
  EXPECT_EQ(read->target.ca_certificate, "/etc/linesign/ca.pem");
  EXPECT_EQ(read->target.login_lock, "/run/linesign/lock");
  EXPECT_EQ(read->target.pin_memory, "/var/lib/linesign/signers");
  EXPECT_EQ(read->target.user, "linesign-signer");
  EXPECT_EQ(read->corpus, "/tmp/csrs.pem");
  EXPECT_EQ(read->threads, 16);
  EXPECT_EQ(read->duration, std::chrono::milliseconds(1500));
  EXPECT_EQ(read->timing, StepTiming::On);
}

TEST(WorkerMessages, RefuseAJobThatNoWorkerCanDo) {
  for (const int threads : {0, 17, -1}) {
    WorkerJob wrong = job();
    wrong.threads = threads;
    EXPECT_EQ(parse_job(job_line(wrong)).error().code(), ErrorCode::InputInvalid) << threads;
  }
  WorkerJob endless = job();
  endless.duration = std::chrono::hours(25);
  EXPECT_EQ(parse_job(job_line(endless)).error().code(), ErrorCode::InputInvalid);
  EXPECT_EQ(parse_job("start").error().code(), ErrorCode::InputInvalid);
}

TEST(WorkerMessages, SayWhatTheTokenTells) {
  WorkerReady ready;
  ready.token = "line (0123)";
  ready.ca_key = KeyType::Rsa2048;
  auto read = parse_ready(ready_line(ready));
  ASSERT_TRUE(read.has_value()) << read.error().to_string();
  EXPECT_EQ(read->token, "line (0123)");
  EXPECT_EQ(read->ca_key, KeyType::Rsa2048);
  EXPECT_FALSE(read->session_maximum.has_value());
  EXPECT_FALSE(read->sessions.has_value());
  ready.session_maximum = 64;
  ready.sessions = 3;
  read = parse_ready(ready_line(ready));
  ASSERT_TRUE(read.has_value()) << read.error().to_string();
  EXPECT_EQ(read->session_maximum, 64U);
  EXPECT_EQ(read->sessions, 3U);
}

TEST(WorkerMessages, CarryAResult) {
  WorkerResult result;
  result.certificates = 12345;
  result.wall_seconds = 3.25;
  result.cpu_seconds = 2.5;
  result.steps[static_cast<size_t>(SizingStepKind::Sign)] = std::chrono::nanoseconds(777);
  const std::string line = result_line(result);
  const std::string expected =
      R"({"certificates":12345,"wall_ns":3250000000,"cpu_ns":2500000000,"parse_ns":0,)"
      R"("prove_ns":0,"check_ns":0,"build_ns":0,"digest_ns":0,"sign_ns":777,"verify_ns":0,)"
      R"("assemble_ns":0})";
  EXPECT_EQ(line, expected);
  const auto read = parse_result(line);
  ASSERT_TRUE(read.has_value()) << read.error().to_string();
  EXPECT_EQ(read->certificates, 12345U);
  EXPECT_DOUBLE_EQ(read->wall_seconds, 3.25);
  EXPECT_DOUBLE_EQ(read->cpu_seconds, 2.5);
  EXPECT_EQ(read->steps, result.steps);
}

TEST(WorkerMessages, CarryAnErrorInPlaceOfEitherAnswer) {
  const std::string line = error_line(Error(ErrorCode::HsmPinRefused, "C_Login: \"no\""));
  for (const Error& error : {parse_ready(line).error(), parse_result(line).error()}) {
    EXPECT_EQ(error.code(), ErrorCode::HsmPinRefused);
    EXPECT_EQ(error.detail(), "C_Login: \"no\"");
  }
  EXPECT_EQ(parse_result(R"({"error":99999999999,"detail":""})").error().code(),
            ErrorCode::Internal)
      << "a code that is in no list";
}

TEST(WorkerMessages, RefuseAnAnswerWithHoles) {
  EXPECT_EQ(parse_ready("{}").error().code(), ErrorCode::InputInvalid);
  EXPECT_EQ(parse_ready(R"({"token":"a","ca_key":"P-512"})").error().code(),
            ErrorCode::InputInvalid);
  EXPECT_EQ(parse_result(R"({"certificates":1,"wall_ns":1})").error().code(),
            ErrorCode::InputInvalid);
}

}  // namespace
}  // namespace linesign
