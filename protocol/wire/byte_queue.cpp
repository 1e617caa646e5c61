#include "protocol/wire/byte_queue.h"

namespace linesign {
namespace {

constexpr size_t kKeepBytes = 4096;          // capacity that an empty queue may hold on to
constexpr size_t kCompactBytes = 64 * 1024;  // dead bytes at the front worth a move

}  // namespace

void ByteQueue::append(ByteView more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }

void ByteQueue::drop(size_t count) {
  start_ += count;
  if (start_ == bytes_.size()) {
    clear();
  } else if (start_ > kCompactBytes && start_ > bytes_.size() / 2) {
    // Into memory of its own size: a queue that is never empty gives back what a burst needed, too.
    bytes_ = Bytes(bytes_.begin() + static_cast<std::ptrdiff_t>(start_), bytes_.end());
    start_ = 0;
  }
}

void ByteQueue::clear() {
  start_ = 0;
  if (bytes_.capacity() > kKeepBytes) {
    bytes_ = Bytes();
  } else {
    bytes_.clear();
  }
}

}  // namespace linesign
