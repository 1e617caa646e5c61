#include "appliance/cli/status_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linesign {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

UnixTime at(int64_t time) { return UnixTime(seconds(time)); }

ApplianceStatus producing() {
  ApplianceStatus status;
  status.version = "0.1.0";
  status.started_at = at(1700000000);
  status.producing = true;
  status.since = at(1700000010);
  status.ca_subject = "CN=Device CA";
  status.ca_not_after = at(1800000000);
  status.token = "line";
  status.station_port = 7443;
  status.sessions = 2;
  status.in_flight = 17;
  status.ledger = {.intents = 0, .certificates = 1234567, .voids = 1, .newest_at = at(1700000999)};
  status.commits = {.transactions = 100, .writes = 450};
  status.issued = 5000;
  status.signers = {{1, "ready", 0, 3000}, {2, "ready", 1, 2000}, {3, "starting", 0, 0}};
  return status;
}

TEST(StatusText, SaysThatItProducesAndTheFigures) {
  EXPECT_EQ(status_text(producing(), at(1700001000)),
            "producing since 2023-11-14T22:13:30Z (16 min)\n"
            "version     0.1.0, started 2023-11-14T22:13:20Z (16 min)\n"
            "CA          CN=Device CA, is valid until 2027-01-15T08:00:00Z (1157 days left)\n"
            "token       line\n"
            "stations    2 connected on port 7443; 17 requests under way\n"
            "signers     2 ready, 1 starting; 5,000 signatures, 0 wrong, 1 restarts\n"
            "ledger      1,234,567 certificates, 0 open intents, 1 void; "
            "newest 2023-11-14T22:29:59Z\n"
            "since start 5,000 issued (5.0/s), 0 refused, 0 told to come again; "
            "4.5 writes per commit\n");
}

TEST(StatusText, NotesEachProtectionThatIsNotInEffect) {
  ApplianceStatus status = producing();
  status.missing_protections = {"signers run as linesignd's user: user in [hsm] is not set"};
  EXPECT_THAT(
      status_text(status, at(1700001000)),
      HasSubstr("\nnote        signers run as linesignd's user: user in [hsm] is not set\n"));
}

TEST(StatusText, NamesSignersInQuarantineAndSinceWhen) {
  ApplianceStatus status = producing();
  status.signers[1].state = "quarantined";
  status.signers[1].wrong_signatures = 3;
  status.signers[1].quarantined_since = at(1700000500);
  EXPECT_THAT(
      status_text(status, at(1700001000)),
      HasSubstr("signers     1 quarantined, 1 ready, 1 starting; 5,000 signatures, 3 wrong, "
                "1 restarts\n"
                "            signer 1 is quarantined since 2023-11-14T22:21:40Z: two wrong "
                "signatures within an hour, 3 in all; `linesign hsm trust` ends it\n"));
}

TEST(StatusText, TellsWhatTheTokenSaysOfPinTries) {
  ApplianceStatus status = producing();
  status.pin_warning = "a wrong PIN was entered";
  EXPECT_THAT(status_text(status, at(1700001000)),
              HasSubstr("token       line; before the login: a wrong PIN was entered\n"));
}

TEST(StatusText, ShowsWhatConnectionsWereRefusedOnceThereAreSome) {
  ApplianceStatus status = producing();
  status.connections.failed_handshakes = 3;
  EXPECT_THAT(status_text(status, at(1700001000)), Not(HasSubstr("connections")));
  status.connections.session_limit = 1234;
  status.connections.dropped_handshakes = 5;
  EXPECT_THAT(status_text(status, at(1700001000)),
              HasSubstr("\nconnections 1,234 sessions refused (too many of one station), 5 "
                        "handshakes dropped in a flood of connections\n"));
}

TEST(StatusText, WarnsOfCertificatesThatEnd) {
  ApplianceStatus status = producing();
  const UnixTime now = status.ca_not_after - std::chrono::days(30);
  status.expiry.certificates = {{"CA", status.ca_not_after, 30}};
  status.expiry.devices_cut_at = status.ca_not_after;
  status.expiry.stations_ending = 2;
  status.expiry.next_station = CertificateEnd{"jig-1", now + std::chrono::days(1), 1};
  status.expiry.stations_ended = 3;
  const std::string text = status_text(status, now);
  EXPECT_THAT(text, HasSubstr("\nwarning     the CA is valid until 2027-01-15T08:00:00Z (30 days"));
  EXPECT_THAT(text, HasSubstr("\nwarning     device certificates end with the CA"));
  EXPECT_THAT(text, HasSubstr("\nwarning     2 station certificates end soon"));
  EXPECT_THAT(text, HasSubstr("jig-1"));
  EXPECT_THAT(text, HasSubstr("\nwarning     3 station certificates have ended"));
  EXPECT_THAT(status_text(producing(), now), Not(HasSubstr("warning")));
}

