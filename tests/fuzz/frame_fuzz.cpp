// FrameReader and decode_body on any stream. However the stream is cut into reads, the same frames
// come out.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "protocol/station.pb.h"
#include "protocol/wire/frame.h"

namespace linesign {
namespace {

constexpr size_t kMaxBodyBytes = 4096;

struct Stream {
  std::vector<Bytes> bodies;
  bool failed = false;
};

Stream read_stream(ByteView bytes, size_t read_bytes) {
  Stream stream;
  FrameReader reader(kMaxBodyBytes);
  while (!bytes.empty() && !stream.failed) {
    const size_t size = std::min(read_bytes, bytes.size());
    reader.append(bytes.first(size));
    bytes = bytes.subspan(size);
    while (true) {
      const auto body = reader.next();
      stream.failed = !body;
      if (!body || !*body) break;
      stream.bodies.push_back(to_bytes(**body));
    }
  }
  return stream;
}

template <typename Message>
void decode(ByteView body) {
  Message message;
  if (!decode_body(body, message)) return;
  Bytes out;
  if (message.ByteSizeLong() <= kMaxFrameBytes) append_frame(out, message);
}

}  // namespace
}  // namespace linesign

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace linesign;
  const ByteView bytes(data, size);
  const Stream whole = read_stream(bytes, size);
  const Stream cut = read_stream(bytes, 1);
  if (whole.bodies != cut.bodies || whole.failed != cut.failed) std::abort();
  for (const Bytes& body : whole.bodies) {
    decode<station::v1::ToAppliance>(body);
    decode<station::v1::ToStation>(body);
  }
  return 0;
}
