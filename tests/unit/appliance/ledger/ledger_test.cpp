#include "appliance/ledger/ledger.h"

#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/csr.h"
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

using testing::code_of;
using testing::kAlgorithm;
using testing::kNow;
using testing::LedgerTest;
using testing::Request;
using testing::signature_of;

class LedgerIntents : public LedgerTest {};

TEST_F(LedgerIntents, AreRecordedAsTheyWereGiven) {
  const Request request(1);
  const auto outcome = record(request);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  const auto& intent = std::get<RecordedIntent>(*outcome);
  EXPECT_EQ(intent.device_id(), "device-1");
  EXPECT_EQ(intent.serial(), request.intent.serial);
  EXPECT_EQ(intent.profile_hash(), testing::kProfileHash);
  EXPECT_EQ(intent.issued_at(), kNow);
  EXPECT_TRUE(equal(intent.tbs(), request.tbs));
  EXPECT_TRUE(equal(intent.csr(), request.csr));
}

TEST_F(LedgerIntents, SurviveARestartInTheirOrder) {
  const Request first(1);
  const Request second(2);
  ASSERT_TRUE(record(first).has_value());
  ASSERT_TRUE(record(second).has_value());
  issue(3);
  open();
  const auto intents = ledger_->open_intents();
  ASSERT_TRUE(intents.has_value()) << intents.error().to_string();
  ASSERT_EQ(intents->size(), 2U);
  EXPECT_EQ((*intents)[0].device_id(), "device-1");
  EXPECT_EQ((*intents)[1].device_id(), "device-2");
  EXPECT_TRUE(equal((*intents)[1].tbs(), second.tbs));
  EXPECT_TRUE(equal((*intents)[1].csr(), second.csr));
  EXPECT_EQ((*intents)[1].serial(), second.intent.serial);
  EXPECT_EQ((*intents)[1].profile_hash(), testing::kProfileHash);
  EXPECT_EQ((*intents)[1].issued_at(), kNow);
}

TEST_F(LedgerIntents, AnswerTheSameRequestWithTheOpenIntent) {
  const Request request(1);
  const auto first = record(request);
  const auto again = record(request);
  ASSERT_TRUE(again.has_value()) << again.error().to_string();
  EXPECT_EQ(std::get<IntentOpen>(*again).issuance_id,
            std::get<RecordedIntent>(*first).issuance_id());
}

TEST_F(LedgerIntents, AnswerTheSameRequestWithTheSameCertificateAfterARestart) {
  const uint64_t id = issue(1);
  open();
  Request request(1);
  request.intent.serial = testing::filled<16>(0x42, 99);  // a new try builds a new serial number
  const auto again = record(request);
  ASSERT_TRUE(again.has_value()) << again.error().to_string();
  const auto& stored = std::get<StoredCertificate>(*again);
  EXPECT_EQ(stored.issuance_id, id);
  EXPECT_EQ(stored.tbs, request.tbs);
  EXPECT_EQ(stored.signature, signature_of(1));
}

TEST_F(LedgerIntents, AnswerAnotherStationWithTheSameCertificate) {
  issue(1);
  int64_t other = 0;
  const auto added = in_transaction([&] {
    return ledger_->add_station(
        "line-2", testing::filled<32>(7, 2), kNow, kNow + std::chrono::hours(1));
  });
  ASSERT_TRUE(added.has_value());
  other = added->id;
  const Request request(1, other);
  const auto again = record(request);
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(std::holds_alternative<StoredCertificate>(*again));
}

struct ConflictCase {
  const char* name;
  void (*change)(Request& request, const Request& first);
  ErrorCode expected;
};

