// What a session does with bytes that no station of ours sends.
#include <random>

#include "tests/unit/stations/session/session_fixture.h"

namespace linesign::test {
namespace {

class NoiseTest : public SessionFixture {
 protected:
  Bytes noise(size_t size) {
    Bytes bytes(size);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_());
    return bytes;
  }
  size_t below(size_t limit) { return random_() % limit; }

  std::mt19937 random_{20240229};  // always the same noise
};

TEST_F(NoiseTest, RandomBytesNeverReachTheService) {
  for (int round = 0; round < 100'000; ++round) {
    open();
    Bytes bytes = noise(below(200));
    // Half of them with a header that fits, so that the message decoder sees the rest.
    if (round % 2 == 0 && bytes.size() > kFrameHeaderBytes) {
      const size_t body_bytes = bytes.size() - kFrameHeaderBytes;
      bytes[0] = bytes[1] = bytes[2] = 0;
      bytes[3] = static_cast<uint8_t>(body_bytes);
    }
    session_->receive(bytes);
    for (const auto& message : messages_in(session_->output().view()))
      ASSERT_TRUE(message.has_goodbye() || message.has_welcome());
  }
  EXPECT_TRUE(service_.issues.empty());
  EXPECT_TRUE(service_.fetches.empty() && service_.confirms.empty());
}

TEST_F(NoiseTest, RandomBytesAfterHelloNeverReachTheService) {
  for (int round = 0; round < 20'000; ++round) {
    open();
    send(hello());
    Bytes bytes = noise(1 + below(200));
    Bytes frame = {0, 0, 0, static_cast<uint8_t>(bytes.size())};
    frame.insert(frame.end(), bytes.begin(), bytes.end());
    session_->receive(frame);
    (void)messages_in(session_->output().view());
  }
  EXPECT_TRUE(service_.issues.empty());
}

TEST_F(NoiseTest, ChangedStreamsReachTheServiceOnlyWithCheckedFields) {
  Bytes stream;
  append_frame(stream, hello());
  for (uint32_t i = 0; i < 3; ++i) append_frame(stream, issue(i));
  append_frame(stream, fetch(4));
  append_frame(stream, confirm(5));
  for (int round = 0; round < 20'000; ++round) {
    open();
    Bytes changed = stream;
    for (size_t flips = 1 + below(4); flips > 0; --flips)
      changed[below(changed.size())] ^= static_cast<uint8_t>(1U << below(8));
    session_->receive(changed);
    (void)messages_in(session_->output().view());
  }
  EXPECT_FALSE(service_.issues.empty());
  for (const auto& asked : service_.issues) {
    ASSERT_TRUE(check_order_id(asked.order_id));
    ASSERT_TRUE(check_device_id(asked.device_id));
    ASSERT_TRUE(!asked.csr_der.empty() && asked.csr_der.size() <= kMaxCsrBytes);
  }
}

TEST_F(NoiseTest, RandomBytesNeverEnrol) {
  for (int round = 0; round < 20'000; ++round) {
    session_ = Session::for_enrollment(host_, {"192.0.2.7", {}}, [] {});
    session_->receive(noise(below(200)));
  }
  EXPECT_TRUE(service_.enroll_secrets.empty());
}

}  // namespace
}  // namespace linesign::test
