// The calls of the cloud, from client to service and back.
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/admin/api/cloud_json.h"
#include "appliance/admin/client/cloud_client.h"
#include "appliance/admin/server/admin_server.h"
#include "tests/support/fake_admin_service.h"
#include "tests/support/loop_thread.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using testing::HasSubstr;

class CloudRoutes : public testing::Test {
 protected:
  void SetUp() override {
    loop_.on_loop([this] {
      auto server = AdminServer::start(loop_.loop(), service_, {.socket = socket()});
      ASSERT_TRUE(server.has_value()) << server.error().to_string();
      server_ = std::move(*server);
    });
  }

  void TearDown() override {
    loop_.on_loop([this] { server_.reset(); });
  }

  std::filesystem::path socket() const { return folder_.path() / "admin.sock"; }
  AdminClient admin() const { return AdminClient(socket(), std::chrono::seconds(30)); }
  CloudClient client() const { return admin().cloud(); }

  TempDir folder_;
  FakeAdminService service_;
  FakeCloudService& cloud_ = service_.present_cloud;
  LoopThread loop_;
  std::unique_ptr<AdminServer> server_;
};

CloudItem some_item() {
  CloudItem item;
  item.issuance_id = 7;
  item.device_id = "device-7";
  item.order_id = "default";
  item.certificate_der = {0x30, 0x01, 0x00};
  item.issuer_der = {0x30, 0x01, 0x01};
  return item;
}

TEST_F(CloudRoutes, SetThePlanAndFeeds) {
  EXPECT_TRUE(client()
                  .set_plan({.targets = {{"eu", "123456789012", "eu-west-1"}},
                             .feeds = {{"default", "eu"}}})
                  .has_value());
  EXPECT_TRUE(client().set_feed({"second", "eu"}, false).has_value());
  loop_.on_loop([this] {
    ASSERT_EQ(cloud_.plan.targets.size(), 1U);
    EXPECT_EQ(cloud_.plan.targets[0].account, "123456789012");
    EXPECT_EQ(cloud_.feed.feed.order_id, "second");
    EXPECT_FALSE(cloud_.feed.is_active);
  });
}

TEST_F(CloudRoutes, ClaimAndBook) {
  loop_.on_loop([this] {
    cloud_.items = {some_item()};
    cloud_.booked = {.booked = 1, .unchanged = 0, .refused = {{8, "why"}}};
  });
  const auto items = client().claim("eu", 3, 10);
  ASSERT_TRUE(items.has_value()) << items.error().to_string();
  ASSERT_EQ(items->size(), 1U);
  EXPECT_EQ(items->front().certificate_der, some_item().certificate_der);
  EXPECT_EQ(items->front().issuer_der, some_item().issuer_der);
  CloudBooking booking;
  booking.issuance_id = 7;
  booking.reason = "r";
  const auto booked = client().book("eu", {booking});
  ASSERT_TRUE(booked.has_value()) << booked.error().to_string();
  EXPECT_EQ(booked->refused.at(0).reason, "why");
  loop_.on_loop([this] {
    EXPECT_EQ(cloud_.claimed.target, "eu");
    EXPECT_EQ(cloud_.claimed.after, 3U);
    EXPECT_EQ(cloud_.claimed.limit, 10U);
    EXPECT_EQ(cloud_.booking.bookings.at(0).issuance_id, 7U);
  });
}

TEST_F(CloudRoutes, ReleaseUntilNothingIsLeft) {
  loop_.on_loop([this] { cloud_.count = 2 * kMaxCloudMoves + 3; });
  EXPECT_EQ(client().release_all("eu", 1030).value(), 2 * kMaxCloudMoves + 3);
  loop_.on_loop([this] {
    EXPECT_EQ(cloud_.release_calls, 3);
    EXPECT_EQ(cloud_.released.code, 1030U);
  });
}

