#include "stations/client/station_client.h"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "stations/client/client_session.h"
#include "stations/client/der.h"
#include "stations/transport/tls_context.h"

namespace linesign {
namespace {

// TLS tells only that the appliance does not accept the certificate of this station.
Error explain(const Error& error, const StationCredential& credential) {
  const UnixTime time = SystemClock().now();
  if (error.code() != ErrorCode::TlsFailed || time < credential.not_after) return error;
  return error.with_context(
      fmt::format("this station's certificate ended at {} (this machine's time is {}); enroll "
                  "again, or set the clock",
                  to_iso8601(credential.not_after),
                  to_iso8601(time)));
}

}  // namespace

// --- Values --------------------------------------------------------------------------------------

RequestId make_request_id(std::string_view order_id, std::string_view device_id, ByteView csr_der) {
  constexpr std::string_view kPurpose = "linesign request 1";
  std::string message;
  message.reserve(kPurpose.size() + order_id.size() + device_id.size() + csr_der.size() + 3);
  message.append(kPurpose).push_back('\0');
  message.append(order_id).push_back('\0');
  message.append(device_id).push_back('\0');
  message.append(as_text(csr_der));
  Sha256 hash{};
  EVP_Digest(message.data(), message.size(), hash.data(), nullptr, EVP_sha256(), nullptr);
  RequestId id{};
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

IssueRequest IssueRequest::make(std::string_view device_id,
                                ByteView csr_der,
                                std::string_view order_id) {
  return {make_request_id(order_id, device_id, csr_der),
          std::string(order_id),
          std::string(device_id),
          to_bytes(csr_der)};
}

// --- The public face -----------------------------------------------------------------------------

class StationClient::Implementation final : public client::ClientSession {
 public:
  using ClientSession::ClientSession;
};

StationClient::StationClient(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
StationClient::~StationClient() = default;

Result<std::unique_ptr<StationClient>> StationClient::connect(const StationCredential& credential,
                                                              const ClientOptions& options) {
  const TlsCredential own = {credential.certificate_pem,
                             as_text(credential.private_key_pem.reveal())};
  LS_TRY(TlsContext context, TlsContext::for_station(own, credential.appliance_ca_pem));
  auto implementation = std::make_unique<Implementation>(
      std::move(context), options.address.empty() ? credential.address : options.address, options);
  const auto connected = implementation->connect();
  if (!connected.has_value()) return fail(explain(connected.error(), credential));
  return std::unique_ptr<StationClient>(new StationClient(std::move(implementation)));
}

const std::string& StationClient::station() const { return implementation_->station_name(); }
uint32_t StationClient::window() const { return implementation_->window(); }
const std::vector<Bytes>& StationClient::issuer_chain() const {
  return implementation_->issuer_chain();
}

std::string StationClient::chain_pem(ByteView certificate_der) const {
  std::string pem = client::to_pem("CERTIFICATE", certificate_der);
  for (const Bytes& issuer : issuer_chain()) pem += client::to_pem("CERTIFICATE", issuer);
  return pem;
}

Result<Bytes> StationClient::request_certificate(std::string_view device_id,
                                                 ByteView csr_der,
                                                 std::string_view order_id,
                                                 std::chrono::milliseconds give_up) {
  return implementation_->request_certificate(IssueRequest::make(device_id, csr_der, order_id),
                                              client::steady_now() + give_up);
}

Result<void> StationClient::check_certificate(ByteView csr_der, ByteView certificate_der) const {
  return implementation_->check(csr_der, certificate_der);
}

Result<void> StationClient::submit(const IssueRequest& request) {
  return implementation_->submit(request, false);
}
Result<void> StationClient::submit_fetch(const IssueRequest& request) {
  return implementation_->submit(request, true);
}
Result<void> StationClient::flush() { return implementation_->flush(); }
Result<std::optional<IssueReply>> StationClient::next(std::chrono::milliseconds timeout) {
  return implementation_->next(client::steady_now() + timeout);
}
size_t StationClient::in_flight() const { return implementation_->in_flight(); }
Result<void> StationClient::reconnect() { return implementation_->connect(); }
int StationClient::descriptor() const { return implementation_->descriptor(); }
bool StationClient::has_unsent() const { return implementation_->has_unsent(); }

Result<Bytes> StationClient::fetch(std::string_view device_id, std::string_view order_id) {
  return implementation_->fetch(device_id, order_id);
}
Result<void> StationClient::confirm(std::string_view device_id,
                                    const Sha256& proof,
                                    std::string_view order_id) {
  return implementation_->confirm(device_id, proof, order_id);
}
Result<std::chrono::microseconds> StationClient::ping() { return implementation_->ping(); }

}  // namespace linesign
