// Station frame: the envelope of every message between a station and the appliance.
//
// Shape    length u32 big-endian | body[length]; the body is one Protocol Buffers message
// Limits   1 <= length <= the limit given, at most kMaxFrameBytes; refused before any allocation
// Errors   FrameEmpty, FrameTooLarge: close the connection; FrameMalformed: the body is no message
// Threads  one FrameReader belongs to one connection; the functions have no state
// Source   docs/station-protocol.md
#ifndef LINESIGN_PROTOCOL_WIRE_FRAME_H_
#define LINESIGN_PROTOCOL_WIRE_FRAME_H_

#include <optional>

#include <google/protobuf/message_lite.h>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign {

constexpr size_t kFrameHeaderBytes = 4;
constexpr size_t kMaxFrameBytes = 65536;  // of the body

// Cuts a byte stream into frame bodies.
class FrameReader final {
 public:
  explicit FrameReader(size_t max_body_bytes = kMaxFrameBytes) : max_body_bytes_(max_body_bytes) {}

  // Adds received bytes. REQUIRES: next() was called until it had no frame, so that no more than
  // one frame and one read are ever held.
  void append(ByteView received);

  // The body of the next whole frame, borrowed until the next call of append(); or nothing yet.
  // After an error the stream cannot be read on.
  Result<std::optional<ByteView>> next();

  // Gives back what a burst needed, if no part of a frame is waiting. REQUIRES: no body is
  // borrowed.
  void trim();

  // Part of a frame is waiting for its rest.
  bool is_mid_frame() const { return start_ < buffer_.size(); }

 private:
  size_t max_body_bytes_;
  Bytes buffer_;
  size_t start_ = 0;  // first byte not yet returned
};

// Appends header and body to `out` without a copy in between.
// REQUIRES: the message is at most kMaxFrameBytes long.
void append_frame(Bytes& out, const google::protobuf::MessageLite& message);

// FrameMalformed if the body is not a message of this type.
Result<void> decode_body(ByteView body, google::protobuf::MessageLite& message);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_WIRE_FRAME_H_
