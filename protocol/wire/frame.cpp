#include "protocol/wire/frame.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>

namespace linesign {
namespace {

size_t read_u32(ByteView four) {
  return (static_cast<size_t>(four[0]) << 24U) | (static_cast<size_t>(four[1]) << 16U) |
         (static_cast<size_t>(four[2]) << 8U) | static_cast<size_t>(four[3]);
}

// The library writes a line to stderr for every string that is not UTF-8: a peer could fill the
// log. What is wrong with a message is told by our own errors.
void silence_library() {
  [[maybe_unused]] static const bool kSilent = (google::protobuf::SetLogHandler(nullptr), true);
}

}  // namespace

void FrameReader::append(ByteView received) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(start_));
  start_ = 0;
  buffer_.insert(buffer_.end(), received.begin(), received.end());
}

Result<std::optional<ByteView>> FrameReader::next() {
  const ByteView waiting = ByteView(buffer_).subspan(start_);
  if (waiting.size() < kFrameHeaderBytes) return std::optional<ByteView>();
  const size_t body_bytes = read_u32(waiting.first(kFrameHeaderBytes));
  if (body_bytes == 0) return fail(ErrorCode::FrameEmpty);
  if (body_bytes > max_body_bytes_) {
    return fail(ErrorCode::FrameTooLarge,
                fmt::format("{} bytes, at most {}", body_bytes, max_body_bytes_));
  }
  if (waiting.size() < kFrameHeaderBytes + body_bytes) return std::optional<ByteView>();
  start_ += kFrameHeaderBytes + body_bytes;
  return std::optional<ByteView>(waiting.subspan(kFrameHeaderBytes, body_bytes));
}

void FrameReader::trim() {
  constexpr size_t kKeepBytes = 4096;
  if (is_mid_frame() || buffer_.capacity() <= kKeepBytes) return;
  buffer_ = Bytes();
  start_ = 0;
}

void append_frame(Bytes& out, const google::protobuf::MessageLite& message) {
  const size_t body_bytes = message.ByteSizeLong();
  const size_t start = out.size();
  out.resize(start + kFrameHeaderBytes + body_bytes);
  uint8_t* cursor = out.data() + start;
  for (const unsigned shift : {24U, 16U, 8U, 0U})
    *cursor++ = static_cast<uint8_t>((body_bytes >> shift) & 0xffU);
  message.SerializeWithCachedSizesToArray(cursor);
}

Result<void> decode_body(ByteView body, google::protobuf::MessageLite& message) {
  silence_library();
  if (!message.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return fail(ErrorCode::FrameMalformed);
  return {};
}

}  // namespace linesign
