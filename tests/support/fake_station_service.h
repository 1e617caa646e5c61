// FakeStationService: a StationService that remembers what it was asked and answers when told to.
//
// Threads  as StationService: the event loop's thread only
#ifndef LINESIGN_TESTS_SUPPORT_FAKE_STATION_SERVICE_H_
#define LINESIGN_TESTS_SUPPORT_FAKE_STATION_SERVICE_H_

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stations/listener/station_service.h"

namespace linesign::test {

class FakeStationService final : public StationService {
 public:
  struct Asked {
    int64_t station_id = 0;
    RequestId request_id{};
    std::string order_id;
    std::string device_id;
    Bytes csr_der;
  };

  Result<StationIdentity> identify(const Sha256& certificate_hash) override {
    const auto found = stations.find(certificate_hash);
    if (found == stations.end()) return fail(ErrorCode::StationUnknown);
    if (revoked) return fail(ErrorCode::StationRevoked);
    return found->second;
  }

  std::vector<Bytes> issuer_chain() override { return chain; }

  void issue(const StationIdentity& station,
             const IssueCall& call,
             CertificateReply reply) override {
    issues.push_back({station.id,
                      call.request_id,
                      std::string(call.order_id),
                      std::string(call.device_id),
                      to_bytes(call.csr_der)});
    take(std::move(reply));
  }

  void fetch(const StationIdentity& station,
             const FetchCall& call,
             CertificateReply reply) override {
    fetches.push_back(
        {station.id, {}, std::string(call.order_id), std::string(call.device_id), {}});
    take(std::move(reply));
  }

  void confirm(const StationIdentity& station,
               const ConfirmCall& call,
               ConfirmReply reply) override {
    confirms.push_back({station.id,
                        {},
                        std::string(call.order_id),
                        std::string(call.device_id),
                        to_bytes(ByteView(call.certificate_hash))});
    confirm_replies.push_back(std::move(reply));
  }

  void enroll(const EnrollCall& call, EnrollReply reply) override {
    enroll_secrets.push_back(to_bytes(call.secret));
    enroll_sources.push_back(to_bytes(call.peer_source));
    enroll_replies.push_back(std::move(reply));
  }

  // Answers the oldest unanswered issue or fetch.
  bool answer(const tl::expected<ByteView, Refusal>& outcome) {
    CertificateReply reply = std::move(replies.front());
    replies.pop_front();
    return reply(outcome);
  }

  std::map<Sha256, StationIdentity> stations;
  bool revoked = false;
  std::vector<Bytes> chain = {{0x30, 0x00}};
  std::optional<Bytes> immediate;  // the certificate that every request gets at once

  std::vector<Asked> issues;
  std::vector<Asked> fetches;
  std::vector<Asked> confirms;
  std::vector<Bytes> enroll_secrets;
  std::vector<Bytes> enroll_sources;
  std::deque<CertificateReply> replies;
  std::deque<ConfirmReply> confirm_replies;
  std::deque<EnrollReply> enroll_replies;

 private:
  void take(CertificateReply reply) {
    if (immediate) {
      reply(ByteView(*immediate));
    } else {
      replies.push_back(std::move(reply));
    }
  }
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_FAKE_STATION_SERVICE_H_
