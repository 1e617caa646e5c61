// StationDesk: what stations may ask for, joined from its parts: who they are (registry), their
// enrolment (ledger and station CA), their certificates (issuance).
//
// Threads  the event loop's thread; a station's certificate is signed on the ledger's thread, in
//          the transaction that uses its token up
#ifndef LINESIGN_APPLIANCE_DAEMON_STATION_DESK_H_
#define LINESIGN_APPLIANCE_DAEMON_STATION_DESK_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "appliance/daemon/station_registry.h"
#include "appliance/enrollment/station_ca.h"
#include "appliance/issuance/issuance.h"
#include "appliance/ledger/group_commit.h"
#include "hsm/x509/ca_certificate.h"
#include "protocol/log/log_limit.h"
#include "stations/listener/station_service.h"

namespace linesign {

class StationDesk final : public StationService {
 public:
  // All references must outlive this object; `station_ca` also the ledger's thread.
  StationDesk(const Clock& clock,
              GroupCommit& ledger,
              Issuance& issuance,
              StationRegistry& registry,
              std::shared_ptr<const StationCa> station_ca,
              const CaCertificate& ca,
              std::chrono::seconds certificate_validity);

  Result<StationIdentity> identify(const Sha256& certificate_hash) override;
  std::vector<Bytes> issuer_chain() override;
  void issue(const StationIdentity& station,
             const IssueCall& call,
             CertificateReply reply) override;
  void fetch(const StationIdentity& station,
             const FetchCall& call,
             CertificateReply reply) override;
  void confirm(const StationIdentity& station,
               const ConfirmCall& call,
               ConfirmReply reply) override;
  void enroll(const EnrollCall& call, EnrollReply reply) override;

 private:
  void log_refusal(const Error& error, const std::string& peer, ByteView source);

  const Clock& clock_;
  GroupCommit& ledger_;
  Issuance& issuance_;
  StationRegistry& registry_;
  std::shared_ptr<const StationCa> station_ca_;
  std::vector<Bytes> issuer_chain_;
  std::chrono::seconds certificate_validity_;
  LogLimit refusals_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_STATION_DESK_H_