TEST_F(CloudRoutes, TellTheStatusRegistrationsAndCertificates) {
  loop_.on_loop([this] {
    cloud_.targets.resize(1);
    cloud_.targets[0].waiting = 5;
    cloud_.registration_page.next_after = 6;
    cloud_.certificate_page.next_after = 7;
  });
  EXPECT_EQ(client().status()->at(0).waiting, 5U);
  EXPECT_EQ(client().registrations("eu", RegistrationState::Parked, 1, 2)->next_after, 6U);
  EXPECT_EQ(client().certificates("default", 3, 4)->next_after, 7U);
  loop_.on_loop([this] {
    EXPECT_EQ(cloud_.listed.state, RegistrationState::Parked);
    EXPECT_EQ(cloud_.listed.after, 1U);
    EXPECT_EQ(cloud_.asked_certificates.order_id, "default");
    EXPECT_EQ(cloud_.asked_certificates.limit, 4U);
  });
}

TEST_F(CloudRoutes, NameTheCaOfEachRowAndAllThatTheLedgerKnows) {
  loop_.on_loop([this] {
    cloud_.certificate_page.certificates.resize(3);
    cloud_.registration_page.registrations.resize(2);
    cloud_.certificate_page.certificates[0].issuer_der = {0x30, 0x00};
    cloud_.certificate_page.certificates[1].issuer_der = {0x30, 0x01};
    cloud_.certificate_page.certificates[2].issuer_der = {0x30, 0x00};
    cloud_.certificate_page.newest = 12;
    cloud_.registration_page.registrations[1].issuer_der = {0x31};
    cloud_.ledger_cas = {{{0x30, 0x00}, UnixTime(std::chrono::seconds(5))}, {{0x30, 0x01}, {}}};
  });
  const auto page = client().certificates("default", 0, 3);
  ASSERT_TRUE(page.has_value()) << page.error().to_string();
  EXPECT_EQ(page->certificates.at(1).issuer_der, (Bytes{0x30, 0x01}));
  EXPECT_EQ(page->certificates.at(2).issuer_der, (Bytes{0x30, 0x00}));
  EXPECT_EQ(page->newest, 12U);
  EXPECT_EQ(client().registrations("eu", std::nullopt, 0, 2)->registrations.at(1).issuer_der,
            Bytes{0x31});
  const auto cas = client().cas();
  ASSERT_TRUE(cas.has_value()) << cas.error().to_string();
  EXPECT_EQ(cas->at(0).first_used_at, UnixTime(std::chrono::seconds(5)));
  EXPECT_EQ(cas->at(1).certificate_der, (Bytes{0x30, 0x01}));
}

TEST_F(CloudRoutes, LeadBulkTasksThroughTheirLife) {
  loop_.on_loop([this] {
    cloud_.task.id = 9;
    cloud_.items = {some_item()};
    cloud_.count = 3;
  });
  EXPECT_EQ(client().create_task("eu", "key")->id, 9U);
  EXPECT_EQ(client().fill_task(9, 100)->id, 9U);
  EXPECT_EQ(client().task_items(9, 1, 2)->size(), 1U);
  EXPECT_EQ(client().update_task(9, {.state = BulkTaskState::Started, .aws_task_id = "a"})->id, 9U);
  EXPECT_EQ(client().return_task_items(9, 5).value(), 3U);
  EXPECT_EQ(client().open_tasks("eu")->size(), 1U);
  loop_.on_loop([this] {
    EXPECT_EQ(cloud_.created.object_key, "key");
    EXPECT_EQ(cloud_.filled.lines, 100U);
    EXPECT_EQ(cloud_.asked_items.after, 1U);
    EXPECT_EQ(cloud_.updated.change.aws_task_id, "a");
    EXPECT_EQ(cloud_.returned.limit, 5U);
    EXPECT_EQ(cloud_.asked_tasks.target, "eu");
  });
}

