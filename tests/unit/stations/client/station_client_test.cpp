// The public API against the real station port.
#include "stations/client/station_client.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <set>

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include "protocol/base/unique_fd.h"
#include "stations/client/certificate_checker.h"
#include "stations/client/der.h"
#include "stations/client/key_maker.h"
#include "tests/support/fake_appliance.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::CsrCa;
using test::FakeAppliance;

Bytes new_csr(const std::string& name) {
  auto maker = client::KeyMaker::open(client::KeyKind::EcP256);
  return maker->make(name)->csr_der;
}

std::unique_ptr<StationClient> connect(FakeAppliance& appliance) {
  auto connected = StationClient::connect(appliance.credential());
  EXPECT_TRUE(connected.has_value()) << connected.error().to_string();
  return std::move(*connected);
}

TEST(RequestIds, AreTheHashThatTheProtocolNames) {
  const Bytes csr = {0x30, 0x03, 0x02, 0x01, 0x00};
  // Python: sha256(b"linesign request 1\0default\0unit-000042\0" + csr).hexdigest()[:32]
  EXPECT_EQ(to_hex(make_request_id("default", "unit-000042", csr)),
            "b5ea739f6d2d3059ba2f4f43f144b304");
}

TEST(RequestIds, DifferWhenAnyPartDiffers) {
  const Bytes csr = {1, 2, 3};
  const std::set<RequestId> ids = {make_request_id("a", "b", csr),
                                   make_request_id("b", "a", csr),
                                   make_request_id("ab", "", csr),
                                   make_request_id("a", "b", Bytes{1, 2})};
  EXPECT_EQ(ids.size(), 4U);
}

TEST(StationClient, LearnsItsNameTheWindowAndTheIssuer) {
  FakeAppliance appliance(17);
  const auto client = connect(appliance);
  EXPECT_EQ(client->station(), "station-1");
  EXPECT_EQ(client->window(), 17U);
  ASSERT_EQ(client->issuer_chain().size(), 1U);
  EXPECT_EQ(client->issuer_chain()[0], appliance.device_ca().der());
}

TEST(StationClient, GetsACertificateForItsCsr) {
  FakeAppliance appliance;
  const auto client = connect(appliance);
  const Bytes csr = new_csr("unit-1");
  const auto certificate = client->request_certificate("unit-1", csr);
  ASSERT_TRUE(certificate.has_value()) << certificate.error().to_string();
  EXPECT_TRUE(client->check_certificate(csr, *certificate).has_value());
  const std::string pem = client->chain_pem(*certificate);
  EXPECT_EQ(pem,
            client::to_pem("CERTIFICATE", *certificate) +
                client::to_pem("CERTIFICATE", appliance.device_ca().der()));
}

TEST(StationClient, GetsTheSameBytesForTheSameRequest) {
  FakeAppliance appliance;
  const Bytes csr = new_csr("unit-1");
  const auto first = connect(appliance)->request_certificate("unit-1", csr);
  const auto second = connect(appliance)->request_certificate("unit-1", csr);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(*first, *second);
}

TEST(StationClient, FindsTheCertificateOfTheSameKeyUnderAnotherCsr) {
  FakeAppliance appliance;
  auto maker = client::KeyMaker::open(client::KeyKind::EcP256);
  const auto made = maker->make("unit-1");
  const Bytes first = appliance.issue_before("unit-1", made->csr_der);
  const auto other_csr = client::make_csr(made->private_key_pem.reveal(), "unit-1");
  ASSERT_NE(*other_csr, made->csr_der);
  const auto certificate = connect(appliance)->request_certificate("unit-1", *other_csr);
  ASSERT_TRUE(certificate.has_value()) << certificate.error().to_string();
  EXPECT_EQ(*certificate, first);
}

