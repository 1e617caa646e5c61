#include "appliance/admin/api/admin_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linesign {
namespace {

using testing::HasSubstr;

UnixTime at(int64_t seconds) { return UnixTime(std::chrono::seconds(seconds)); }

ApplianceStatus full_status() {
  ApplianceStatus status;
  status.version = "0.1.0";
  status.started_at = at(1700000000);
  status.producing = false;
  status.since = at(1700000100);
  status.obstacles = {{Error(ErrorCode::HsmPinRefused, "token line-1"), at(1700000100)},
                      {Error(ErrorCode::LedgerDiskFull), at(1700000200)}};
  status.ca_subject = "CN=Line \"A\",O=Ex\xc3\xa4mple";
  status.ca_not_after = at(253402300799);  // 9999-12-31T23:59:59Z
  status.expiry.certificates = {{"CA", at(253402300799), 2932896}, {"station CA", at(1), -19676}};
  status.expiry.devices_cut_at = at(2000000000);
  status.expiry.stations_ending = 2;
  status.expiry.stations_ended = 1;
  status.expiry.next_station = CertificateEnd{"jig-1", at(1700000000), 0};
  status.token = "line-1";
  status.station_port = 65535;
  status.sessions = 4294967295;
  status.connections = {.max_sessions = 1,
                        .handshakes = 2,
                        .stations_at_limit = 3,
                        .failed_handshakes = 4,
                        .dropped_handshakes = 5,
                        .session_limit = 6,
                        .sessions_full = 7,
                        .replaced_sessions = 8,
                        .dropped_stalled = 9,
                        .out_of_descriptors = 10};
  status.in_flight = 7;
  status.ledger = {
      .intents = 1, .certificates = 18446744073709551615ULL, .voids = 3, .newest_at = at(1)};
  status.commits = {.transactions = 10, .writes = 20};
  status.issued = 4;
  status.refused = 5;
  status.busy = 6;
  status.throttled = {"jig-1", "jig-2"};
  status.missing_protections = {"signers can \"open\" any file", "and more"};
  status.pin_warning = "few tries are left";
  status.signers = {{.pid = 42,
                     .state = "quarantined",
                     .restarts = 1,
                     .signatures = 9,
                     .wrong_signatures = 2,
                     .quarantined_since = at(1700000050)}};
  status.cloud = {.waiting = 1234, .parked = 2, .oldest_waiting_at = at(1699990000)};
  return status;
}

void expect_equal(const ApplianceStatus& a, const ApplianceStatus& b) {
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.started_at, b.started_at);
  EXPECT_EQ(a.producing, b.producing);
  EXPECT_EQ(a.since, b.since);
  ASSERT_EQ(a.obstacles.size(), b.obstacles.size());
  for (size_t i = 0; i < a.obstacles.size(); ++i) {
    EXPECT_EQ(a.obstacles[i].error.to_string(), b.obstacles[i].error.to_string());
    EXPECT_EQ(a.obstacles[i].since, b.obstacles[i].since);
  }
  EXPECT_EQ(a.ca_subject, b.ca_subject);
  EXPECT_EQ(a.ca_not_after, b.ca_not_after);
  ASSERT_EQ(a.expiry.certificates.size(), b.expiry.certificates.size());
  for (size_t i = 0; i < a.expiry.certificates.size(); ++i) {
    EXPECT_EQ(a.expiry.certificates[i].name, b.expiry.certificates[i].name);
    EXPECT_EQ(a.expiry.certificates[i].not_after, b.expiry.certificates[i].not_after);
    EXPECT_EQ(a.expiry.certificates[i].days_left, b.expiry.certificates[i].days_left);
  }
  EXPECT_EQ(a.expiry.devices_cut_at, b.expiry.devices_cut_at);
  EXPECT_EQ(a.expiry.stations_ending, b.expiry.stations_ending);
  EXPECT_EQ(a.expiry.stations_ended, b.expiry.stations_ended);
  ASSERT_EQ(a.expiry.next_station.has_value(), b.expiry.next_station.has_value());
  if (a.expiry.next_station.has_value()) {
    EXPECT_EQ(a.expiry.next_station->name, b.expiry.next_station->name);
  }
  EXPECT_EQ(a.token, b.token);
  EXPECT_EQ(a.missing_protections, b.missing_protections);
  EXPECT_EQ(a.pin_warning, b.pin_warning);
  EXPECT_EQ(a.station_port, b.station_port);
  EXPECT_EQ(a.sessions, b.sessions);
  EXPECT_EQ(a.connections, b.connections);
  EXPECT_EQ(a.in_flight, b.in_flight);
  EXPECT_EQ(a.ledger.intents, b.ledger.intents);
  EXPECT_EQ(a.ledger.certificates, b.ledger.certificates);
  EXPECT_EQ(a.ledger.voids, b.ledger.voids);
  EXPECT_EQ(a.ledger.newest_at, b.ledger.newest_at);
  EXPECT_EQ(a.commits.transactions, b.commits.transactions);
  EXPECT_EQ(a.commits.writes, b.commits.writes);
  EXPECT_EQ(a.issued, b.issued);
  EXPECT_EQ(a.throttled, b.throttled);
  EXPECT_EQ(a.refused, b.refused);
  EXPECT_EQ(a.busy, b.busy);
  ASSERT_EQ(a.signers.size(), b.signers.size());
  for (size_t i = 0; i < a.signers.size(); ++i) {
    EXPECT_EQ(a.signers[i].pid, b.signers[i].pid);
    EXPECT_EQ(a.signers[i].state, b.signers[i].state);
    EXPECT_EQ(a.signers[i].restarts, b.signers[i].restarts);
    EXPECT_EQ(a.signers[i].signatures, b.signers[i].signatures);
    EXPECT_EQ(a.signers[i].wrong_signatures, b.signers[i].wrong_signatures);
    EXPECT_EQ(a.signers[i].quarantined_since, b.signers[i].quarantined_since);
  }
  ASSERT_EQ(a.cloud.has_value(), b.cloud.has_value());
  if (!a.cloud.has_value()) return;
  EXPECT_EQ(a.cloud->waiting, b.cloud->waiting);
  EXPECT_EQ(a.cloud->parked, b.cloud->parked);
  EXPECT_EQ(a.cloud->oldest_waiting_at, b.cloud->oldest_waiting_at);
}

