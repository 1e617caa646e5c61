// Station messages: what a station sends, ready made, and what it gets, taken apart.
#ifndef LINESIGN_TESTS_SUPPORT_STATION_MESSAGES_H_
#define LINESIGN_TESTS_SUPPORT_STATION_MESSAGES_H_

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/base/ids.h"
#include "protocol/station.pb.h"
#include "protocol/wire/frame.h"

namespace linesign::test {

using station::v1::ToAppliance;
using station::v1::ToStation;

inline Bytes frame_of(const google::protobuf::MessageLite& message) {
  Bytes frame;
  append_frame(frame, message);
  return frame;
}

inline RequestId request_id(uint32_t number) {
  RequestId id{};
  for (size_t i = 0; i < 4; ++i) id[i] = static_cast<uint8_t>(number >> (24 - 8 * i));
  return id;
}

inline std::string text_of(const RequestId& id) { return std::string(as_text(id)); }

inline ToAppliance hello(uint32_t min_version = 1, uint32_t max_version = 1) {
  ToAppliance message;
  message.mutable_hello()->set_min_version(min_version);
  message.mutable_hello()->set_max_version(max_version);
  message.mutable_hello()->set_software("test/1");
  return message;
}

inline ToAppliance issue(uint32_t number, const std::string& device_id = "SN-1") {
  ToAppliance message;
  auto& request = *message.mutable_issue();
  request.set_request_id(text_of(request_id(number)));
  request.set_order_id("default");
  request.set_device_id(device_id);
  request.set_csr_der("\x30\x01\x02");
  return message;
}

inline ToAppliance fetch(uint32_t number) {
  ToAppliance message;
  auto& request = *message.mutable_fetch();
  request.set_request_id(text_of(request_id(number)));
  request.set_order_id("default");
  request.set_device_id("SN-1");
  return message;
}

inline ToAppliance confirm(uint32_t number) {
  ToAppliance message;
  auto& request = *message.mutable_confirm();
  request.set_request_id(text_of(request_id(number)));
  request.set_order_id("default");
  request.set_device_id("SN-1");
  request.set_proof(std::string(32, '\x11'));
  return message;
}

inline ToAppliance ping(uint64_t nonce) {
  ToAppliance message;
  message.mutable_ping()->set_nonce(nonce);
  return message;
}

inline ToAppliance enroll() {
  ToAppliance message;
  message.mutable_enroll()->set_secret(std::string(32, '\x22'));
  message.mutable_enroll()->set_csr_der("\x30\x01\x02");
  return message;
}

// Cuts `stream` into messages; a broken one fails the test.
inline std::vector<ToStation> messages_in(ByteView stream) {
  std::vector<ToStation> messages;
  FrameReader reader;
  reader.append(stream);
  for (;;) {
    const auto body = reader.next();
    if (!body) ADD_FAILURE() << body.error().to_string();
    if (!body || !body->has_value()) break;
    messages.emplace_back();
    EXPECT_TRUE(decode_body(**body, messages.back()));
  }
  EXPECT_FALSE(reader.is_mid_frame());
  return messages;
}

// The code of a Goodbye; Internal for any other message.
inline ErrorCode goodbye_code(const ToStation& message) {
  if (!message.has_goodbye()) return ErrorCode::Internal;
  return find_error_code(message.goodbye().reason().code()).value_or(ErrorCode::Internal);
}

inline ErrorCode failure_code(const station::v1::Failure& failure) {
  return find_error_code(failure.code()).value_or(ErrorCode::Internal);
}

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_STATION_MESSAGES_H_
