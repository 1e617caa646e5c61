// No certificate is ever missed, and none is handed out after it was registered, whatever happens.
#include <algorithm>
#include <random>
#include <set>

#include <gmock/gmock.h>

#include "tests/unit/appliance/ledger/cloud_fixture.h"

namespace linesign {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kNow;
using testing::kTarget;
using testing::Request;
using testing::signature_of;
using State = RegistrationState;

class CloudRandom : public testing::CloudTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }

  // Ends the present transaction: by a commit, by a crash before it, or by a crash after it, when
  // nobody hears of it. True: it was done, and is known to be.
  bool end_transaction() {
    const uint32_t kind = below(20);
    if (kind == 0) {
      open();
      return false;
    }
    EXPECT_TRUE(ledger_->commit().has_value());
    if (kind != 1) return true;
    open();
    return false;
  }

  void issue_some() {
    const uint32_t count = 1 + below(20);
    EXPECT_TRUE(ledger_->begin().has_value());
    for (uint32_t i = 0; i < count; ++i) {
      const Request request(next_number_++);
      EXPECT_TRUE(ledger_->record_intent(request.intent).has_value());
    }
    end_transaction();
  }

  void end_some_intents() {
    auto intents = ledger_->open_intents();
    ASSERT_TRUE(intents.has_value());
    std::shuffle(intents->begin(), intents->end(), random_);
    intents->erase(intents->begin() + below(static_cast<uint32_t>(intents->size()) + 1),
                   intents->end());
    EXPECT_TRUE(ledger_->begin().has_value());
    for (const RecordedIntent& intent : *intents) {
      if (below(5) == 0) {
        EXPECT_TRUE(
            ledger_->record_void(intent.issuance_id(), ErrorCode::CsrProofWrong, kNow).has_value());
      } else {
        EXPECT_TRUE(
            ledger_->record_certificate(intent.issuance_id(), signature_of(1), kNow).has_value());
      }
    }
    end_transaction();
  }

  void check_handed_out(const std::vector<CloudItem>& items) const {
    uint64_t last = 0;
    for (const CloudItem& item : items) {
      EXPECT_GT(item.issuance_id, last) << "not in order";
      EXPECT_FALSE(registered_.contains(item.issuance_id)) << "again: " << item.issuance_id;
      last = item.issuance_id;
    }
  }

  CloudBooking random_booking(const CloudItem& item) {
    switch (below(6)) {
      case 0:
        return booking(item.issuance_id,
                       State::Parked,
                       below(2) == 0 ? ErrorCode::AwsRefused : ErrorCode::AwsConflict);
      case 1:
        return booking(item.issuance_id, State::Waiting, ErrorCode::AwsTimeout);
      default:
        return registered(item);
    }
  }

  void book_some(std::vector<CloudItem> items) {
    std::shuffle(items.begin(), items.end(), random_);
    std::vector<CloudBooking> bookings;
    for (const CloudItem& item : items)
      if (below(4) != 0) bookings.push_back(random_booking(item));
    if (bookings.empty()) return;
    EXPECT_TRUE(ledger_->begin().has_value());
    const auto booked = cloud().book(kTarget, bookings, kNow);
    ASSERT_TRUE(booked.has_value()) << booked.error().to_string();
    EXPECT_THAT(booked->refused, IsEmpty());
    if (!end_transaction()) return;
    for (const CloudBooking& each : bookings)
      if (each.state == State::Registered) registered_.insert(each.issuance_id);
  }

  void claim_and_book() {
    EXPECT_TRUE(ledger_->begin().has_value());
    auto items = cloud().claim(kTarget, 0, 1 + below(60), kNow);
    ASSERT_TRUE(items.has_value()) << items.error().to_string();
    check_handed_out(*items);
    if (!items->empty()) seen_.push_back(items->front());
    // What a crash takes back is not worked on.
    if (end_transaction()) book_some(std::move(*items));
  }

  // News that come twice, or after later ones.
  void book_late() {
    if (seen_.empty()) return;
    const CloudItem& item = seen_[below(static_cast<uint32_t>(seen_.size()))];
    EXPECT_TRUE(ledger_->begin().has_value());
    EXPECT_TRUE(cloud().book(kTarget, std::vector{random_booking(item)}, kNow).has_value());
    end_transaction();
  }

  void release_some() {
    EXPECT_TRUE(ledger_->begin().has_value());
    std::optional<uint32_t> code;
    if (below(2) == 0) code = static_cast<uint32_t>(ErrorCode::AwsRefused);
    EXPECT_TRUE(cloud().release(kTarget, code, 1 + below(10), kNow).has_value());
    end_transaction();
  }

  void bulk() {
    EXPECT_TRUE(ledger_->begin().has_value());
    const auto task = cloud().create_task(kTarget, "key-" + std::to_string(next_key_++), kNow);
    ASSERT_TRUE(task.has_value());
    EXPECT_TRUE(cloud().fill_task(task->id, 1 + below(40), kNow).has_value());
    if (!end_transaction()) return;
    work_on_tasks();
  }

  // Also those that a crash has left behind.
  void work_on_tasks() {
    const auto tasks = cloud().open_tasks(kTarget);
    ASSERT_TRUE(tasks.has_value());
    for (const BulkTask& task : *tasks) {
      const auto items = cloud().task_items(task.id, 0, kMaxCloudItems);
      ASSERT_TRUE(items.has_value());
      if (task.state == BulkTaskState::Planned) {
        EXPECT_EQ(items->size(), task.lines);
      }
      EXPECT_TRUE(ledger_->begin().has_value());
      EXPECT_TRUE(cloud().update_task(task.id, {.state = BulkTaskState::Finished}, kNow));
      if (!end_transaction()) return;
      std::vector<CloudItem> inside;
      for (const CloudItem& item : *items)
        if (item.state == State::InTask) inside.push_back(item);
      check_handed_out(inside);
      book_some(std::move(inside));
      EXPECT_TRUE(ledger_->begin().has_value());
      EXPECT_TRUE(cloud().return_task_items(task.id, kMaxCloudMoves, kNow).has_value());
      EXPECT_TRUE(cloud().update_task(task.id, {.state = BulkTaskState::Booked}, kNow));
      if (!end_transaction()) return;
    }
  }

  void step() {
    switch (below(9)) {
      case 0:
        issue_some();
        break;
      case 1:
        end_some_intents();
        break;
      case 2:
        release_some();
        break;
      case 3:
        bulk();
        break;
      case 4:
        work_on_tasks();
        break;
      case 5:
        book_late();
        break;
      default:
        claim_and_book();
    }
  }

  // Everything that is left, without any more crashes.
  void finish() {
    const auto intents = ledger_->open_intents();
    ASSERT_TRUE(intents.has_value());
    for (const RecordedIntent& intent : *intents)
      complete(intent.issuance_id(), intent.issuance_id());
    const auto tasks = cloud().open_tasks(kTarget);
    ASSERT_TRUE(tasks.has_value());
    for (const BulkTask& task : *tasks) {
      ASSERT_TRUE(in_transaction([&] {
                    return cloud().return_task_items(task.id, kMaxCloudMoves, kNow);
                  }).has_value());
    }
    ASSERT_TRUE(in_transaction([&] {
                  return cloud().release(kTarget, std::nullopt, kMaxCloudMoves, kNow);
                }).has_value());
    for (auto items = claim(7); !items.empty(); items = claim(7)) {
      check_handed_out(items);
      std::vector<CloudBooking> bookings;
      for (const CloudItem& item : items) {
        bookings.push_back(registered(item));
        registered_.insert(item.issuance_id);
      }
      ASSERT_EQ(book(bookings).booked, bookings.size());
    }
  }

  std::mt19937 random_{GetParam()};
  uint64_t next_number_ = 1;
  uint64_t next_key_ = 1;
  std::vector<CloudItem> seen_;
  std::set<uint64_t> registered_;  // as the uploader was told
};