StationRecord full_station() {
  StationRecord station;
  station.id = 17;
  station.name = "jig-1";
  station.state = StationState::Revoked;
  station.certificate_hash = Sha256{0xab, 0xcd};
  station.created_at = at(100);
  station.enrolled_at = at(200);
  station.revoked_at = at(300);
  station.token_expires_at = at(400);
  return station;
}

TEST(AdminJson, BringsAStatusOverWhole) {
  const ApplianceStatus sent = full_status();
  const auto received = status_from_json(status_to_json(sent));
  ASSERT_TRUE(received.has_value()) << received.error().to_string();
  expect_equal(sent, *received);
}

TEST(AdminJson, BringsAnEmptyStatusOver) {
  const ApplianceStatus sent;
  const auto received = status_from_json(status_to_json(sent));
  ASSERT_TRUE(received.has_value()) << received.error().to_string();
  expect_equal(sent, *received);
}

TEST(AdminJson, TakesAStatusOfALinesigndThatKnowsNoCloud) {
  const std::string sent = status_to_json(ApplianceStatus());
  std::string older = sent;
  const std::string member = ",\"cloud\":null";
  ASSERT_NE(older.find(member), std::string::npos) << sent;
  older.erase(older.find(member), member.size());
  const auto received = status_from_json(older);
  ASSERT_TRUE(received.has_value()) << received.error().to_string();
  EXPECT_FALSE(received->cloud.has_value());
}

TEST(AdminJson, WritesTimesForPeopleAndMachines) {
  EXPECT_THAT(status_to_json(full_status()), HasSubstr(R"("not_after":"9999-12-31T23:59:59Z")"));
  EXPECT_THAT(status_to_json(ApplianceStatus()), HasSubstr(R"("newest_at":null)"));
}

