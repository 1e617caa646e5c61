#include "appliance/admin/api/cloud_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linesign {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

UnixTime unix_time(int64_t seconds) { return UnixTime(std::chrono::seconds(seconds)); }

template <typename T>
T round_trip(const T& sent) {
  auto received = from_json<T>(to_json(sent));
  EXPECT_TRUE(received.has_value()) << received.error().to_string();
  return received.value_or(T());
}

template <typename T>
std::string fault_of(std::string_view json) {
  const auto read = from_json<T>(json);
  EXPECT_FALSE(read.has_value()) << json;
  if (read.has_value()) return "";
  EXPECT_EQ(read.error().code(), ErrorCode::InputInvalid);
  return read.error().detail();
}

CloudBooking full_booking() {
  CloudBooking booking;
  booking.issuance_id = 9'007'199'254'740'993;  // more than a double holds
  booking.state = RegistrationState::Registered;
  booking.steps = kAllSteps;
  booking.attempts = 4'294'967'295;
  booking.code = 1030;
  booking.reason = "\"no\"\n\xc3\xa4\x01";
  booking.certificate_id = Sha256{0xab, 0xcd};
  return booking;
}

TEST(CloudJson, BringsAPlanOver) {
  const CloudPlan plan =
      round_trip(CloudPlan{.targets = {{"eu", "012345678901", "eu-west-1"}, {"us", "1", "r"}},
                           .feeds = {{"default", "eu"}}});
  ASSERT_EQ(plan.targets.size(), 2U);
  EXPECT_EQ(plan.targets[0].name, "eu");
  EXPECT_EQ(plan.targets[0].account, "012345678901");
  EXPECT_EQ(plan.targets[0].region, "eu-west-1");
  ASSERT_EQ(plan.feeds.size(), 1U);
  EXPECT_EQ(plan.feeds[0].order_id, "default");
  EXPECT_EQ(plan.feeds[0].target, "eu");
  EXPECT_THAT(round_trip(CloudPlan()).targets, IsEmpty());
}

TEST(CloudJson, BringsABookingOverWhole) {
  const CloudBookRequest request =
      round_trip(CloudBookRequest{"eu", {full_booking(), CloudBooking()}});
  EXPECT_EQ(request.target, "eu");
  ASSERT_EQ(request.bookings.size(), 2U);
  const CloudBooking& first = request.bookings[0];
  const CloudBooking sent = full_booking();
  EXPECT_EQ(first.issuance_id, sent.issuance_id);
  EXPECT_EQ(first.state, sent.state);
  EXPECT_EQ(first.steps, sent.steps);
  EXPECT_EQ(first.attempts, sent.attempts);
  EXPECT_EQ(first.code, sent.code);
  EXPECT_EQ(first.reason, sent.reason);
  EXPECT_EQ(first.certificate_id, sent.certificate_id);
  EXPECT_FALSE(request.bookings[1].certificate_id.has_value());
}

TEST(CloudJson, CutsAReasonThatIsTooLong) {
  CloudBooking booking = full_booking();
  booking.reason = std::string(kMaxCloudReasonBytes - 1, 'x') + "\xc3\xa4y";
  const CloudBookRequest request = round_trip(CloudBookRequest{"eu", {booking}});
  EXPECT_EQ(request.bookings[0].reason, std::string(kMaxCloudReasonBytes - 1, 'x'));
}

