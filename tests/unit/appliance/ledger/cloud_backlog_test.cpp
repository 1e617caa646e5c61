// A week without internet: 100,000 certificates wait.
#include <sqlite3.h>

#include "tests/unit/appliance/ledger/cloud_fixture.h"

namespace linesign {
namespace {

using testing::kNow;
using testing::Request;
using testing::signature_of;

constexpr uint64_t kCertificates = 100'000;
constexpr sqlite3_int64 kPageCacheBytes = 64LL * 1024 * 1024;  // of database.cpp

class CloudBacklogTest : public testing::CloudTest {
 protected:
  void issue_many() {
    for (uint64_t number = 1; number <= kCertificates;) {
      ASSERT_TRUE(ledger_->begin().has_value());
      for (int i = 0; i < 1000; ++i, ++number) {
        const Request request(number);
        ASSERT_TRUE(ledger_->record_intent(request.intent).has_value());
        ASSERT_TRUE(ledger_->record_certificate(number, signature_of(number), kNow).has_value());
      }
      ASSERT_TRUE(ledger_->commit().has_value());
    }
  }
};

TEST_F(CloudBacklogTest, IsDrainedInOrderAndInConstantMemory) {
  issue_many();
  open();
  EXPECT_EQ(status().waiting, kCertificates);
  const sqlite3_int64 before = sqlite3_memory_used();
  sqlite3_memory_highwater(1);  // forget the peak so far
  uint64_t next = 1;
  for (auto items = claim(); !items.empty(); items = claim()) {
    ASSERT_LE(items.size(), kMaxCloudItems);
    std::vector<CloudBooking> bookings;
    for (const CloudItem& item : items) {
      ASSERT_EQ(item.issuance_id, next++);
      bookings.push_back(registered(item));
    }
    ASSERT_EQ(book(bookings).booked, items.size());
  }
  EXPECT_EQ(next, kCertificates + 1);
  EXPECT_EQ(status().registered, kCertificates);
  EXPECT_EQ(status().waiting, 0U);
  // Some 130 MB of rows went by; what stays is SQLite's cache of pages. (The process's own peak
  // says nothing under a sanitizer, which keeps what was freed.)
  EXPECT_GT(before, 0) << "SQLite does not count";
  EXPECT_LT(sqlite3_memory_highwater(0) - before, kPageCacheBytes + kPageCacheBytes / 4);
}

}  // namespace
}  // namespace linesign