TEST(StationClient, DoesNotTakeTheCertificateOfAnotherKey) {
  FakeAppliance appliance;
  appliance.issue_before("unit-1", new_csr("unit-1"));
  const auto certificate = connect(appliance)->request_certificate("unit-1", new_csr("unit-1"));
  ASSERT_FALSE(certificate.has_value());
  EXPECT_EQ(certificate.error().code(), ErrorCode::DeviceExists);
}

TEST(StationClient, WaitsWhileTheApplianceIsBusy) {
  FakeAppliance appliance;
  int calls = 0;
  appliance.set_hook([&](const IssueCall&) -> FakeAppliance::Answer {
    if (++calls < 4) return test::refuse(ErrorCode::Busy, milliseconds(20));
    return {};
  });
  const auto certificate = connect(appliance)->request_certificate("unit-1", new_csr("unit-1"));
  EXPECT_TRUE(certificate.has_value());
  EXPECT_EQ(appliance.issue_calls(), 4U);
}

TEST(StationClient, GivesUpWithTheLastReason) {
  FakeAppliance appliance;
  appliance.set_hook([](const IssueCall&) -> FakeAppliance::Answer {
    return test::refuse(ErrorCode::Unavailable, milliseconds(20));
  });
  const auto certificate = connect(appliance)->request_certificate(
      "unit-1", new_csr("unit-1"), "default", milliseconds(200));
  ASSERT_FALSE(certificate.has_value());
  EXPECT_EQ(certificate.error().code(), ErrorCode::Unavailable);
}

TEST(StationClient, SaysWhyARequestIsRefused) {
  FakeAppliance appliance;
  appliance.set_hook([](const IssueCall&) -> FakeAppliance::Answer {
    return tl::unexpected<Refusal>({Error(ErrorCode::CsrKeyNotAllowed, "P-384"), milliseconds(0)});
  });
  const auto client = connect(appliance);
  const auto certificate = client->request_certificate("unit-1", new_csr("unit-1"));
  ASSERT_FALSE(certificate.has_value());
  EXPECT_EQ(certificate.error().code(), ErrorCode::CsrKeyNotAllowed);
  EXPECT_EQ(certificate.error().detail(), "P-384");
  EXPECT_TRUE(client->ping().has_value()) << "the connection stays";
}

TEST(StationClient, RefusesACertificateOfAnotherCa) {
  FakeAppliance appliance;
  const CsrCa other("Another CA");
  appliance.set_hook([&](const IssueCall& call) -> FakeAppliance::Answer {
    return other.issue(call.csr_der, "unit-1");
  });
  const auto certificate = connect(appliance)->request_certificate("unit-1", new_csr("unit-1"));
  ASSERT_FALSE(certificate.has_value());
  EXPECT_EQ(certificate.error().code(), ErrorCode::CertificateWrong);
}

TEST(StationClient, RefusesACaOfTheSameNameWithAnotherKey) {
  FakeAppliance appliance;
  const CsrCa other("Test Device CA");
  appliance.set_hook([&](const IssueCall& call) -> FakeAppliance::Answer {
    return other.issue(call.csr_der, "unit-1");
  });
  const auto certificate = connect(appliance)->request_certificate("unit-1", new_csr("unit-1"));
  ASSERT_FALSE(certificate.has_value());
  EXPECT_EQ(certificate.error().code(), ErrorCode::CertificateWrong);
}

TEST(StationClient, TakesAnswersInAnyOrder) {
  FakeAppliance appliance;
  appliance.set_reversed_batches(5);
  const auto client = connect(appliance);
  std::vector<RequestId> sent;
  for (int i = 0; i < 5; ++i) {
    const std::string device = "unit-" + std::to_string(i);
    const IssueRequest request = IssueRequest::make(device, new_csr(device));
    sent.push_back(request.request_id);
    ASSERT_TRUE(client->submit(request).has_value());
  }
  EXPECT_EQ(client->in_flight(), 5U);
  std::vector<RequestId> answered;
  for (int i = 0; i < 5; ++i) {
    const auto reply = client->next(seconds(5));
    ASSERT_TRUE(reply.has_value() && reply->has_value());
    EXPECT_EQ((*reply)->status, IssueStatus::Issued);
    answered.push_back((*reply)->request_id);
  }
  EXPECT_EQ(client->in_flight(), 0U);
  EXPECT_EQ(answered, std::vector<RequestId>(sent.rbegin(), sent.rend()));
}