TEST(StatusText, ShowsTheBacklogOfTheCloudWhereThereAreTargets) {
  ApplianceStatus status = producing();
  EXPECT_THAT(status_text(status, at(1700001000)), Not(HasSubstr("cloud")));
  status.cloud.emplace();
  EXPECT_THAT(status_text(status, at(1700001000)),
              HasSubstr("\ncloud       0 waiting, 0 parked\n"));
  status.cloud = CloudBacklog{.waiting = 1234, .parked = 2, .oldest_waiting_at = at(1700001000)};
  EXPECT_THAT(status_text(status, at(1700001000 + 3 * 3600 + 300)),
              HasSubstr("\ncloud       1,234 waiting, 2 parked, oldest 3 h 5 min\n"));
}

TEST(StatusText, NamesSomeOfTheStationsThatAreThrottled) {
  ApplianceStatus status = producing();
  EXPECT_THAT(status_text(status, at(1700001000)), Not(HasSubstr("throttled")));
  status.throttled = {"a", "b", "c", "d", "e", "f", "g"};
  EXPECT_THAT(status_text(status, at(1700001000)),
              HasSubstr("\nthrottled   a, b, c, d, e and 2 more: too many of their CSRs"));
}

TEST(StatusText, SaysWhyItDoesNotProduceAndWhatToDo) {
  ApplianceStatus status = producing();
  status.producing = false;
  status.obstacles = {
      {Error(ErrorCode::LedgerDiskFull, "/var: 3 MiB free"), at(1700000400)},
      {Error(ErrorCode::HsmUnavailable), at(1700000990)},
  };
  const std::string text = status_text(status, at(1700001000));
  EXPECT_THAT(text,
              StartsWith("NOT producing since 2023-11-14T22:13:30Z (16 min): The disk that holds "
                         "the ledger is full.\n"
                         "  604 LedgerDiskFull, for 10 min\n"
                         "      /var: 3 MiB free\n"
                         "      what to do: Free space on the disk"));
  EXPECT_THAT(text,
              HasSubstr("  500 HsmUnavailable, for 10 s\n"
                        "      The HSM does not answer.\n"
                        "      what to do: Check that the HSM"));
}

TEST(StatusText, ManagesAnEmptyStatus) {
  EXPECT_THAT(status_text(ApplianceStatus(), at(0)),
              StartsWith("NOT producing since 1970-01-01T00:00:00Z (0 s): no reason was given\n"));
}

TEST(StatusText, ListsStationsInColumns) {
  StationListEntry invited;
  invited.record.name = "jig-1";
  invited.record.token_expires_at = at(86400);
  StationListEntry active;
  active.record.name = "programmer-in-hall-2";
  active.record.state = StationState::Active;
  active.record.enrolled_at = at(0);
  active.sessions = 3;
  active.refused = 1234;
  active.throttled_seconds = 8;
  StationListEntry revoked;
  revoked.record.name = "old";
  revoked.record.state = StationState::Revoked;
  active.certificate_not_after = at(86400 * 8);
  EXPECT_EQ(stations_text({invited, active, revoked}, at(86400)),
            "STATION               STATE     SESSIONS  REFUSED\n"
            "jig-1                 invited          0        0  token good until "
            "1970-01-02T00:00:00Z\n"
            "programmer-in-hall-2  active           3    1,234  enrolled 1970-01-01T00:00:00Z; "
            "certificate is valid until 1970-01-09T00:00:00Z (7 days left); throttled for 8 s\n"
            "old                   revoked          0        0  revoked -\n");
}

TEST(StatusText, SaysHowToBeginWhenThereIsNoStation) {
  EXPECT_THAT(stations_text({}, at(0)), HasSubstr("linesign station add NAME"));
}

TEST(StatusText, RoundsTimesForPeople) {
  EXPECT_EQ(elapsed_text(seconds(-5)), "0 s");
  EXPECT_EQ(elapsed_text(seconds(59)), "59 s");
  EXPECT_EQ(elapsed_text(seconds(60)), "1 min");
  EXPECT_EQ(elapsed_text(seconds(3600 * 3 + 300)), "3 h 5 min");
  EXPECT_EQ(elapsed_text(seconds(86400 * 2 + 3600 * 4 + 59)), "2 d 4 h");
}

TEST(StatusText, GroupsDigits) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1,000");
  EXPECT_EQ(count_text(1234567890), "1,234,567,890");
}

}  // namespace
}  // namespace linesign
