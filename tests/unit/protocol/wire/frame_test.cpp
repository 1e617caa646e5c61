#include "protocol/wire/frame.h"

#include <gtest/gtest.h>

#include "protocol/station.pb.h"

namespace linesign {
namespace {

station::v1::ToAppliance ping(uint64_t nonce) {
  station::v1::ToAppliance message;
  message.mutable_ping()->set_nonce(nonce);
  return message;
}

Bytes frame_of(const google::protobuf::MessageLite& message) {
  Bytes frame;
  append_frame(frame, message);
  return frame;
}

Bytes header(uint32_t length) {
  return {static_cast<uint8_t>(length >> 24U),
          static_cast<uint8_t>(length >> 16U),
          static_cast<uint8_t>(length >> 8U),
          static_cast<uint8_t>(length)};
}

TEST(Frame, IsABigEndianLengthAndTheMessage) {
  Bytes out = {0xee};
  append_frame(out, ping(7));
  EXPECT_EQ(to_hex(out), "ee000000042a020807");
}

TEST(Frame, IsReadBackAtEveryCut) {
  const Bytes frame = frame_of(ping(300));
  for (size_t cut = 0; cut <= frame.size(); ++cut) {
    FrameReader reader;
    reader.append(ByteView(frame).first(cut));
    auto first = reader.next();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->has_value(), cut == frame.size());
    EXPECT_EQ(reader.is_mid_frame(), cut != 0 && cut != frame.size());
    if (first->has_value()) continue;
    reader.append(ByteView(frame).subspan(cut));
    auto whole = reader.next();
    ASSERT_TRUE(whole && whole->has_value());
    station::v1::ToAppliance message;
    ASSERT_TRUE(decode_body(**whole, message));
    EXPECT_EQ(message.ping().nonce(), 300U);
    EXPECT_FALSE(reader.is_mid_frame());
  }
}

TEST(Frame, SeveralInOneReadComeOneByOne) {
  Bytes stream;
  for (uint64_t nonce = 1; nonce <= 3; ++nonce) append_frame(stream, ping(nonce));
  stream.push_back(0);
  FrameReader reader;
  reader.append(stream);
  for (uint64_t nonce = 1; nonce <= 3; ++nonce) {
    const auto body = reader.next();
    ASSERT_TRUE(body && body->has_value());
    station::v1::ToAppliance message;
    ASSERT_TRUE(decode_body(**body, message));
    EXPECT_EQ(message.ping().nonce(), nonce);
  }
  EXPECT_FALSE(reader.next()->has_value());
  EXPECT_TRUE(reader.is_mid_frame());
}

TEST(Frame, RefusesBadLengthsFromTheHeaderAlone) {
  const std::pair<uint32_t, ErrorCode> cases[] = {
      {0, ErrorCode::FrameEmpty},
      {kMaxFrameBytes + 1, ErrorCode::FrameTooLarge},
      {0x7fffffff, ErrorCode::FrameTooLarge},
      {0xffffffff, ErrorCode::FrameTooLarge},
  };
  for (const auto& [length, code] : cases) {
    FrameReader reader;
    reader.append(header(length));
    const auto body = reader.next();
    ASSERT_FALSE(body) << length;
    EXPECT_EQ(body.error().code(), code);
  }
}

TEST(Frame, TakesTheLargestBody) {
  FrameReader reader;
  Bytes stream = header(kMaxFrameBytes);
  stream.resize(stream.size() + kMaxFrameBytes, 1);
  reader.append(stream);
  const auto body = reader.next();
  ASSERT_TRUE(body && body->has_value());
  EXPECT_EQ((*body)->size(), kMaxFrameBytes);
}

TEST(Frame, TrimKeepsAFrameThatIsNotComplete) {
  const Bytes frame = frame_of(ping(1));
  FrameReader reader;
  Bytes stream(100000, 0);
  stream.clear();
  for (int i = 0; i < 1000; ++i) stream.insert(stream.end(), frame.begin(), frame.end());
  stream.insert(stream.end(), frame.begin(), frame.begin() + 5);
  reader.append(stream);
  for (;;) {
    const auto body = reader.next();
    ASSERT_TRUE(body);
    if (!body->has_value()) break;
  }
  reader.trim();
  ASSERT_TRUE(reader.is_mid_frame());
  reader.append(ByteView(frame).subspan(5));
  const auto body = reader.next();
  ASSERT_TRUE(body && body->has_value());
  reader.trim();
  EXPECT_FALSE(reader.is_mid_frame());
}

TEST(Frame, ABodyThatIsNoMessageIsMalformed) {
  station::v1::ToAppliance message;
  for (const char* hex : {"0a", "0a05", "0a0108", "ff", "12ffffffff0f"}) {
    const auto decoded = decode_body(from_hex(hex).value(), message);
    ASSERT_FALSE(decoded) << hex;
    EXPECT_EQ(decoded.error().code(), ErrorCode::FrameMalformed);
  }
}

}  // namespace
}  // namespace linesign