void use_request_id(Request& request, const Request& first) {
  request.intent.request_id = first.intent.request_id;
}
void use_request_id_and_device(Request& request, const Request& first) {
  request.intent.request_id = first.intent.request_id;
  request.intent.device_id = first.intent.device_id;
}
void use_request_id_and_csr(Request& request, const Request& first) {
  request.intent.request_id = first.intent.request_id;
  request.intent.csr_hash = first.intent.csr_hash;
  request.intent.key_hash = first.intent.key_hash;
}
void use_device(Request& request, const Request& first) {
  request.intent.device_id = first.intent.device_id;
}
void use_device_and_key(Request& request, const Request& first) {
  request.intent.device_id = first.intent.device_id;
  request.intent.csr_hash = first.intent.csr_hash;
  request.intent.key_hash = first.intent.key_hash;
}
void use_key(Request& request, const Request& first) {
  request.intent.key_hash = first.intent.key_hash;
}
void use_unknown_order(Request& request, const Request&) { request.intent.order_id = "none"; }
void use_unknown_station(Request& request, const Request&) { request.intent.station_id = 77; }
void use_empty_order(Request& request, const Request&) { request.intent.order_id = {}; }
void use_serial(Request& request, const Request& first) {
  request.intent.serial = first.intent.serial;
}
void use_unknown_profile(Request& request, const Request&) {
  request.intent.profile_hash = testing::filled<32>(9, 9);
}

class LedgerConflicts : public LedgerTest, public ::testing::WithParamInterface<ConflictCase> {};

TEST_P(LedgerConflicts, AreToldApartAndChangeNothing) {
  const Request first(1);
  issue(1);
  Request request(2);
  GetParam().change(request, first);
  ASSERT_TRUE(ledger_->begin().has_value());
  EXPECT_EQ(code_of(ledger_->record_intent(request.intent)), GetParam().expected);
  if (error_info(GetParam().expected).kind == ErrorKind::Refuse) {
    // The transaction goes on, and other work in it is not harmed.
    const Request other(3);
    EXPECT_TRUE(ledger_->record_intent(other.intent).has_value());
    EXPECT_TRUE(ledger_->commit().has_value());
    EXPECT_EQ(number("SELECT count(*) FROM issuance"), 2);
  } else {
    EXPECT_EQ(code_of(ledger_->commit()), ErrorCode::LedgerUnavailable);
    EXPECT_EQ(number("SELECT count(*) FROM issuance"), 1);
  }
  EXPECT_EQ(number("SELECT count(*) = (SELECT reserved FROM production_order) FROM issuance"), 1);
}

INSTANTIATE_TEST_SUITE_P(
    Table,
    LedgerConflicts,
    ::testing::Values(
        ConflictCase{"RequestId", use_request_id, ErrorCode::RequestConflict},
        ConflictCase{"RequestIdAndDevice", use_request_id_and_device, ErrorCode::RequestConflict},
        ConflictCase{"RequestIdAndCsr", use_request_id_and_csr, ErrorCode::RequestConflict},
        ConflictCase{"Device", use_device, ErrorCode::DeviceExists},
        ConflictCase{"DeviceAndKey", use_device_and_key, ErrorCode::DeviceExists},
        ConflictCase{"Key", use_key, ErrorCode::KeyExists},
        ConflictCase{"UnknownOrder", use_unknown_order, ErrorCode::OrderUnknown},
        ConflictCase{"EmptyOrder", use_empty_order, ErrorCode::OrderUnknown},
        ConflictCase{"UnknownStation", use_unknown_station, ErrorCode::StationUnknown},
        ConflictCase{"Serial", use_serial, ErrorCode::Internal},
        ConflictCase{"UnknownProfile", use_unknown_profile, ErrorCode::Internal}),
    [](const auto& param) { return std::string(param.param.name); });

TEST_F(LedgerIntents, ThatAreOpenKeepTheirDeviceAndKeyButSayNothingForEver) {
  const Request open(1);
  const auto first = record(open);
  ASSERT_TRUE(first.has_value());
  Request device(2);
  device.intent.device_id = open.intent.device_id;
  Request key(3);
  key.intent.key_hash = open.intent.key_hash;
  for (const Request* each : {&device, &key}) {
    const auto outcome = record(*each);
    ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
    EXPECT_TRUE(std::holds_alternative<IdentityInProgress>(*outcome));
  }
  const uint64_t id = std::get<RecordedIntent>(*first).issuance_id();
  ASSERT_TRUE(in_transaction([&] {
                return ledger_->record_void(id, ErrorCode::CsrProofWrong, kNow);
              }).has_value());
  for (const Request* each : {&device, &key}) {
    const auto outcome = record(*each);
    ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
    EXPECT_TRUE(std::holds_alternative<RecordedIntent>(*outcome)) << "both are free again";
  }
}

