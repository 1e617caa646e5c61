// Sizing on a token: processes that start together, expired certificates, and lines that a signer
// reads. How fast it is belongs to the machine and is asserted nowhere.
#include "hsm/sizing/sizing.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "hsm/pkcs11/pin_file.h"
#include "hsm/pkcs11/signing_token.h"
#include "hsm/signer/startup.h"
#include "hsm/sizing/expired_ca.h"
#include "hsm/x509/handles.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;

class Sizing : public testing::Test {
 protected:
  void SetUp() override {
    auto made = make_throwaway_token(
        {.folder = folder_.path() / "token", .module = LINESIGN_HSM_SIMULATOR});
    ASSERT_TRUE(made.has_value()) << made.error().to_string();
    token_ = std::move(*made);
    CorpusSpec spec;
    spec.count = 5;
    const auto written = write_csr_corpus(corpus(), spec);
    ASSERT_TRUE(written.has_value()) << written.error().to_string();
  }
  ~Sizing() override {
    for (const char* name : {"LINESIGN_SIMULATED_SESSIONS",
                             "LINESIGN_SIMULATED_SESSION_FILE",
                             "LINESIGN_SIMULATED_SIGN_US",
                             "LINESIGN_SIMULATED_MODULE",
                             "LINESIGN_FAULT_LOG",
                             "SOFTHSM2_CONF"})
      ::unsetenv(name);
    static_cast<void>(remove_throwaway_token(token_).has_value());
  }

  std::filesystem::path corpus() const { return folder_.path() / "csrs.pem"; }

  SizingSettings settings() const {
    SizingSettings wanted;
    wanted.target = sizing_target(token_);
    wanted.worker = {LINESIGN_CEILING, "--worker"};
    wanted.corpus = corpus();
    wanted.duration = milliseconds(50);
    return wanted;
  }

  TempDir folder_;
  ThrowawayToken token_;
};

TEST_F(Sizing, CountsWhatEveryProcessAndThreadMade) {
  SizingSettings wanted = settings();
  wanted.processes = 2;
  wanted.threads = 2;
  wanted.timing = StepTiming::On;
  const auto result = measure(wanted);
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  ASSERT_EQ(result->workers.size(), 2U);
  uint64_t sum = 0;
  for (const WorkerResult& worker : result->workers) {
    EXPECT_GE(worker.certificates, 2U) << "each thread makes one at least";
    EXPECT_GE(worker.wall_seconds, 0.05);
    EXPECT_GT(worker.cpu_seconds, 0.0);
    for (const auto& step : worker.steps) EXPECT_GT(step.count(), 0);
    sum += worker.certificates;
  }
  EXPECT_EQ(result->certificates, sum);
  EXPECT_GT(result->certificates_per_second, 0.0);
  EXPECT_GT(result->certificates_per_cpu_second, 0.0);
  EXPECT_EQ(result->ca_key, KeyType::EcP256);
  EXPECT_EQ(result->token, token_.token.token_label + " (" + token_.token.token_serial + ")");
}

TEST_F(Sizing, TakesTheTimesOfAnHsmIntoAccount) {
  ::setenv("LINESIGN_SIMULATED_SIGN_US", "10000", 1);
  SizingSettings wanted = settings();
  wanted.threads = 4;
  wanted.duration = milliseconds(100);
  const auto result = measure(wanted);
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_LE(result->certificates_per_second, 4 * 100.0);
}

TEST_F(Sizing, NamesTheErrorOfAWorker) {
  SizingSettings wanted = settings();
  wanted.target.token.key_label = "another";
  const auto result = measure(wanted);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::HsmKeyNotFound) << result.error().to_string();
}

TEST_F(Sizing, SaysThatAWorkerIsNoWorker) {
  SizingSettings wanted = settings();
  wanted.worker = {"/bin/false"};
  EXPECT_EQ(measure(wanted).error().code(), ErrorCode::Internal);
  wanted.worker = {"/nonexistent/worker"};
  EXPECT_EQ(measure(wanted).error().code(), ErrorCode::Internal);
  wanted.worker = {"/bin/cat"};  // it answers with the job
  EXPECT_EQ(measure(wanted).error().code(), ErrorCode::InputInvalid);
}

