#include "hsm/signer/batch_loop.h"

#include <sys/socket.h>

#include <thread>

#include <gtest/gtest.h>

#include "tests/support/software_signing_key.h"
#include "tests/unit/hsm/signer/sign_items.h"

namespace linesign {
namespace {

using signer::v1::FromSigner;
using signer::v1::ToSigner;
using test::make_builder;
using test::make_csr;
using test::make_item;
using test::make_key;
using test::ScriptedSigningKey;
using test::SigningScript;
using test::SoftwareCa;

// One end is ours, the other one is served by run_batches in a thread.
class BatchLoop : public testing::Test {
 protected:
  // No result of a machine under load is too old, unless the test is about that.
  explicit BatchLoop(std::chrono::milliseconds max_age = std::chrono::hours(1))
      : builder_(make_builder(ca_)), csr_(make_csr(make_key(KeyType::EcP256).get(), "unit")) {
    int fds[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    ours_ = UniqueFd(fds[0]);
    auto channel = SignerChannel::open(UniqueFd(fds[1]));
    if (!channel) std::abort();
    channel_ = std::make_unique<SignerChannel>(std::move(*channel));
    auto worker = SigningWorker::create(
        builder_,
        std::make_unique<ScriptedSigningKey>(ca_.key(), KeyType::EcP256, script_),
        std::make_shared<SignerMemory>(),
        [](std::chrono::milliseconds /*time*/) {});
    if (!worker) std::abort();
    worker_ = std::make_unique<SigningWorker>(std::move(*worker));
    thread_ = std::jthread([this, max_age] {
      result_ = run_batches(*channel_, *worker_, max_age);
      channel_.reset();
    });
  }

  // The loop ends with the socket, also after a failed assertion.
  ~BatchLoop() override { ours_.reset(); }

  void send_bytes(const std::string& packet) const {
    ASSERT_EQ(::send(ours_.get(), packet.data(), packet.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(packet.size()));
  }

  void send_items(int count) {
    ToSigner batch;
    for (int i = 0; i < count; ++i)
      *batch.add_items() = make_item(builder_, csr_, "unit", static_cast<uint64_t>(i) + 1);
    send_bytes(batch.SerializeAsString());
  }

  void add_check(ToSigner& batch, uint64_t id) const {
    auto& check = *batch.add_checks();
    check = make_item(builder_, csr_, "unit", 0);
    check.set_check_id(id);
  }

  // Absent: the other side closed.
  std::optional<FromSigner> receive() const {
    std::string packet(kMaxSignerPacketBytes, '\0');
    const ssize_t got = ::recv(ours_.get(), packet.data(), packet.size(), 0);
    if (got <= 0) return std::nullopt;
    FromSigner message;
    if (!message.ParseFromArray(packet.data(), static_cast<int>(got))) std::abort();
    return message;
  }

  Result<void> end_of_loop() {
    thread_.join();
    return result_;
  }

  void expect_protocol_breach() {
    EXPECT_FALSE(receive().has_value());
    const auto ended = end_of_loop();
    ASSERT_FALSE(ended.has_value());
    EXPECT_EQ(ended.error().code(), ErrorCode::SignerProtocol);
    EXPECT_EQ(script_.calls, 0);
  }

  SoftwareCa ca_;
  CertificateBuilder builder_;
  Bytes csr_;
  SigningScript script_;
  UniqueFd ours_;
  std::unique_ptr<SignerChannel> channel_;
  std::unique_ptr<SigningWorker> worker_;
  Result<void> result_;
  std::jthread thread_;
};

TEST_F(BatchLoop, AnswersInGroupsOfAtMostEight) {
  send_items(20);
  std::vector<int> sizes;
  uint64_t next = 1;
  while (next <= 20) {
    const auto answer = receive();
    ASSERT_TRUE(answer.has_value());
    sizes.push_back(answer->results_size());
    for (const auto& result : answer->results()) {
      EXPECT_EQ(result.issuance_id(), next++);
      EXPECT_EQ(result.error_code(), 0U) << result.detail();
      EXPECT_FALSE(result.signature().empty());
    }
  }
  EXPECT_EQ(sizes, (std::vector<int>{8, 8, 4}));
  ours_.reset();
  EXPECT_TRUE(end_of_loop().has_value());
}

TEST_F(BatchLoop, ChecksFirstAndSaysSoBeforeItSigns) {
  ToSigner batch;
  *batch.add_items() = make_item(builder_, csr_, "unit", 1);
  for (uint64_t id = 1; id <= 3; ++id) add_check(batch, id);
  send_bytes(batch.SerializeAsString());
  const auto checked = receive();
  ASSERT_TRUE(checked.has_value());
  EXPECT_EQ(checked->checks_size(), 3);
  EXPECT_EQ(checked->results_size(), 0);
  const auto signed_item = receive();
  ASSERT_TRUE(signed_item.has_value());
  EXPECT_EQ(signed_item->results_size(), 1);
}

TEST_F(BatchLoop, SendsTheChecksThatAreDoneBeforeItGivesUp) {
  ToSigner batch;
  for (const uint64_t id : {1, 0}) add_check(batch, id);
  send_bytes(batch.SerializeAsString());
  const auto checked = receive();
  ASSERT_TRUE(checked.has_value());
  EXPECT_EQ(checked->checks_size(), 1);
  expect_protocol_breach();
}

class SlowBatchLoop : public BatchLoop {
 protected:
  SlowBatchLoop() : BatchLoop(kMaxResultAge) {}
};

TEST_F(SlowBatchLoop, SendsEachResultWhenItIsMade) {
  script_.time = 2 * kMaxResultAge;
  send_items(3);
  for (uint64_t i = 1; i <= 3; ++i) {
    const auto answer = receive();
    ASSERT_TRUE(answer.has_value());
    ASSERT_EQ(answer->results_size(), 1);
    EXPECT_EQ(answer->results(0).issuance_id(), i);
    EXPECT_GE(std::chrono::microseconds(answer->results(0).sign_us()), script_.time);
  }
}

TEST_F(BatchLoop, EndsWithoutAnErrorWhenTheSocketCloses) {
  ours_.reset();
  EXPECT_TRUE(end_of_loop().has_value());
}

TEST_F(BatchLoop, SendsWhatIsDoneBeforeItGivesUp) {
  script_.errors = {{11, ErrorCode::HsmUnavailable}};
  send_items(20);
  int results = 0;
  while (const auto answer = receive()) results += answer->results_size();
  EXPECT_EQ(results, 10);
  const auto ended = end_of_loop();
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().code(), ErrorCode::HsmUnavailable);
}

TEST_F(BatchLoop, EndsOnBytesThatAreNoMessage) {
  send_bytes("\xff\xff garbage");
  expect_protocol_breach();
}

TEST_F(BatchLoop, EndsOnAMessageOfAnotherKind) {
  FromSigner wrong;
  wrong.mutable_failed()->set_code(7);
  send_bytes(wrong.SerializeAsString());
  expect_protocol_breach();
}

TEST_F(BatchLoop, EndsOnFieldsThatItDoesNotKnow) {
  ToSigner batch;
  *batch.add_items() = make_item(builder_, csr_, "unit");
  send_bytes(batch.SerializeAsString() + std::string("\x78\x01"));  // field 15 = 1
  expect_protocol_breach();
}

TEST_F(BatchLoop, EndsOnAMessageWithTooManyItems) {
  ToSigner batch;
  for (int i = 0; i <= kMaxBatchItemsAccepted; ++i) batch.add_items();
  send_bytes(batch.SerializeAsString());
  expect_protocol_breach();
}

TEST_F(BatchLoop, EndsOnAPacketLongerThanItsBuffer) {
  // Without privileges a user gets twice the machine's wmem_max at most. Its default is 208 KiB, so
  // that the packet gets through there too.
  const int size = 2 * static_cast<int>(kMaxSignerPacketBytes);
  ASSERT_TRUE(::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == 0 ||
              ::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
  ASSERT_NO_FATAL_FAILURE(send_bytes(std::string(kMaxSignerPacketBytes + 1, 'x')));
  expect_protocol_breach();
}

TEST(SignerChannelOpen, RefusesWhatIsNoPacketSocket) {
  int fds[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const UniqueFd other(fds[1]);
  const auto channel = SignerChannel::open(UniqueFd(fds[0]));
  ASSERT_FALSE(channel.has_value());
  EXPECT_EQ(channel.error().code(), ErrorCode::Usage);
  EXPECT_FALSE(SignerChannel::open(UniqueFd()).has_value());
}

}  // namespace
}  // namespace linesign
