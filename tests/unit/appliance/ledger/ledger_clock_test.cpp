// What the ledger keeps of the clock.
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

using testing::kNow;
using testing::Request;

class LedgerClock : public testing::LedgerTest {
 protected:
  void record(uint64_t number, UnixTime at) {
    Request request(number);
    request.intent.issued_at = at;
    ASSERT_TRUE(ledger_->begin());
    ASSERT_TRUE(ledger_->record_intent(request.intent));
    ASSERT_TRUE(ledger_->commit());
  }

  void record(const ClockEvent& event) {
    ASSERT_TRUE(ledger_->begin());
    ASSERT_TRUE(ledger_->record_clock_event(event));
    ASSERT_TRUE(ledger_->commit());
  }

  LedgerTime time() {
    const auto known = ledger_->time();
    EXPECT_TRUE(known.has_value());
    return known.value_or(LedgerTime{});
  }
};

constexpr auto kYear = std::chrono::days(365);

TEST_F(LedgerClock, KnowsNothingAtFirst) {
  EXPECT_FALSE(time().newest_at.has_value());
  EXPECT_FALSE(time().last_event.has_value());
}

TEST_F(LedgerClock, TellsTheTimeOfTheNewestIntent) {
  record(1, kNow);
  record(2, kNow + std::chrono::hours(1));
  open();
  EXPECT_EQ(time().newest_at, kNow + std::chrono::hours(1));
}

TEST_F(LedgerClock, KeepsTheLastEventAndWhatItTrusts) {
  record(1, kNow);
  record({.kind = ClockEventKind::Doubted, .clock_at = kNow + kYear, .trusted_at = kNow});
  open();
  const LedgerTime known = time();
  ASSERT_TRUE(known.last_event.has_value());
  EXPECT_EQ(known.last_event->kind, ClockEventKind::Doubted);
  EXPECT_EQ(known.last_event->clock_at, kNow + kYear);
  EXPECT_EQ(known.newest_at, kNow);
}

TEST_F(LedgerClock, RowsFromBeforeAnEventCountNoMore) {
  record(1, kNow + kYear);
  record({.kind = ClockEventKind::Confirmed, .clock_at = kNow, .trusted_at = kNow});
  open();
  EXPECT_EQ(time().newest_at, kNow);
  record(2, kNow + std::chrono::hours(1));
  open();
  EXPECT_EQ(time().newest_at, kNow + std::chrono::hours(1));
}

}  // namespace
}  // namespace linesign