TEST_F(Sizing, UsesOneTryOfAWrongPin) {
  std::filesystem::permissions(token_.token.pin_file, std::filesystem::perms::owner_all);
  std::ofstream(token_.token.pin_file) << "99999999";
  const auto log = folder_.path() / "calls";
  ::setenv("LINESIGN_SIMULATED_MODULE", LINESIGN_FAULTY_MODULE, 1);
  ::setenv("LINESIGN_FAULT_LOG", log.c_str(), 1);
  SizingSettings wanted = settings();
  wanted.processes = 4;
  const auto result = measure(wanted);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::HsmPinRefused) << result.error().to_string();
  std::ifstream calls(log);
  const std::vector<std::string> all{std::istream_iterator<std::string>(calls), {}};
  EXPECT_EQ(std::count(all.begin(), all.end(), "C_Login"), 1);
}

TEST_F(Sizing, StaysBelowTheSessionsThatTheTokenGrants) {
  ::setenv("LINESIGN_SIMULATED_SESSIONS", "6", 1);
  ::setenv("LINESIGN_SIMULATED_SESSION_FILE", (folder_.path() / "sessions").string().c_str(), 1);
  SizingRequest request;
  request.target = sizing_target(token_);
  request.worker = {LINESIGN_CEILING, "--worker"};
  request.work_folder = folder_.path();
  request.step_duration = milliseconds(20);
  request.cores = 4;
  std::vector<SizingStep> seen;
  const auto report = size_hsm(request, [&](const SizingStep& step) { seen.push_back(step); });
  ASSERT_TRUE(report.has_value()) << report.error().to_string();
  EXPECT_EQ(report->session_maximum, 6U);
  EXPECT_EQ(report->sessions_of_others, 0U);
  EXPECT_EQ(seen.size(), report->steps.size());
  for (const SizingStep& step : report->steps)
    EXPECT_LE(step.processes * (step.threads + 1), 6) << sizing_text(*report);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "linesign-sizing-csrs.pem"));

  const auto file = folder_.path() / "linesign.toml";
  std::string lines = token_.config_lines;
  const std::string own = sizing_config_lines(*report);
  lines.insert(lines.find("[hsm]\n") + 6, own.substr(own.find('\n') + 1));
  std::ofstream(file) << lines;
  const auto read = load_signer_settings(file);
  ASSERT_TRUE(read.has_value()) << read.error().to_string();
  EXPECT_EQ(read->signers, report->steps[report->knee].processes);
  EXPECT_EQ(read->threads_per_signer, report->steps[report->knee].threads);
}

TEST_F(Sizing, SignsWhatNobodyCanUse) {
  const auto ca = CaCertificate::load(token_.ca_certificate);
  const auto csrs = read_csr_corpus(corpus());
  const auto pin = read_pin_file(token_.token.pin_file);
  ASSERT_TRUE(ca.has_value() && csrs.has_value() && pin.has_value());
  const auto token = SigningToken::open(token_.token.module,
                                        {token_.token.token_label, {}},
                                        {token_.token.key_label, {}},
                                        KeyType::EcP256,
                                        *pin,
                                        1);
  ASSERT_TRUE(token.has_value()) << token.error().to_string();
  auto loop = SigningLoop::create(*ca, *token->make_signing_key(), *csrs);
  ASSERT_TRUE(loop.has_value()) << loop.error().to_string();
  const auto der = loop->make_certificate(csrs->front());
  ASSERT_TRUE(der.has_value()) << der.error().to_string();
  const unsigned char* cursor = der->data();
  const X509Certificate made(d2i_X509(nullptr, &cursor, static_cast<long>(der->size())));
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(X509_verify(made.get(), ca->public_key()), 1) << "a true signature of the CA key";
  EXPECT_LT(X509_cmp_current_time(X509_get0_notAfter(made.get())), 0);
  std::array<char, 256> issuer{};
  X509_NAME_oneline(X509_get_issuer_name(made.get()), issuer.data(), issuer.size());
  EXPECT_STREQ(issuer.data(), "/CN=linesign sizing: not a CA");
}

}  // namespace
}  // namespace linesign
