// RecordedIntents: makes real intents, in a ledger of their own, for tests of what comes after.
#ifndef LINESIGN_TESTS_SUPPORT_RECORDED_INTENTS_H_
#define LINESIGN_TESTS_SUPPORT_RECORDED_INTENTS_H_

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include <gtest/gtest.h>

#include "appliance/ledger/ledger.h"
#include "tests/support/temp_dir.h"

namespace linesign {

class RecordedIntents final {
 public:
  RecordedIntents() {
    auto opened = Ledger::open({.directory = folder_.path() / "ledger"});
    if (!opened) ADD_FAILURE() << opened.error().to_string();
    ledger_ = std::move(*opened);
    profile_.fill(7);
    const Bytes der = {0x30, 0x00};
    EXPECT_TRUE(ledger_->begin());
    EXPECT_TRUE(ledger_->remember_profile(profile_, "test profile\n", der, der, UnixTime()));
    auto station = ledger_->add_station("line1", profile_, UnixTime(), UnixTime());
    EXPECT_TRUE(station) << station.error().to_string();
    station_id_ = station->id;
    EXPECT_TRUE(ledger_->commit());
  }

  const Sha256& profile_hash() const { return profile_; }

  std::shared_ptr<const RecordedIntent> make(const std::string& device_id) {
    ++count_;
    NewIntent intent;
    intent.station_id = station_id_;
    intent.order_id = "default";
    intent.device_id = device_id;
    intent.request_id.fill(count_);
    intent.serial.fill(count_);
    intent.serial[0] = 0x40;
    intent.csr_hash.fill(count_);
    intent.key_hash.fill(count_);
    intent.profile_hash = profile_;
    const Bytes tbs(100, count_);
    intent.tbs = tbs;
    intent.csr = tbs;
    EXPECT_TRUE(ledger_->begin());
    auto outcome = ledger_->record_intent(intent);
    EXPECT_TRUE(outcome) << outcome.error().to_string();
    EXPECT_TRUE(ledger_->commit());
    return std::make_shared<const RecordedIntent>(std::move(std::get<RecordedIntent>(*outcome)));
  }

 private:
  TempDir folder_;
  std::unique_ptr<Ledger> ledger_;
  Sha256 profile_{};
  int64_t station_id_ = 0;
  uint8_t count_ = 0;
};

}  // namespace linesign

#endif  // LINESIGN_TESTS_SUPPORT_RECORDED_INTENTS_H_