TEST_F(LedgerIntents, OfAnotherOrderMayHaveTheSameDeviceButNotTheSameKey) {
  issue(1);
  sql("INSERT INTO production_order (name, state, created_at) VALUES ('second', 1, 0)");
  open();
  Request request(1);
  request.intent.order_id = "second";
  request.intent.serial = testing::filled<16>(0x42, 1);
  EXPECT_EQ(code_of(record(request)), ErrorCode::KeyExists);
  request.intent.key_hash = testing::filled<32>(3, 99);
  EXPECT_TRUE(record(request).has_value());
}

TEST_F(LedgerIntents, DoNotPassTheQuantity) {
  sql("UPDATE production_order SET quantity = 2");
  open();
  issue(1);
  const Request second(2);
  const auto open_intent = record(second);
  ASSERT_TRUE(open_intent.has_value());
  // The open intent may give its unit back: nothing final yet.
  const Request third(3);
  EXPECT_EQ(std::get<IdentityInProgress>(*record(third)).answer, ErrorCode::Busy);
  // What was promised is kept.
  const Request first(1);
  EXPECT_TRUE(std::holds_alternative<StoredCertificate>(*record(first)));
  EXPECT_TRUE(std::holds_alternative<IntentOpen>(*record(second)));
  // A void gives its unit back.
  const uint64_t id = std::get<RecordedIntent>(*open_intent).issuance_id();
  ASSERT_TRUE(in_transaction([&] {
                return ledger_->record_void(id, ErrorCode::CsrProofWrong, kNow);
              }).has_value());
  EXPECT_TRUE(std::holds_alternative<RecordedIntent>(*record(third)));
  EXPECT_EQ(number("SELECT reserved FROM production_order"), 2);
}

TEST_F(LedgerIntents, AreRefusedForGoodWhenTheQuantityIsUsedUp) {
  sql("UPDATE production_order SET quantity = 1");
  open();
  issue(1);
  EXPECT_EQ(code_of(record(Request(2))), ErrorCode::OrderExhausted);
}

TEST_F(LedgerIntents, AreRefusedForGoodAlsoWhileAnotherOrderHasOpenIntents) {
  sql("UPDATE production_order SET quantity = 1");
  sql("INSERT INTO production_order (name, state, created_at, quantity)"
      " VALUES ('second', 1, 0, 1)");
  open();
  issue(1);
  Request second(2);
  second.intent.order_id = "second";
  ASSERT_TRUE(record(second).has_value());
  for (int opens = 0; opens < 2; ++opens) {
    EXPECT_EQ(code_of(record(Request(3))), ErrorCode::OrderExhausted);
    Request fourth(4);
    fourth.intent.order_id = "second";
    const auto outcome = record(fourth);
    ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
    EXPECT_EQ(std::get<IdentityInProgress>(*outcome).answer, ErrorCode::Busy);
    open();
  }
}

TEST_F(LedgerIntents, CannotPassTheQuantityEvenInOneTransaction) {
  sql("UPDATE production_order SET quantity = 2");
  open();
  const Request first(1);
  const Request second(2);
  const Request third(3);
  ASSERT_TRUE(ledger_->begin().has_value());
  EXPECT_TRUE(ledger_->record_intent(first.intent).has_value());
  EXPECT_TRUE(ledger_->record_intent(second.intent).has_value());
  const auto last = ledger_->record_intent(third.intent);
  ASSERT_TRUE(last.has_value());
  EXPECT_TRUE(std::holds_alternative<IdentityInProgress>(*last));
  ASSERT_TRUE(ledger_->commit().has_value());
  EXPECT_EQ(number("SELECT reserved FROM production_order"), 2);
}

TEST_F(LedgerIntents, AreRefusedByAClosedOrderButOldAnswersStay) {
  issue(1);
  sql("UPDATE production_order SET state = 2");
  open();
  const Request second(2);
  EXPECT_EQ(code_of(record(second)), ErrorCode::OrderClosed);
  const Request first(1);
  const auto again = record(first);
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(std::holds_alternative<StoredCertificate>(*again));
}