TEST_P(CloudRandom, MissesNothingAndRepeatsNothing) {
  for (int i = 0; i < 200; ++i) {
    step();
    if (HasFatalFailure()) return;
  }
  finish();
  if (HasFatalFailure()) return;
  const CloudTargetStatus counts = status();
  EXPECT_EQ(counts.waiting, 0U);
  EXPECT_EQ(counts.registered, ledger_->summary()->certificates);
  EXPECT_GT(counts.registered, 100U);
  EXPECT_EQ(number("SELECT count(*) FROM certificate AS c WHERE NOT EXISTS (SELECT 1"
                   " FROM registration AS r WHERE r.issuance_id = c.issuance_id AND r.state = 2)"),
            0);
  EXPECT_EQ(number("SELECT count(*) FROM registration AS r WHERE NOT EXISTS (SELECT 1"
                   " FROM certificate AS c WHERE r.issuance_id = c.issuance_id)"),
            0);
  EXPECT_EQ(number("SELECT count(*) FROM registration_count AS n WHERE n.count <> (SELECT count(*)"
                   " FROM registration AS r WHERE r.target_id = n.target_id AND r.state = n.state"
                   " AND (r.state <> 3 OR r.code = n.code))"),
            0);
  EXPECT_EQ(number("SELECT taken = (SELECT count(*) FROM registration) FROM cloud_feed"), 1);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CloudRandom, ::testing::Range(1U, 9U));

}  // namespace
}  // namespace linesign
