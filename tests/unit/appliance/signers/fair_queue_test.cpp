#include "appliance/signers/fair_queue.h"

#include <string>

#include <gtest/gtest.h>

namespace linesign {
namespace {

std::string pop_all(FairQueue<std::string>& queue) {
  std::string order;
  while (!queue.empty()) {
    const std::string next = queue.next();
    EXPECT_EQ(queue.pop(), next);
    order += next + " ";
  }
  return order;
}

TEST(FairQueueTest, KeepsTheOrderOfOneFlow) {
  FairQueue<std::string> queue;
  for (const char* item : {"a", "b", "c"}) queue.push(7, item);
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_EQ(pop_all(queue), "a b c ");
}

TEST(FairQueueTest, ServesFlowsInTurns) {
  FairQueue<std::string> queue;
  for (const char* item : {"lot1", "lot2", "lot3", "lot4"}) queue.push(1, item);
  queue.push(2, "single");
  queue.push(3, "x1");
  queue.push(3, "x2");
  EXPECT_EQ(pop_all(queue), "lot1 single x1 lot2 x2 lot3 lot4 ");
}

TEST(FairQueueTest, ALateComerWaitsForOneItemOfTheOthers) {
  FairQueue<std::string> queue;
  for (int i = 0; i < 100; ++i) queue.push(1, "lot");
  EXPECT_EQ(queue.pop(), "lot");
  queue.push(2, "single");
  EXPECT_EQ(queue.pop(), "lot");
  EXPECT_EQ(queue.pop(), "single");
}

TEST(FairQueueTest, WhatIsPutBackComesFirstAndInOrder) {
  FairQueue<std::string> queue;
  for (const char* item : {"a", "b", "c"}) queue.push(1, item);
  const std::string first = queue.pop();
  const std::string second = queue.pop();
  queue.push(2, "x");
  queue.put_back(second);
  queue.put_back(first);
  EXPECT_EQ(pop_all(queue), "a b c x ");
}

TEST(FairQueueTest, KeepsTurnsAndOrderOfWhatIsNotRemoved) {
  FairQueue<std::string> queue;
  for (const char* item : {"-1", "a1", "-2", "a2"}) queue.push(1, item);
  for (const char* item : {"-3", "-4"}) queue.push(2, item);
  for (const char* item : {"c1", "-5", "c2"}) queue.push(3, item);
  queue.put_back("-6");
  queue.put_back("r");
  queue.remove_if([](const std::string& item) { return item.front() == '-'; });
  EXPECT_EQ(queue.size(), 5U);
  queue.push(2, "b");
  EXPECT_EQ(pop_all(queue), "r a1 c1 b a2 c2 ");
}

TEST(FairQueueTest, IsEmptyAfterClear) {
  FairQueue<std::string> queue;
  queue.push(1, "a");
  queue.put_back("b");
  queue.clear();
  EXPECT_TRUE(queue.empty());
  queue.push(1, "c");
  EXPECT_EQ(pop_all(queue), "c ");
}

}  // namespace
}  // namespace linesign