TEST_F(LedgerIntents, ThatAreVoidFreeDeviceKeyAndRequest) {
  const Request request(1);
  const auto first = record(request);
  ASSERT_TRUE(first.has_value());
  const uint64_t id = std::get<RecordedIntent>(*first).issuance_id();
  ASSERT_TRUE(in_transaction([&] {
                return ledger_->record_void(id, ErrorCode::CsrProofWrong, kNow);
              }).has_value());
  open();
  EXPECT_TRUE(ledger_->open_intents()->empty());
  Request again(1);
  again.intent.csr_hash = testing::filled<32>(2, 99);
  const auto second = record(again);
  ASSERT_TRUE(second.has_value()) << second.error().to_string();
  EXPECT_GT(std::get<RecordedIntent>(*second).issuance_id(), id);
  EXPECT_EQ(number("SELECT reason FROM void_issuance WHERE issuance_id = " + std::to_string(id)),
            static_cast<int64_t>(ErrorCode::CsrProofWrong));
  EXPECT_EQ(number("SELECT voided FROM production_order"), 1);
}

TEST_F(LedgerIntents, NeverGetTheIdOfAVoidAfterARestart) {
  const Request request(1);
  const uint64_t id = std::get<RecordedIntent>(*record(request)).issuance_id();
  ASSERT_TRUE(in_transaction([&] {
                return ledger_->record_void(id, ErrorCode::CsrProofWrong, kNow);
              }).has_value());
  open();
  EXPECT_GT(std::get<RecordedIntent>(*record(request)).issuance_id(), id);
}

TEST_F(LedgerIntents, HaveOneEnd) {
  const uint64_t id = issue(1);
  ASSERT_TRUE(ledger_->begin().has_value());
  EXPECT_EQ(code_of(ledger_->record_certificate(id, signature_of(9), kNow)), ErrorCode::Internal);
  open();
  ASSERT_TRUE(ledger_->begin().has_value());
  EXPECT_EQ(code_of(ledger_->record_void(id, ErrorCode::CsrProofWrong, kNow)), ErrorCode::Internal);
  open();
  ASSERT_TRUE(ledger_->begin().has_value());
  EXPECT_EQ(code_of(ledger_->record_certificate(id + 1, signature_of(9), kNow)),
            ErrorCode::Internal);
  open();
  EXPECT_EQ(ledger_->find_certificate(id)->value().signature, signature_of(1));
}

TEST_F(LedgerIntents, AreNotThereUntilTheCommit) {
  const Request request(1);
  ASSERT_TRUE(ledger_->begin().has_value());
  ASSERT_TRUE(ledger_->record_intent(request.intent).has_value());
  open();  // instead of a commit
  EXPECT_TRUE(ledger_->open_intents()->empty());
  EXPECT_EQ(ledger_->summary()->intents, 0U);
  EXPECT_TRUE(std::holds_alternative<RecordedIntent>(*record(request)));
}

TEST_F(LedgerIntents, AreRefusedOutsideOfATransaction) {
  const Request request(1);
  EXPECT_EQ(code_of(ledger_->record_intent(request.intent)), ErrorCode::Internal);
}

class LedgerCertificates : public LedgerTest {};

TEST_F(LedgerCertificates, AreFoundByDeviceAndById) {
  const uint64_t id = issue(1);
  const auto by_device = ledger_->find_certificate("default", "device-1");
  ASSERT_TRUE(by_device.has_value() && by_device->has_value());
  EXPECT_EQ((*by_device)->issuance_id, id);
  EXPECT_EQ((*by_device)->signature, signature_of(1));
  EXPECT_EQ((*by_device)->tbs, Request(1).tbs);
  const auto by_id = ledger_->find_certificate(id);
  ASSERT_TRUE(by_id.has_value() && by_id->has_value());
  EXPECT_EQ((*by_id)->signature, signature_of(1));
}

TEST_F(LedgerCertificates, AreAbsentWhereNothingWasCommitted) {
  const Request request(1);
  const uint64_t id = std::get<RecordedIntent>(*record(request)).issuance_id();
  EXPECT_FALSE(ledger_->find_certificate("default", "device-1")->has_value());
  EXPECT_FALSE(ledger_->find_certificate("default", "device-2")->has_value());
  EXPECT_FALSE(ledger_->find_certificate("none", "device-1")->has_value());
  EXPECT_FALSE(ledger_->find_certificate(id)->has_value());
}

TEST_F(LedgerCertificates, KeepTheirFirstDelivery) {
  const uint64_t id = issue(1);
  const auto later = kNow + std::chrono::seconds(5);
  ASSERT_TRUE(in_transaction([&] { return ledger_->record_delivery(id, 1, kNow); }).has_value());
  ASSERT_TRUE(in_transaction([&] { return ledger_->record_delivery(id, 1, later); }).has_value());
  EXPECT_EQ(number("SELECT delivered_at FROM delivery"), kNow.time_since_epoch().count());
}

