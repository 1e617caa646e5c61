// A ledger with cloud targets, and short words for what is done with them.
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_LEDGER_CLOUD_FIXTURE_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_LEDGER_CLOUD_FIXTURE_H_

#include <string>
#include <vector>

#include "appliance/ledger/ledger_cloud.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/csr.h"
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign::testing {

constexpr const char* kTarget = "production-eu";

inline CloudPlan one_target() {
  return {.targets = {{kTarget, "123456789012", "eu-central-1"}}, .feeds = {{"default", kTarget}}};
}

inline Bytes certificate_of(uint64_t number) {
  return assemble_certificate(Request(number).tbs, kAlgorithm, signature_of(number));
}

class CloudTest : public LedgerTest {
 protected:
  void SetUp() override {
    LedgerTest::SetUp();
    set_plan(one_target());
  }

  LedgerCloud& cloud() { return ledger_->cloud(); }

  void set_plan(const CloudPlan& plan) {
    const auto set = in_transaction([&] { return cloud().set_plan(plan, kNow); });
    ASSERT_TRUE(set.has_value()) << set.error().to_string();
  }

  // The id of an intent that stays open.
  uint64_t intend(uint64_t number) {
    const Request request(number);
    const auto outcome = record(request);
    EXPECT_TRUE(outcome.has_value());
    return std::get<RecordedIntent>(*outcome).issuance_id();
  }
  void complete(uint64_t id, uint64_t number) {
    EXPECT_TRUE(in_transaction([&] {
                  return ledger_->record_certificate(id, signature_of(number), kNow);
                }).has_value());
  }
  void give_up(uint64_t id) {
    EXPECT_TRUE(in_transaction([&] {
                  return ledger_->record_void(id, ErrorCode::CsrProofWrong, kNow);
                }).has_value());
  }

  std::vector<CloudItem> claim(uint32_t limit = kMaxCloudItems,
                               uint64_t after = 0,
                               const std::string& target = kTarget) {
    auto items = in_transaction([&] { return cloud().claim(target, after, limit, kNow); });
    EXPECT_TRUE(items.has_value()) << items.error().to_string();
    return items.has_value() ? std::move(*items) : std::vector<CloudItem>();
  }
  std::vector<uint64_t> claimed_ids(uint32_t limit = kMaxCloudItems, uint64_t after = 0) {
    std::vector<uint64_t> ids;
    for (const CloudItem& item : claim(limit, after)) ids.push_back(item.issuance_id);
    return ids;
  }

  CloudBooked book(const std::vector<CloudBooking>& bookings, const std::string& target = kTarget) {
    auto booked = in_transaction([&] { return cloud().book(target, bookings, kNow); });
    EXPECT_TRUE(booked.has_value()) << booked.error().to_string();
    return booked.value_or(CloudBooked());
  }
  static CloudBooking registered(const CloudItem& item) {
    CloudBooking booking;
    booking.issuance_id = item.issuance_id;
    booking.state = RegistrationState::Registered;
    booking.steps = kStepCertificate;
    booking.attempts = 1;
    booking.certificate_id = sha256(item.certificate_der);
    return booking;
  }
  static CloudBooking booking(uint64_t id,
                              RegistrationState state,
                              ErrorCode code = ErrorCode::AwsRefused,
                              const std::string& reason = "refused") {
    CloudBooking made;
    made.issuance_id = id;
    made.state = state;
    made.attempts = 1;
    made.code = static_cast<uint32_t>(code);
    made.reason = reason;
    return made;
  }

  CloudTargetStatus status(const std::string& target = kTarget) {
    const auto all = cloud().status();
    EXPECT_TRUE(all.has_value()) << all.error().to_string();
    for (const CloudTargetStatus& each : *all)
      if (each.target.name == target) return each;
    ADD_FAILURE() << "no target " << target;
    return {};
  }
  CloudRegistration registration(uint64_t id, const std::string& target = kTarget) {
    const auto page = cloud().registrations(target, std::nullopt, id - 1, 1);
    EXPECT_TRUE(page.has_value());
    const bool is_there = page.has_value() && page->registrations.size() == 1 &&
                          page->registrations[0].issuance_id == id;
    EXPECT_TRUE(is_there) << id;
    return is_there ? page->registrations[0] : CloudRegistration();
  }
};

}  // namespace linesign::testing

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_LEDGER_CLOUD_FIXTURE_H_
