#include "hsm/signer/signing_worker.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/support/software_signing_key.h"
#include "tests/unit/hsm/signer/sign_items.h"

namespace linesign {
namespace {

using signer::v1::CheckResult;
using signer::v1::SignItem;
using signer::v1::SignResult;
using std::chrono::milliseconds;
using test::make_builder;
using test::make_csr;
using test::make_item;
using test::make_key;
using test::ScriptedSigningKey;
using test::SigningScript;
using test::SoftwareCa;

class SigningWorkerTest : public testing::TestWithParam<KeyType> {
 protected:
  SigningWorkerTest()
      : ca_(test::CaSpec{.key_type = type()}),
        builder_(make_builder(ca_)),
        csr_(make_csr(make_key(KeyType::EcP256).get(), "unit-1")),
        item_(make_item(builder_, csr_, "unit-1", 42)) {}

  static KeyType type() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    return info->value_param() != nullptr ? GetParam() : KeyType::EcP256;
  }

  SigningWorker make_worker() {
    auto worker =
        SigningWorker::create(builder_,
                              std::make_unique<ScriptedSigningKey>(ca_.key(), type(), script_),
                              memory_,
                              [this](milliseconds time) { pauses_.push_back(time); });
    if (!worker) std::abort();
    return std::move(*worker);
  }

  // The same request before it is an intent.
  static SignItem as_check(SignItem item, uint64_t check_id) {
    item.set_issuance_id(0);
    item.set_check_id(check_id);
    return item;
  }

  // The order to sign what was checked.
  static SignItem by_number(const SignItem& item, uint64_t check_id) {
    SignItem order;
    order.set_issuance_id(item.issuance_id());
    order.set_check_id(check_id);
    order.set_tbs_sha256(item.tbs_sha256());
    return order;
  }

  static ErrorCode check(SigningWorker& worker, const SignItem& item) {
    CheckResult result;
    const auto done = worker.check(item, result);
    if (!done) return done.error().code();
    EXPECT_EQ(result.check_id(), item.check_id());
    return ErrorCode(result.error_code());
  }

  static SignResult process(SigningWorker& worker, const SignItem& item) {
    SignResult result;
    const auto done = worker.process(item, result);
    EXPECT_TRUE(done.has_value()) << done.error().to_string();
    return result;
  }

  void expect_refused(const SignItem& item, ErrorCode code) {
    SigningWorker worker = make_worker();
    SignResult result;
    const auto done = worker.process(item, result);
    ASSERT_TRUE(done.has_value()) << done.error().to_string();
    EXPECT_EQ(result.error_code(), static_cast<uint32_t>(code)) << result.detail();
    EXPECT_TRUE(result.signature().empty());
    EXPECT_EQ(script_.calls, 0);
  }

  void expect_protocol_breach(const SignItem& item) {
    SigningWorker worker = make_worker();
    SignResult result;
    const auto done = worker.process(item, result);
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().code(), ErrorCode::SignerProtocol);
    EXPECT_EQ(script_.calls, 0);
  }

  SoftwareCa ca_;
  CertificateBuilder builder_;
  Bytes csr_;
  SignItem item_;
  SigningScript script_;
  std::vector<milliseconds> pauses_;
  std::shared_ptr<SignerMemory> memory_ = std::make_shared<SignerMemory>();
};

class SigningWorkerForKey : public SigningWorkerTest {};

TEST_P(SigningWorkerForKey, AnswersASignatureThatMakesAValidCertificate) {
  SigningWorker worker = make_worker();
  SignResult result;
  const auto done = worker.process(item_, result);
  ASSERT_TRUE(done.has_value()) << done.error().to_string();
  ASSERT_EQ(result.error_code(), 0U) << result.detail();
  EXPECT_EQ(result.issuance_id(), 42U);

  const auto csr = parse_csr(csr_);
  CertificateRequest request{.device_id = "unit-1", .issued_at = test::kTestTime};
  std::copy(item_.serial().begin(), item_.serial().end(), request.serial.begin());
  const Bytes der = assemble_certificate(*builder_.build_tbs(*csr, request),
                                         signature_algorithm_der(type()),
                                         as_bytes(result.signature()));
  const unsigned char* cursor = der.data();
  const X509Certificate certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_verify(certificate.get(), ca_.key()), 1);
}