TEST(AdminJson, BringsStationsOver) {
  StationRecord invited;
  invited.id = 1;
  invited.name = "jig-2";
  const auto received =
      stations_from_json(stations_to_json({{full_station(), 3, at(500), 4, 5}, {invited, 0}}));
  ASSERT_TRUE(received.has_value()) << received.error().to_string();
  ASSERT_EQ(received->size(), 2U);
  const StationRecord& first = received->front().record;
  EXPECT_EQ(received->front().sessions, 3U);
  EXPECT_EQ(received->front().certificate_not_after, at(500));
  EXPECT_FALSE(received->back().certificate_not_after.has_value());
  EXPECT_EQ(received->front().refused, 4U);
  EXPECT_EQ(received->front().throttled_seconds, 5U);
  EXPECT_EQ(first.id, 17);
  EXPECT_EQ(first.name, "jig-1");
  EXPECT_EQ(first.state, StationState::Revoked);
  EXPECT_EQ(first.certificate_hash, full_station().certificate_hash);
  EXPECT_EQ(first.created_at, at(100));
  EXPECT_EQ(first.enrolled_at, at(200));
  EXPECT_EQ(first.revoked_at, at(300));
  EXPECT_EQ(first.token_expires_at, at(400));
  const StationRecord& second = received->back().record;
  EXPECT_EQ(second.state, StationState::Invited);
  EXPECT_FALSE(second.certificate_hash.has_value());
  EXPECT_FALSE(second.enrolled_at.has_value());
}

TEST(AdminJson, BringsAnErrorOverWithItsDetail) {
  const auto received =
      error_from_json(error_to_json(Error(ErrorCode::StationExists, "jig \"1\"\n")));
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->code(), ErrorCode::StationExists);
  EXPECT_EQ(received->detail(), "jig \"1\"\n");
}

TEST(AdminJson, KeepsTheNameOfAnErrorThatThisVersionDoesNotKnow) {
  const auto received = error_from_json(
      R"({"error":{"code":65000,"name":"NewThing","message":"It is new.","detail":"x"}})");
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->code(), ErrorCode::Internal);
  EXPECT_EQ(received->detail(), "65000 NewThing: It is new. (x)");
}

TEST(AdminJson, RefusesAnythingButAName) {
  EXPECT_EQ(station_name_from_json(R"({"name":"jig-1"})").value(), "jig-1");
  for (const char* json : {"",
                           "{",
                           "[]",
                           "\"jig-1\"",
                           "null",
                           "{}",
                           R"({"name":1})",
                           R"({"name":null})",
                           R"({"nam":"jig-1"})",
                           R"({"name":"jig-1","order":"x"})"}) {
    const auto name = station_name_from_json(json);
    ASSERT_FALSE(name.has_value()) << json;
    EXPECT_EQ(name.error().code(), ErrorCode::InputInvalid) << json;
  }
}

TEST(AdminJson, RefusesAStatusWithAWrongMember) {
  const std::string good = status_to_json(full_status());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string json = good;
    json.replace(json.find(from), from.size(), to);
    return json;
  };
  for (const std::string& json : {with("\"producing\":false", "\"producing\":\"no\""),
                                  with("\"producing\":false", "\"x\":false"),
                                  with("\"station_port\":65535", "\"station_port\":65536"),
                                  with("\"in_flight\":7", "\"in_flight\":-1"),
                                  with("\"in_flight\":7", "\"in_flight\":null"),
                                  with("\"signers\":[{", "\"signers\":[1,{"),
                                  with("2023-11-14T22:13:20Z", "yesterday")}) {
    const auto status = status_from_json(json);
    ASSERT_FALSE(status.has_value()) << json;
    EXPECT_EQ(status.error().code(), ErrorCode::InputInvalid);
  }
}

TEST(AdminJson, SurvivesDeepNesting) {
  EXPECT_FALSE(status_from_json(std::string(60000, '[')).has_value());
}

}  // namespace
}  // namespace linesign