TEST_F(LedgerCertificates, CannotBeDeliveredBeforeTheyAreCommitted) {
  const Request request(1);
  const uint64_t id = std::get<RecordedIntent>(*record(request)).issuance_id();
  ASSERT_TRUE(ledger_->begin().has_value());
  EXPECT_EQ(code_of(ledger_->record_delivery(id, 1, kNow)), ErrorCode::Internal);
}

TEST_F(LedgerCertificates, AreConfirmedByTheirHash) {
  issue(1);
  const Sha256 hash = sha256(assemble_certificate(Request(1).tbs, kAlgorithm, signature_of(1)));
  const auto confirm = [&](const char* order, const char* device, const Sha256& value) {
    return in_transaction([&] { return ledger_->record_confirmation(order, device, value, kNow); });
  };
  EXPECT_EQ(code_of(confirm("default", "device-2", hash)), ErrorCode::DeviceUnknown);
  EXPECT_EQ(code_of(confirm("none", "device-1", hash)), ErrorCode::OrderUnknown);
  EXPECT_EQ(code_of(confirm("default", "device-1", Sha256{})), ErrorCode::InputInvalid);
  EXPECT_TRUE(confirm("default", "device-1", hash).has_value());
  EXPECT_TRUE(confirm("default", "device-1", hash).has_value());
  EXPECT_EQ(number("SELECT count(*) FROM confirmation"), 1);
}

TEST_F(LedgerCertificates, HaveTimesInOrderThoughTheClockIsSetBack) {
  const auto back = kNow - std::chrono::hours(1);
  const Request request(1);
  const uint64_t id = std::get<RecordedIntent>(*record(request)).issuance_id();
  const Request second(2);
  const uint64_t refused = std::get<RecordedIntent>(*record(second)).issuance_id();
  const Sha256 hash = sha256(assemble_certificate(request.tbs, kAlgorithm, signature_of(1)));
  ASSERT_TRUE(in_transaction([&]() -> Result<void> {
                LS_CHECK(ledger_->record_certificate(id, signature_of(1), back));
                LS_CHECK(ledger_->record_delivery(id, 1, back));
                LS_CHECK(ledger_->record_confirmation("default", "device-1", hash, back));
                return ledger_->record_void(refused, ErrorCode::CsrProofWrong, back);
              }).has_value());
  EXPECT_EQ(number("SELECT min(at) FROM (SELECT committed_at AS at FROM certificate"
                   " UNION SELECT delivered_at FROM delivery"
                   " UNION SELECT confirmed_at FROM confirmation"
                   " UNION SELECT voided_at FROM void_issuance)"),
            kNow.time_since_epoch().count());
}

TEST_F(LedgerCertificates, AreCounted) {
  issue(1);
  issue(2);
  const Request third(3);
  const uint64_t id = std::get<RecordedIntent>(*record(third)).issuance_id();
  const Request fourth(4);
  ASSERT_TRUE(record(fourth).has_value());
  const auto at = kNow + std::chrono::seconds(9);
  ASSERT_TRUE(in_transaction([&] {
                return ledger_->record_void(id, ErrorCode::CsrProofWrong, at);
              }).has_value());
  for (int round = 0; round < 2; ++round) {
    const auto summary = ledger_->summary();
    ASSERT_TRUE(summary.has_value());
    EXPECT_EQ(summary->intents, 1U);
    EXPECT_EQ(summary->certificates, 2U);
    EXPECT_EQ(summary->voids, 1U);
    EXPECT_EQ(summary->newest_at, at);
    open();
  }
}

TEST_F(LedgerCertificates, OfAProfileThatIsRememberedTwiceAreOfOneProfile) {
  issue(1);
  ASSERT_TRUE(in_transaction([&] {
                return ledger_->remember_profile(
                    testing::kProfileHash, "profile 1\n", Bytes{0x30}, kAlgorithm, kNow);
              }).has_value());
  issue(2);
  EXPECT_EQ(number("SELECT count(*) FROM profile"), 1);
}

}  // namespace
}  // namespace linesign
