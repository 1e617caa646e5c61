// ByteQueue: bytes on their way out: appended at the back, taken from the front in any portions.
//
// Memory   what a burst needed is given back when the queue runs empty
// Threads  one thread at a time
#ifndef LINESIGN_PROTOCOL_WIRE_BYTE_QUEUE_H_
#define LINESIGN_PROTOCOL_WIRE_BYTE_QUEUE_H_

#include "protocol/base/bytes.h"

namespace linesign {

class ByteQueue final {
 public:
  // Borrowed until the next change.
  ByteView view() const { return ByteView(bytes_).subspan(start_); }
  size_t size() const { return bytes_.size() - start_; }
  bool empty() const { return size() == 0; }

  void append(ByteView more);
  // For writers that encode in place: append to it, never shorten it below its present size.
  Bytes& tail() { return bytes_; }

  // REQUIRES: count <= size().
  void drop(size_t count);
  void clear();

 private:
  Bytes bytes_;
  size_t start_ = 0;  // first byte not yet taken
};

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_WIRE_BYTE_QUEUE_H_