TEST(StationClient, HoldsTheWindow) {
  FakeAppliance appliance(2);
  appliance.set_reversed_batches(100);  // no answers
  const auto client = connect(appliance);
  ASSERT_TRUE(client->submit(IssueRequest::make("a", new_csr("a"))).has_value());
  ASSERT_TRUE(client->submit(IssueRequest::make("b", new_csr("b"))).has_value());
  const auto third = client->submit(IssueRequest::make("c", new_csr("c")));
  ASSERT_FALSE(third.has_value());
  EXPECT_EQ(third.error().code(), ErrorCode::Busy);
}

TEST(StationClient, HasNoAnswerInTimeWithoutAnError) {
  FakeAppliance appliance;
  const auto client = connect(appliance);
  const auto reply = client->next(milliseconds(20));
  ASSERT_TRUE(reply.has_value());
  EXPECT_FALSE(reply->has_value());
}

TEST(StationClient, PingsAnApplianceThatIsSilent) {
  FakeAppliance appliance;
  ClientOptions options;
  options.keep_alive = milliseconds(50);
  const auto client = StationClient::connect(appliance.credential(), options);
  ASSERT_TRUE(client.has_value());
  const auto reply = (*client)->next(milliseconds(400));
  EXPECT_TRUE(reply.has_value()) << "answered pings keep the connection";
}

TEST(StationClient, ConnectsAgainBySendingTheSameRequest) {
  FakeAppliance appliance;
  const auto client = connect(appliance);
  ASSERT_TRUE(client->request_certificate("unit-1", new_csr("unit-1")).has_value());
  appliance.restart();
  const auto second = client->request_certificate("unit-2", new_csr("unit-2"));
  EXPECT_TRUE(second.has_value()) << second.error().to_string();
}

TEST(StationClient, ComesBackSoonWhenItsSessionGaveWayToAnother) {
  FakeAppliance appliance;
  const auto client = connect(appliance);
  appliance.cut_sessions(ErrorCode::SessionLimit);
  // Less than the pause of one that is refused.
  const auto certificate =
      client->request_certificate("unit-1", new_csr("unit-1"), "default", milliseconds(4900));
  EXPECT_TRUE(certificate.has_value()) << certificate.error().to_string();
}

TEST(StationClient, SaysThatTheConnectionIsLostUntilItIsMadeAgain) {
  FakeAppliance appliance;
  const auto client = connect(appliance);
  appliance.stop();
  EXPECT_FALSE(client->next(seconds(5)).has_value());
  const auto again = client->submit(IssueRequest::make("a", new_csr("a")));
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().kind(), ErrorKind::Retry);
  EXPECT_EQ(client->descriptor(), -1);
  const auto unreachable = client->reconnect();
  ASSERT_FALSE(unreachable.has_value());
  EXPECT_EQ(unreachable.error().code(), ErrorCode::ConnectFailed);
  appliance.restart();
  EXPECT_TRUE(client->reconnect().has_value());
  EXPECT_TRUE(client->ping().has_value());
}

TEST(StationClient, StopsWhenItsStationIsRevoked) {
  FakeAppliance appliance;
  const auto client = connect(appliance);
  appliance.revoke();
  const auto certificate = client->request_certificate("unit-1", new_csr("unit-1"));
  ASSERT_FALSE(certificate.has_value());
  EXPECT_EQ(certificate.error().code(), ErrorCode::StationRevoked);
  EXPECT_EQ(certificate.error().exit_code(), 77);
}