TEST(CloudJson, BringsTheOtherRequestsOver) {
  EXPECT_FALSE(round_trip(CloudFeedRequest{{"default", "eu"}, false}).is_active);
  EXPECT_EQ(round_trip(CloudFeedRequest{{"default", "eu"}, true}).feed.order_id, "default");
  const auto claim = round_trip(CloudClaimRequest{"eu", 18'446'744'073'709'551'615ULL, 500});
  EXPECT_EQ(claim.after, 18'446'744'073'709'551'615ULL);
  EXPECT_EQ(claim.limit, 500U);
  EXPECT_EQ(round_trip(CloudReleaseRequest{"eu", 1030, 7}).code, 1030U);
  EXPECT_EQ(round_trip(CloudReleaseRequest{"eu", std::nullopt, 7}).code, std::nullopt);
  EXPECT_EQ(round_trip(CloudReleaseRequest{"eu", 1030, 7}).number, std::nullopt);
  EXPECT_EQ(round_trip(CloudReleaseRequest{"eu", std::nullopt, 7, 12}).number, 12U);
  const auto list = round_trip(CloudListRequest{"eu", RegistrationState::Parked, 5, 6});
  EXPECT_EQ(list.state, RegistrationState::Parked);
  EXPECT_EQ(list.after, 5U);
  EXPECT_EQ(list.limit, 6U);
  EXPECT_EQ(round_trip(CloudListRequest{"eu", std::nullopt, 5, 6}).state, std::nullopt);
  EXPECT_EQ(round_trip(CloudTasksRequest{"eu"}).target, "eu");
  EXPECT_EQ(round_trip(BulkCreateRequest{"eu", "a/b.json"}).object_key, "a/b.json");
  EXPECT_EQ(round_trip(BulkFillRequest{3, 50'000}).lines, 50'000U);
  EXPECT_EQ(round_trip(BulkItemsRequest{3, 4, 5}).after, 4U);
  EXPECT_EQ(round_trip(BulkReturnRequest{3, 5}).limit, 5U);
  EXPECT_EQ(round_trip(CertificatesRequest{"default", 1, 1000}).order_id, "default");
  const auto update = round_trip(BulkUpdateRequest{
      3,
      {.state = BulkTaskState::Started, .aws_task_id = "t", .sha256 = Sha256{1}, .reason = "r"}});
  EXPECT_EQ(update.task_id, 3U);
  EXPECT_EQ(update.change.state, BulkTaskState::Started);
  EXPECT_EQ(update.change.aws_task_id, "t");
  EXPECT_EQ(update.change.sha256, Sha256{1});
  EXPECT_EQ(update.change.reason, "r");
  const auto bare = round_trip(BulkUpdateRequest{3, {.state = BulkTaskState::Failed}});
  EXPECT_FALSE(bare.change.aws_task_id.has_value() || bare.change.sha256.has_value());
}

TEST(CloudJson, BringsItemsOverWithTheirCertificates) {
  std::vector<CloudItem> sent(4);
  for (size_t i = 0; i < sent.size(); ++i) {
    sent[i].issuance_id = i + 1;
    sent[i].device_id = "device";
    sent[i].order_id = "default";
    sent[i].serial = SerialNumber{0x41, static_cast<uint8_t>(i)};
    sent[i].certificate_der = Bytes(300 + i, static_cast<uint8_t>(0xf0 + i));  // every padding
    sent[i].state = RegistrationState::InTask;
    sent[i].steps = 3;
    sent[i].attempts = 2;
    sent[i].committed_at = unix_time(1'700'000'000);
  }
  const auto received = round_trip(sent);
  ASSERT_EQ(received.size(), sent.size());
  for (size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(received[i].issuance_id, sent[i].issuance_id);
    EXPECT_EQ(received[i].device_id, "device");
    EXPECT_EQ(received[i].order_id, "default");
    EXPECT_EQ(received[i].serial, sent[i].serial);
    EXPECT_EQ(received[i].certificate_der, sent[i].certificate_der);
    EXPECT_EQ(received[i].state, RegistrationState::InTask);
    EXPECT_EQ(received[i].steps, 3U);
    EXPECT_EQ(received[i].attempts, 2U);
    EXPECT_EQ(received[i].committed_at, unix_time(1'700'000'000));
  }
}

TEST(CloudJson, BringsTheOtherRepliesOver) {
  const CloudBooked booked =
      round_trip(CloudBooked{.booked = 1, .unchanged = 2, .refused = {{3, "why"}}});
  EXPECT_EQ(booked.booked, 1U);
  EXPECT_EQ(booked.unchanged, 2U);
  ASSERT_EQ(booked.refused.size(), 1U);
  EXPECT_EQ(booked.refused[0].issuance_id, 3U);
  EXPECT_EQ(booked.refused[0].reason, "why");
  EXPECT_EQ(round_trip(uint64_t{77}), 77U);
  CertificatePage page;
  page.certificates = {{.issuance_id = 5,
                        .device_id = "d",
                        .serial = SerialNumber{0x41},
                        .committed_at = unix_time(1),
                        .certificate_der = {0x30, 0x00}}};
  page.next_after = 6;
  page.is_end = true;
  page.first_open_intent = 7;
  const CertificatePage certificates = round_trip(page);
  ASSERT_EQ(certificates.certificates.size(), 1U);
  EXPECT_EQ(certificates.certificates[0].certificate_der, (Bytes{0x30, 0x00}));
  EXPECT_EQ(certificates.certificates[0].serial, SerialNumber{0x41});
  EXPECT_EQ(certificates.next_after, 6U);
  EXPECT_TRUE(certificates.is_end);
  EXPECT_EQ(certificates.first_open_intent, 7U);
  EXPECT_FALSE(round_trip(CertificatePage()).first_open_intent.has_value());
}

TEST(CloudJson, BringsRegistrationsOver) {
  RegistrationPage page;
  page.registrations.resize(2);
  CloudRegistration& first = page.registrations[0];
  first.issuance_id = 1;
  first.device_id = "d";
  first.order_id = "default";
  first.state = RegistrationState::Parked;
  first.steps = 1;
  first.attempts = 2;
  first.task_id = 3;
  first.code = 1030;
  first.reason = "r";
  first.certificate_id = Sha256{1};
  first.updated_at = unix_time(9);
  page.next_after = 2;
  const RegistrationPage received = round_trip(page);
  ASSERT_EQ(received.registrations.size(), 2U);
  const CloudRegistration& same = received.registrations[0];
  EXPECT_EQ(same.issuance_id, 1U);
  EXPECT_EQ(same.device_id, "d");
  EXPECT_EQ(same.order_id, "default");
  EXPECT_EQ(same.state, RegistrationState::Parked);
  EXPECT_EQ(same.steps, 1U);
  EXPECT_EQ(same.attempts, 2U);
  EXPECT_EQ(same.task_id, 3U);
  EXPECT_EQ(same.code, 1030U);
  EXPECT_EQ(same.reason, "r");
  EXPECT_EQ(same.certificate_id, Sha256{1});
  EXPECT_EQ(same.updated_at, unix_time(9));
  EXPECT_FALSE(received.registrations[1].certificate_id.has_value());
  EXPECT_EQ(received.next_after, 2U);
  EXPECT_FALSE(received.is_end);
}

TEST(CloudJson, BringsATargetsStatusOver) {
  CloudTargetStatus status;
  status.target = {"eu", "123456789012", "eu-west-1"};
  status.is_configured = true;
  status.feeds = {{"default", true}, {"second", false}};
  status.waiting = 1;
  status.in_task = 2;
  status.registered = 3;
  status.handed_over = 4;
  status.parked = 5;
  status.parked_by_code = {{1030, 4}, {1033, 1}};
  status.oldest_waiting_at = unix_time(5);
  const auto received = round_trip(std::vector<CloudTargetStatus>{status, {}});
  ASSERT_EQ(received.size(), 2U);
  EXPECT_EQ(received[0].target.region, "eu-west-1");
  EXPECT_TRUE(received[0].is_configured);
  ASSERT_EQ(received[0].feeds.size(), 2U);
  EXPECT_EQ(received[0].feeds[1].order_id, "second");
  EXPECT_FALSE(received[0].feeds[1].is_active);
  EXPECT_EQ(received[0].waiting, 1U);
  EXPECT_EQ(received[0].in_task, 2U);
  EXPECT_EQ(received[0].registered, 3U);
  EXPECT_EQ(received[0].handed_over, 4U);
  EXPECT_EQ(received[0].parked, 5U);
  ASSERT_EQ(received[0].parked_by_code.size(), 2U);
  EXPECT_EQ(received[0].parked_by_code[1].code, 1033U);
  EXPECT_EQ(received[0].parked_by_code[0].count, 4U);
  EXPECT_EQ(received[0].oldest_waiting_at, unix_time(5));
  EXPECT_FALSE(received[1].oldest_waiting_at.has_value());
}

TEST(CloudJson, BringsTasksOver) {
  BulkTask task;
  task.id = 1;
  task.target = "eu";
  task.object_key = "key";
  task.aws_task_id = "aws";
  task.state = BulkTaskState::Uploaded;
  task.first_issuance = 2;
  task.last_issuance = 3;
  task.lines = 4;
  task.sha256 = Sha256{5};
  task.created_at = unix_time(6);
  task.updated_at = unix_time(7);
  task.reason = "r";
  const BulkTask same = round_trip(task);
  EXPECT_EQ(same.id, 1U);
  EXPECT_EQ(same.target, "eu");
  EXPECT_EQ(same.object_key, "key");
  EXPECT_EQ(same.aws_task_id, "aws");
  EXPECT_EQ(same.state, BulkTaskState::Uploaded);
  EXPECT_EQ(same.first_issuance, 2U);
  EXPECT_EQ(same.last_issuance, 3U);
  EXPECT_EQ(same.lines, 4U);
  EXPECT_EQ(same.sha256, Sha256{5});
  EXPECT_EQ(same.created_at, unix_time(6));
  EXPECT_EQ(same.updated_at, unix_time(7));
  EXPECT_EQ(same.reason, "r");
  EXPECT_EQ(round_trip(std::vector{task, task}).size(), 2U);
}

TEST(CloudJson, RefusesARequestWithAMemberTooManyOrTooFew) {
  EXPECT_THAT(fault_of<CloudClaimRequest>(R"({"target":"eu","after":0})"), HasSubstr("limit"));
  EXPECT_THAT(fault_of<CloudClaimRequest>(R"({"target":"eu","after":0,"limit":1,"order":"x"})"),
              HasSubstr("order"));
  EXPECT_THAT(fault_of<CloudPlan>(R"({"targets":[{"name":"a"}],"feeds":[]})"),
              HasSubstr("account"));
  EXPECT_THAT(fault_of<CloudBookRequest>(R"({"target":"eu","bookings":[{}]})"),
              HasSubstr("issuance_id"));
}

TEST(CloudJson, RefusesValuesThatCannotBe) {
  EXPECT_THAT(fault_of<CloudClaimRequest>(R"({"target":7,"after":0,"limit":1})"),
              HasSubstr("target"));
  EXPECT_THAT(fault_of<CloudClaimRequest>(R"({"target":"eu","after":-1,"limit":1})"),
              testing::Not(IsEmpty()));
  EXPECT_THAT(fault_of<CloudClaimRequest>(R"({"target":"eu","after":0,"limit":4294967296})"),
              testing::Not(IsEmpty()));
  EXPECT_THAT(fault_of<CloudClaimRequest>(R"({"target":"eu","after":0,"limit":1.5})"),
              HasSubstr("limit"));
  EXPECT_THAT(fault_of<CloudTasksRequest>("{\"target\":\"" + std::string(65, 'a') + "\"}"),
              HasSubstr("shorter"));
  EXPECT_THAT(fault_of<CloudListRequest>(R"({"target":"eu","state":"lost","after":0,"limit":1})"),
              HasSubstr("state"));
  EXPECT_THAT(fault_of<BulkUpdateRequest>(
                  R"({"task_id":1,"state":"booked","aws_task_id":null,"sha256":"ab","reason":""})"),
              HasSubstr("SHA-256"));
}

TEST(CloudJson, RefusesBase64ThatIsNotAsWeWriteIt) {
  CloudItem item;
  item.certificate_der = {0x30, 0x01};
  const std::string good = to_json(std::vector{item});
  ASSERT_NE(good.find("\"MAE=\""), std::string::npos) << good;
  for (const char* bad :
       {"\"MAE\"", "\"MAF=\"", "\"MA E\"", "\"M===\"", "\"=\"", "7", "\"MAE=\\n\""}) {
    std::string json = good;
    json.replace(json.find("\"MAE=\""), 6, bad);
    EXPECT_THAT(fault_of<std::vector<CloudItem>>(json), testing::Not(IsEmpty())) << bad;
  }
}

}  // namespace
}  // namespace linesign
