#include "protocol/wire/byte_queue.h"

#include <gtest/gtest.h>

namespace linesign {
namespace {

TEST(ByteQueue, GivesBytesInOrderInAnyPortions) {
  ByteQueue queue;
  Bytes put;
  Bytes taken;
  for (size_t round = 0; round < 2000; ++round) {
    const Bytes piece(1 + round % 977, static_cast<uint8_t>(round));
    queue.append(piece);
    put.insert(put.end(), piece.begin(), piece.end());
    const size_t portion = std::min(queue.size(), 1 + (round * 7) % 911);
    const ByteView front = queue.view().first(portion);
    taken.insert(taken.end(), front.begin(), front.end());
    queue.drop(portion);
  }
  const ByteView rest = queue.view();
  taken.insert(taken.end(), rest.begin(), rest.end());
  EXPECT_EQ(taken, put);
}

TEST(ByteQueue, GivesABurstsMemoryBackWhenEmpty) {
  ByteQueue queue;
  queue.append(Bytes(1000000, 1));
  queue.drop(1000000);
  EXPECT_TRUE(queue.empty());
  EXPECT_LE(queue.tail().capacity(), 4096U);
}

}  // namespace
}  // namespace linesign