INSTANTIATE_TEST_SUITE_P(CaKeys,
                         SigningWorkerForKey,
                         testing::Values(KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048),
                         [](const auto& row) {
                           std::string name(to_string(row.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(SigningWorkerTest, SignsByItsNumberWhatItHasCheckedOnce) {
  SigningWorker worker = make_worker();
  EXPECT_EQ(check(worker, as_check(item_, 5)), ErrorCode{});
  EXPECT_EQ(script_.calls, 0) << "nothing is signed without an intent";
  const SignResult result = process(worker, by_number(item_, 5));
  EXPECT_EQ(result.error_code(), 0U) << result.detail();
  EXPECT_EQ(result.issuance_id(), 42U);
  auto verifier = SignatureVerifier::create(builder_.ca());
  ASSERT_TRUE(verifier);
  EXPECT_TRUE(verifier->verify(as_bytes(item_.tbs_sha256()), as_bytes(result.signature())));
  const SignResult again = process(worker, by_number(item_, 5));
  EXPECT_TRUE(again.forgotten());
  EXPECT_TRUE(again.signature().empty());
  EXPECT_EQ(script_.calls, 1);
}

TEST_F(SigningWorkerTest, SignsWhatAnotherThreadOfTheSignerHasChecked) {
  SigningWorker one = make_worker();
  SigningWorker two = make_worker();
  EXPECT_EQ(check(one, as_check(item_, 5)), ErrorCode{});
  EXPECT_FALSE(process(two, by_number(item_, 5)).signature().empty());
}

TEST_F(SigningWorkerTest, SignsNothingThatTheIntentNamesOtherwiseThanTheCheck) {
  SigningWorker worker = make_worker();
  EXPECT_EQ(check(worker, as_check(item_, 5)), ErrorCode{});
  const SignItem other = make_item(builder_, csr_, "unit-1", 43);
  const SignResult result = process(worker, by_number(other, 5));
  EXPECT_EQ(ErrorCode(result.error_code()), ErrorCode::IntentMismatch);
  EXPECT_EQ(script_.calls, 0);
}

TEST_F(SigningWorkerTest, RemembersNothingThatFailedItsCheck) {
  SigningWorker worker = make_worker();
  SignItem bad = as_check(item_, 5);
  bad.mutable_csr_der()->back() = static_cast<char>(bad.csr_der().back() ^ 1);
  EXPECT_EQ(check(worker, bad), ErrorCode::CsrProofWrong);
  EXPECT_TRUE(process(worker, by_number(item_, 5)).forgotten());
  SignItem mismatch = as_check(item_, 6);
  mismatch.set_issued_at(item_.issued_at() + 1);
  EXPECT_EQ(check(worker, mismatch), ErrorCode::IntentMismatch);
  EXPECT_TRUE(process(worker, by_number(item_, 6)).forgotten());
  EXPECT_EQ(script_.calls, 0);
}

TEST_F(SigningWorkerTest, TakesImpossibleChecksForABrokenPeer) {
  SigningWorker worker = make_worker();
  EXPECT_EQ(check(worker, as_check(item_, 0)), ErrorCode::SignerProtocol);
  SignItem with_intent = as_check(item_, 5);
  with_intent.set_issuance_id(42);
  EXPECT_EQ(check(worker, with_intent), ErrorCode::SignerProtocol);
  SignItem with_contents = item_;
  with_contents.set_check_id(5);
  expect_protocol_breach(with_contents);
  SignItem without_hash = by_number(item_, 5);
  without_hash.clear_tbs_sha256();
  expect_protocol_breach(without_hash);
}

BigNumber make_prime() {
  BigNumber prime{BN_new()};
  if (BN_generate_prime_ex(prime.get(), 1024, 0, nullptr, nullptr, nullptr) != 1) std::abort();
  return prime;
}

TEST_F(SigningWorkerTest, RefusesAKeyThatSharesAPrimeBeforeItIsAnIntentAndNotAfter) {
  Profile profile;
  profile.allowed_keys = {KeyType::Rsa2048};
  builder_ = make_builder(ca_, profile);
  const BigNumber shared = make_prime();
  const auto item_of = [&](const std::string& device) {
    const EvpKey key = test::make_rsa_key_of(shared.get(), make_prime().get());
    return make_item(builder_, make_csr(key.get(), device), device);
  };
  const SignItem first = item_of("unit-1");
  const SignItem second = item_of("unit-2");
  SigningWorker worker = make_worker();
  EXPECT_EQ(check(worker, as_check(first, 1)), ErrorCode{});
  EXPECT_EQ(check(worker, as_check(first, 2)), ErrorCode{}) << "its station asks again";
  EXPECT_EQ(check(worker, as_check(second, 3)), ErrorCode::CsrKeyWeak);
  // Another signer, which does not know the first one, may have signed it.
  EXPECT_EQ(process(worker, second).error_code(), 0U);
}

TEST_F(SigningWorkerTest, RefusesAKeyWithClosePrimesBeforeItIsAnIntentAndNotAfter) {
  Profile profile;
  profile.allowed_keys = {KeyType::Rsa2048};
  builder_ = make_builder(ca_, profile);
  const BigNumber p = make_prime();
  const BigNumber q{BN_dup(p.get())};
  do {
    BN_add_word(q.get(), 2);
  } while (BN_check_prime(q.get(), nullptr, nullptr) != 1);
  const EvpKey key = test::make_rsa_key_of(p.get(), q.get());
  const SignItem item = make_item(builder_, make_csr(key.get(), "unit-1"), "unit-1");
  SigningWorker worker = make_worker();
  EXPECT_EQ(check(worker, as_check(item, 1)), ErrorCode::CsrKeyWeak);
  // A version without this rule may have signed it before a power cut.
  EXPECT_EQ(process(worker, item).error_code(), 0U);
}

TEST(CheckedRequestsTest, LetTheOldestGoToMakeRoom) {
  CheckedRequests checked(10'000);
  for (uint64_t id = 1; id <= 100; ++id) checked.keep(id, {.tbs = Bytes(1000), .tbs_hash = {}});
  EXPECT_FALSE(checked.take(1));
  EXPECT_FALSE(checked.take(90));
  EXPECT_TRUE(checked.take(100));
  EXPECT_FALSE(checked.take(100)) << "once";
  // What was taken is no longer counted.
  for (uint64_t id = 101; id <= 105; ++id) checked.keep(id, {.tbs = Bytes(1000), .tbs_hash = {}});
  for (uint64_t id = 102; id <= 105; ++id) EXPECT_TRUE(checked.take(id));
}

TEST_F(SigningWorkerTest, SignsNothingForACsrWithoutProof) {
  std::string csr = item_.csr_der();
  csr.back() = static_cast<char>(csr.back() ^ 1);
  item_.set_csr_der(csr);
  expect_refused(item_, ErrorCode::CsrProofWrong);
}

TEST_F(SigningWorkerTest, SignsNothingForBytesThatAreNoCsr) {
  item_.set_csr_der("no CSR");
  expect_refused(item_, ErrorCode::CsrMalformed);
  item_.set_csr_der("");
  expect_refused(item_, ErrorCode::CsrEmpty);
}

TEST_F(SigningWorkerTest, SignsNothingForAnotherHashThanTheIntents) {
  std::string hash = item_.tbs_sha256();
  hash[0] = static_cast<char>(hash[0] ^ 1);
  item_.set_tbs_sha256(hash);
  expect_refused(item_, ErrorCode::IntentMismatch);
}

TEST_F(SigningWorkerTest, SignsNothingForAnotherDeviceSerialOrTimeThanTheIntents) {
  SignItem other = item_;
  other.set_issued_at(item_.issued_at() + 1);
  expect_refused(other, ErrorCode::IntentMismatch);
  other = item_;
  std::string serial = item_.serial();
  serial.back() = static_cast<char>(serial.back() ^ 1);
  other.set_serial(serial);
  expect_refused(other, ErrorCode::IntentMismatch);
  other = item_;
  other.set_device_id("unit-2");
  expect_refused(other, ErrorCode::CsrSubjectMismatch);
}

TEST_F(SigningWorkerTest, SignsNothingThatItsOwnProfileForbids) {
  Profile strict;
  strict.allowed_keys = {KeyType::Rsa2048};
  builder_ = make_builder(ca_, strict);
  expect_refused(item_, ErrorCode::CsrKeyNotAllowed);
}

TEST_F(SigningWorkerTest, SignsNothingWhenTheDaemonHasAnotherProfile) {
  Profile other;
  other.key_usage_critical = false;
  builder_ = make_builder(ca_, other);
  expect_refused(item_, ErrorCode::IntentMismatch);
}

TEST_F(SigningWorkerTest, TakesImpossibleItemsForABrokenPeer) {
  SignItem item = item_;
  item.set_serial("short");
  expect_protocol_breach(item);
  item = item_;
  item.set_serial(std::string(16, '\x80'));
  expect_protocol_breach(item);
  item = item_;
  item.set_serial(std::string(16, '\x01'));
  expect_protocol_breach(item);
  item = item_;
  item.set_tbs_sha256("");
  expect_protocol_breach(item);
  item = item_;
  item.set_device_id("unit 1");
  expect_protocol_breach(item);
  item = item_;
  item.set_csr_der(std::string(kMaxCsrBytes + 1, '0'));
  expect_protocol_breach(item);
}

TEST_F(SigningWorkerTest, TriesAFailedSignatureAgain) {
  script_.errors = {{1, ErrorCode::HsmOperationFailed}, {2, ErrorCode::HsmOperationFailed}};
  SigningWorker worker = make_worker();
  SignResult result;
  ASSERT_TRUE(worker.process(item_, result).has_value());
  EXPECT_EQ(result.error_code(), 0U);
  EXPECT_EQ(script_.calls, 3);
  EXPECT_TRUE(pauses_.empty());
}

TEST_F(SigningWorkerTest, PausesBeforeFurtherTriesAndThenGivesUp) {
  for (int call = 1; call <= 10; ++call) script_.errors[call] = ErrorCode::HsmOperationFailed;
  SigningWorker worker = make_worker();
  SignResult result;
  const auto done = worker.process(item_, result);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), ErrorCode::HsmOperationFailed);
  EXPECT_EQ(script_.calls, 5);
  EXPECT_EQ(pauses_.size(), 2U);
}

TEST_F(SigningWorkerTest, DoesNotTryAgainWhatOnlyANewProcessHeals) {
  script_.errors = {{1, ErrorCode::HsmUnavailable}};
  SigningWorker worker = make_worker();
  SignResult result;
  const auto done = worker.process(item_, result);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), ErrorCode::HsmUnavailable);
  EXPECT_EQ(script_.calls, 1);
}

TEST_F(SigningWorkerTest, NeverAnswersAWrongSignature) {
  script_.flipped = {{2, true}};
  SigningWorker worker = make_worker();
  SignResult result;
  ASSERT_TRUE(worker.process(item_, result).has_value());
  SignResult second;
  const auto done = worker.process(item_, second);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), ErrorCode::HsmSignatureWrong);
  EXPECT_TRUE(second.signature().empty());
}

}  // namespace
}  // namespace linesign
