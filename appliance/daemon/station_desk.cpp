#include "appliance/daemon/station_desk.h"

#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace linesign {
namespace {

// Runs inside one transaction: a token is used up together with the certificate that it bought.
Result<StationRecord> redeem(Ledger& ledger,
                             const StationCa& station_ca,
                             ByteView csr_der,
                             const Sha256& secret_hash,
                             UnixTime now,
                             std::chrono::seconds validity) {
  LS_TRY(const Csr csr, parse_csr(csr_der));
  const Sha256 key_hash = public_key_hash(csr);
  LS_TRY(StationRecord station, ledger.check_token(secret_hash, key_hash, now));
  // The same key came before and its answer was lost: it gets the same certificate.
  if (!station.certificate_der.empty()) return station;
  LS_TRY(station.certificate_der, station_ca.issue(station.name, csr_der, validity));
  LS_CHECK(ledger.activate_station(station.id, key_hash, station.certificate_der, now));
  station.state = StationState::Active;
  station.certificate_hash = sha256(station.certificate_der);
  return station;
}

}  // namespace

StationDesk::StationDesk(const Clock& clock,
                         GroupCommit& ledger,
                         Issuance& issuance,
                         StationRegistry& registry,
                         std::shared_ptr<const StationCa> station_ca,
                         const CaCertificate& ca,
                         std::chrono::seconds certificate_validity)
    : clock_(clock),
      ledger_(ledger),
      issuance_(issuance),
      registry_(registry),
      station_ca_(std::move(station_ca)),
      certificate_validity_(certificate_validity),
      refusals_(clock) {
  issuer_chain_.push_back(to_bytes(ca.der()));
  issuer_chain_.insert(issuer_chain_.end(), ca.chain_der().begin(), ca.chain_der().end());
}

Result<StationIdentity> StationDesk::identify(const Sha256& certificate_hash) {
  return registry_.identify(certificate_hash);
}

std::vector<Bytes> StationDesk::issuer_chain() { return issuer_chain_; }

void StationDesk::issue(const StationIdentity& station,
                        const IssueCall& call,
                        CertificateReply reply) {
  issuance_.issue(station, call, std::move(reply));
}

void StationDesk::fetch(const StationIdentity& station,
                        const FetchCall& call,
                        CertificateReply reply) {
  issuance_.fetch(station, call, std::move(reply));
}

void StationDesk::confirm(const StationIdentity& /*station*/,
                          const ConfirmCall& call,
                          ConfirmReply reply) {
  issuance_.confirm(call, std::move(reply));
}

void StationDesk::enroll(const EnrollCall& call, EnrollReply reply) {
  ledger_.write<StationRecord>(
      [station_ca = station_ca_,
       csr = to_bytes(call.csr_der),
       secret_hash = sha256(call.secret),
       now = clock_.now(),
       validity = certificate_validity_](Ledger& ledger) {
        return redeem(ledger, *station_ca, csr, secret_hash, now, validity);
      },
      [this,
       peer = std::string(call.peer_host),
       source = to_bytes(call.peer_source),
       reply = std::move(reply)](Result<StationRecord> redeemed) {
        if (!redeemed) {
          log_refusal(redeemed.error(), peer, source);
          reply(fail(redeemed.error()));
          return;
        }
        spdlog::info("station enrolled station={}", redeemed->name);
        registry_.update(*redeemed);
        reply(Enrolled{.station = redeemed->name,
                       .certificate_der = redeemed->certificate_der,
                       .ca_certificate_der = station_ca_->certificate_der()});
      });
}

// Nobody needs a credential to be refused, so nobody may fill the log with it.
void StationDesk::log_refusal(const Error& error, const std::string& peer, ByteView source) {
  const auto left_out = refusals_.admit(error_info(error.code()).name, as_text(source));
  if (!left_out) return;
  spdlog::warn("enrolment rejected from={} error={}{}",
               peer,
               error.to_string(),
               *left_out == 0 ? "" : fmt::format(" left_out={}", *left_out));
}

}  // namespace linesign