TEST_F(CloudRoutes, BringTheLedgersErrorsToTheClient) {
  for (const ErrorCode code : {ErrorCode::CloudTargetUnknown,
                               ErrorCode::CloudTargetMoved,
                               ErrorCode::InputInvalid,
                               ErrorCode::LedgerUnavailable}) {
    loop_.on_loop([&] { cloud_.failure = Error(code, "detail"); });
    const auto claimed = client().claim("eu", 0, 1);
    ASSERT_FALSE(claimed.has_value());
    EXPECT_EQ(claimed.error().code(), code);
    EXPECT_EQ(claimed.error().detail(), "detail");
    EXPECT_EQ(client().set_plan({}).error().code(), code);
  }
}

// The largest pages and bookings that the limits allow go through.
TEST_F(CloudRoutes, CarryTheLargestOfEverything) {
  CloudItem large = some_item();
  large.device_id = std::string(kMaxDeviceIdBytes, 'd');
  large.order_id = std::string(kMaxOrderIdBytes, 'o');
  large.certificate_der = Bytes(kMaxCsrBytes + 4096, 0xff);
  loop_.on_loop([&] {
    cloud_.items.assign(kMaxCloudItems, large);
    LedgerCertificate certificate;
    certificate.certificate_der = large.certificate_der;
    cloud_.certificate_page.certificates.assign(kMaxCertificatePage, certificate);
  });
  const auto items = client().claim("eu", 0, kMaxCloudItems);
  ASSERT_TRUE(items.has_value()) << items.error().to_string();
  EXPECT_EQ(items->size(), kMaxCloudItems);
  const auto page = client().certificates("default", 0, kMaxCertificatePage);
  ASSERT_TRUE(page.has_value()) << page.error().to_string();
  EXPECT_EQ(page->certificates.size(), kMaxCertificatePage);

  CloudBooking booking;
  booking.issuance_id = std::numeric_limits<uint64_t>::max();
  booking.attempts = booking.code = std::numeric_limits<uint32_t>::max();
  booking.reason = std::string(kMaxCloudReasonBytes, '\x01');
  booking.certificate_id = Sha256{};
  const std::string target(kMaxCloudTextBytes, 't');
  EXPECT_TRUE(
      client().book(target, std::vector<CloudBooking>(kMaxCloudItems, booking)).has_value());
  loop_.on_loop([&] {
    EXPECT_EQ(cloud_.booking.bookings.size(), kMaxCloudItems);
    EXPECT_EQ(cloud_.booking.bookings.back().reason, booking.reason);
  });
}

TEST_F(CloudRoutes, RefuseBodiesThatAreTooLong) {
  const auto refused = [&](const char* path, size_t bytes) {
    return admin().exchange("POST", path, std::string(bytes, ' ')).error().detail();
  };
  EXPECT_THAT(refused("/v1/cloud/claim", AdminServer::kMaxRequestBytes + 1),
              HasSubstr("more than 65536 bytes"));
  EXPECT_THAT(refused("/v1/cloud/book", AdminServer::kMaxBookingBytes + 1),
              HasSubstr("more than 2097152 bytes"));
  EXPECT_THAT(refused("/v1/cloud/book", AdminServer::kMaxRequestBytes + 1), HasSubstr("JSON"));
  EXPECT_TRUE(client().status().has_value());
}

TEST_F(CloudRoutes, RefuseOtherMethodsPathsAndTexts) {
  EXPECT_THAT(admin().exchange("GET", "/v1/cloud/claim", "").error().detail(),
              HasSubstr("expected POST"));
  EXPECT_THAT(admin().exchange("POST", "/v1/cloud/claim/x", "{}").error().detail(),
              HasSubstr("nothing at this path"));
  for (const char* path : {"targets",
                           "feed",
                           "claim",
                           "book",
                           "release",
                           "registrations",
                           "tasks",
                           "task/create",
                           "task/fill",
                           "task/items",
                           "task/update",
                           "task/return"}) {
    for (const char* body : {"", "{", "[]", "{\"x\":1}"}) {
      const auto answer = admin().exchange("POST", std::string("/v1/cloud/") + path, body);
      ASSERT_FALSE(answer.has_value()) << path;
      EXPECT_EQ(answer.error().code(), ErrorCode::InputInvalid) << path;
    }
  }
}

}  // namespace
}  // namespace linesign