TEST(StationClient, IsNotLetInWithACredentialOfAnotherAppliance) {
  FakeAppliance appliance;
  FakeAppliance other;
  StationCredential credential = other.credential();
  credential.address = appliance.address();
  const auto connected = StationClient::connect(credential);
  ASSERT_FALSE(connected.has_value());
  EXPECT_EQ(connected.error().exit_code(), 77) << connected.error().to_string();
}

TEST(StationClient, FetchesAndConfirms) {
  FakeAppliance appliance;
  const auto client = connect(appliance);
  const auto certificate = client->request_certificate("unit-1", new_csr("unit-1"));
  ASSERT_TRUE(certificate.has_value());
  EXPECT_EQ(client->fetch("unit-1").value(), *certificate);
  EXPECT_EQ(client->fetch("unit-2").error().code(), ErrorCode::DeviceUnknown);
  Sha256 proof{};
  SHA256(certificate->data(), certificate->size(), proof.data());
  EXPECT_TRUE(client->confirm("unit-1", proof).has_value());
  EXPECT_EQ(appliance.last_confirmed(), "unit-1");
  proof[0] = static_cast<uint8_t>(proof[0] ^ 1U);
  EXPECT_EQ(client->confirm("unit-1", proof).error().code(), ErrorCode::FieldInvalid);
}

TEST(StationClient, KeepsAnswersThatComeDuringABlockingCall) {
  FakeAppliance appliance;
  const auto client = connect(appliance);
  ASSERT_TRUE(client->submit(IssueRequest::make("unit-1", new_csr("unit-1"))).has_value());
  ASSERT_TRUE(client->ping().has_value());
  const auto reply = client->next(seconds(5));
  ASSERT_TRUE(reply.has_value() && reply->has_value());
  EXPECT_EQ((*reply)->status, IssueStatus::Issued);
}

TEST(StationClient, StopsWaitingWhenAsked) {
  FakeAppliance appliance;
  const UniqueFd cancel(::eventfd(1, EFD_CLOEXEC));
  ClientOptions options;
  options.cancel_descriptor = cancel.get();
  const auto connected = StationClient::connect(appliance.credential(), options);
  ASSERT_FALSE(connected.has_value());
  EXPECT_EQ(connected.error().code(), ErrorCode::Interrupted);
}

TEST(StationClient, FindsNobodyAtAWrongAddress) {
  FakeAppliance appliance;
  for (const char* address : {"127.0.0.1:1", "no-port", "127.0.0.1:0", "[::1", "a:b:c:1"}) {
    ClientOptions options;
    options.address = address;
    const auto connected = StationClient::connect(appliance.credential(), options);
    ASSERT_FALSE(connected.has_value()) << address;
    EXPECT_EQ(connected.error().code(), ErrorCode::ConnectFailed) << address;
  }
}

TEST(StationClient, NeedsTheInterfaceOfALinkLocalAddress) {
  FakeAppliance appliance;
  const auto why = [&](const char* address) {
    ClientOptions options;
    options.address = address;
    return StationClient::connect(appliance.credential(), options).error().detail();
  };
  EXPECT_EQ(why("[fe80::1]:7443"),
            "[fe80::1]:7443: a link-local address needs the network interface of this machine: "
            "[fe80::1%eth0]");
  EXPECT_EQ(why("[fe80::1%nosuch0]:7443"),
            "[fe80::1%nosuch0]:7443: this machine has no network interface 'nosuch0'");
  EXPECT_EQ(why("[fe80::1%lo]:7443").find("ost"), std::string::npos) << "not looked up as a name";
}

TEST(ApplianceFailures, KeepWhatThisVersionDoesNotKnow) {
  const ApplianceFailure failure{9999, "NewTrouble", "Something new.", milliseconds(0)};
  const Error error = failure.to_error(IssueStatus::Refused);
  EXPECT_EQ(error.code(), ErrorCode::InputInvalid);
  EXPECT_EQ(error.detail(), "9999 NewTrouble: Something new.");
  EXPECT_EQ(failure.to_error(IssueStatus::TryLater).kind(), ErrorKind::Retry);
}

}  // namespace
}  // namespace linesign
