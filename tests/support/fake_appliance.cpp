#include "tests/support/fake_appliance.h"

#include <map>
#include <mutex>
#include <vector>

#include <fmt/format.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "protocol/wire/join_token.h"
#include "stations/client/der.h"
#include "stations/client/key_maker.h"
#include "stations/listener/listener.h"
#include "tests/support/loop_thread.h"
#include "tests/support/station_ca.h"

namespace linesign::test {
namespace {

Sha256 hash_of(ByteView bytes) {
  Sha256 hash{};
  SHA256(bytes.data(), bytes.size(), hash.data());
  return hash;
}

}  // namespace

// --- CsrCa ---------------------------------------------------------------------------------------

struct CsrCa::State {
  explicit State(const std::string& common_name) : ca(common_name) {}

  const MemoryCa ca;
  const Bytes der = certificate_der(ca.certificate());
};

CsrCa::CsrCa(const std::string& common_name) : state_(std::make_unique<State>(common_name)) {}

CsrCa::~CsrCa() = default;

const Bytes& CsrCa::der() const { return state_->der; }

Bytes CsrCa::issue(ByteView csr_der,
                   const std::string& common_name,
                   const std::string& purpose,
                   const std::string& dns_name) const {
  const uint8_t* cursor = csr_der.data();
  X509_REQ* request = d2i_X509_REQ(nullptr, &cursor, static_cast<long>(csr_der.size()));
  require(request != nullptr, "CSR");
  const tls::Key key(X509_REQ_get_pubkey(request));
  X509_REQ_free(request);
  require(key != nullptr, "key of the CSR");
  const tls::Certificate certificate = new_certificate(key.get(), common_name, -1, 20);
  X509* raw = certificate.get();
  X509* issuer = state_->ca.certificate();
  add_extension(raw, issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(raw, issuer, NID_ext_key_usage, purpose);
  if (!dns_name.empty()) add_extension(raw, issuer, NID_subject_alt_name, "DNS:" + dns_name);
  state_->ca.sign(raw);
  return certificate_der(raw);
}

// --- FakeAppliance -------------------------------------------------------------------------------

namespace {

struct Issued {
  RequestId request_id{};
  Bytes certificate_der;
};

Refusal refusal(ErrorCode code) { return {Error(code), std::chrono::milliseconds(0)}; }

}  // namespace

struct FakeAppliance::State final : public StationService {
  explicit State(uint32_t the_window) : window(the_window) {}

  // StationService, on the loop's thread.
  Result<StationIdentity> identify(const Sha256& certificate_hash) override;
  std::vector<Bytes> issuer_chain() override { return {device_ca.der()}; }
  void issue(const StationIdentity&, const IssueCall& call, CertificateReply reply) override;
  void fetch(const StationIdentity&, const FetchCall& call, CertificateReply reply) override;
  void confirm(const StationIdentity&, const ConfirmCall& call, ConfirmReply reply) override;
  void enroll(const EnrollCall& call, EnrollReply reply) override;

  void open_listener(const std::string& address);
  tl::expected<Bytes, Refusal> decide(const IssueCall& call);
  StationIdentity add_station(ByteView certificate_der);

  const uint32_t window;
  const CsrCa station_ca{"Test Station CA"};
  const CsrCa device_ca{"Test Device CA"};
  ListenerCredential listener_credential;
  std::unique_ptr<Listener> listener;
  uint16_t port = 0;
  Bytes secret = Bytes(kJoinSecretBytes, 0x5a);

  mutable std::mutex mutex;  // guards what follows
  std::map<Sha256, StationIdentity> stations;
  bool is_revoked = false;
  Hook hook;
  std::map<std::string, Issued, std::less<>> issued;
  size_t issue_calls = 0;
  std::string last_confirmed;
  Bytes enrolled_key;
  size_t batch_size = 0;
  std::vector<std::pair<CertificateReply, tl::expected<Bytes, Refusal>>> batch;

  LoopThread loop;  // last: it ends before what its thread uses
};

Result<StationIdentity> FakeAppliance::State::identify(const Sha256& certificate_hash) {
  const std::lock_guard lock(mutex);
  const auto found = stations.find(certificate_hash);
  if (found == stations.end()) return fail(ErrorCode::StationUnknown);
  if (is_revoked) return fail(ErrorCode::StationRevoked);
  return found->second;
}

StationIdentity FakeAppliance::State::add_station(ByteView certificate_der) {
  const std::lock_guard lock(mutex);
  const StationIdentity identity{1, "station-1"};
  stations[hash_of(certificate_der)] = identity;
  return identity;
}

tl::expected<Bytes, Refusal> FakeAppliance::State::decide(const IssueCall& call) {
  const std::lock_guard lock(mutex);
  ++issue_calls;
  if (hook) {
    const Answer answer = hook(call);
    if (answer) return *answer;
  }
  const auto found = issued.find(call.device_id);
  if (found != issued.end()) {
    if (found->second.request_id == call.request_id) return found->second.certificate_der;
    return tl::unexpected<Refusal>(refusal(ErrorCode::DeviceExists));
  }
  const std::string device_id(call.device_id);
  Bytes certificate = device_ca.issue(call.csr_der, device_id);
  issued[device_id] = {call.request_id, certificate};
  return certificate;
}

void FakeAppliance::State::issue(const StationIdentity&,
                                 const IssueCall& call,
                                 CertificateReply reply) {
  auto decision = decide(call);
  if (batch_size == 0) {
    reply(decision.map([](const Bytes& der) { return ByteView(der); }));
    return;
  }
  batch.emplace_back(std::move(reply), std::move(decision));
  if (batch.size() < batch_size) return;
  for (auto each = batch.rbegin(); each != batch.rend(); ++each)
    each->first(each->second.map([](const Bytes& der) { return ByteView(der); }));
  batch.clear();
}

void FakeAppliance::State::fetch(const StationIdentity&,
                                 const FetchCall& call,
                                 CertificateReply reply) {
  const std::lock_guard lock(mutex);
  const auto found = issued.find(call.device_id);
  if (found == issued.end())
    reply(tl::unexpected<Refusal>(refusal(ErrorCode::DeviceUnknown)));
  else
    reply(ByteView(found->second.certificate_der));
}

void FakeAppliance::State::confirm(const StationIdentity&,
                                   const ConfirmCall& call,
                                   ConfirmReply reply) {
  const std::lock_guard lock(mutex);
  const auto found = issued.find(call.device_id);
  if (found == issued.end()) return reply(tl::unexpected(refusal(ErrorCode::DeviceUnknown)));
  if (hash_of(found->second.certificate_der) != call.certificate_hash)
    return reply(tl::unexpected(refusal(ErrorCode::FieldInvalid)));
  last_confirmed = call.device_id;
  reply({});
}

void FakeAppliance::State::enroll(const EnrollCall& call, EnrollReply reply) {
  if (!equal(call.secret, secret)) return reply(fail(ErrorCode::TokenInvalid));
  const auto outline = client::outline_csr(call.csr_der);
  if (!outline) return reply(fail(ErrorCode::CsrMalformed));
  {
    const std::lock_guard lock(mutex);
    if (!enrolled_key.empty() && !equal(enrolled_key, outline->spki))
      return reply(fail(ErrorCode::TokenUsed));
    enrolled_key = to_bytes(outline->spki);
  }
  Enrolled enrolled{"station-1", station_ca.issue(call.csr_der, "station-1"), station_ca.der()};
  add_station(enrolled.certificate_der);
  reply(std::move(enrolled));
}

void FakeAppliance::State::open_listener(const std::string& address) {
  ListenerSettings settings;
  settings.address = address;
  settings.window = window;
  settings.software = "fake/1";
  auto opened = Listener::open(loop.loop(), *this, settings, listener_credential);
  require(opened.has_value(), "listen");
  listener = std::move(*opened);
  port = listener->port();
}

FakeAppliance::FakeAppliance(uint32_t window) : state_(std::make_unique<State>(window)) {
  auto maker = client::KeyMaker::open(client::KeyKind::EcP256);
  const auto server = maker->make("appliance");
  require(server.has_value(), "server key");
  const Bytes certificate =
      state_->station_ca.issue(server->csr_der, "appliance", "serverAuth", "linesign-appliance");
  const std::string ca_pem = client::to_pem("CERTIFICATE", state_->station_ca.der());
  state_->listener_credential = {client::to_pem("CERTIFICATE", certificate) + ca_pem,
                                 std::string(as_text(server->private_key_pem.reveal())),
                                 ca_pem};
  state_->loop.on_loop([this] { state_->open_listener("127.0.0.1:0"); });
}

FakeAppliance::~FakeAppliance() { stop(); }

std::string FakeAppliance::address() const { return fmt::format("127.0.0.1:{}", state_->port); }

std::string FakeAppliance::token(const std::optional<Sha256>& fingerprint) const {
  JoinToken token;
  token.expires_at = SystemClock().now() + std::chrono::hours(1);
  token.ca_fingerprint = fingerprint.value_or(hash_of(state_->station_ca.der()));
  token.secret = SecretBytes(Bytes(state_->secret));
  token.address = address();
  return encode_join_token(token);
}

StationCredential FakeAppliance::credential() {
  auto maker = client::KeyMaker::open(client::KeyKind::EcP256);
  auto made = maker->make("station-1");
  require(made.has_value(), "station key");
  const Bytes certificate = state_->station_ca.issue(made->csr_der, "station-1");
  state_->add_station(certificate);
  StationCredential credential;
  credential.station = "station-1";
  credential.address = address();
  credential.certificate_pem = client::to_pem("CERTIFICATE", certificate);
  credential.private_key_pem = std::move(made->private_key_pem);
  credential.appliance_ca_pem = state_->listener_credential.station_ca_pem;
  return credential;
}

const CsrCa& FakeAppliance::device_ca() const { return state_->device_ca; }

Bytes FakeAppliance::issue_before(const std::string& device_id, ByteView csr_der) {
  const std::lock_guard lock(state_->mutex);
  Bytes certificate = state_->device_ca.issue(csr_der, device_id);
  state_->issued[device_id] = {RequestId{}, certificate};
  return certificate;
}

void FakeAppliance::set_hook(Hook hook) {
  const std::lock_guard lock(state_->mutex);
  state_->hook = std::move(hook);
}

void FakeAppliance::set_reversed_batches(size_t size) {
  state_->loop.on_loop([this, size] { state_->batch_size = size; });
}

void FakeAppliance::revoke() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_revoked = true;
  }
  state_->loop.on_loop(
      [this] { state_->listener->close_station(1, Error(ErrorCode::StationRevoked)); });
}

void FakeAppliance::cut_sessions(ErrorCode why) {
  state_->loop.on_loop([&] { state_->listener->close_station(1, Error(why)); });
}

void FakeAppliance::stop() {
  state_->loop.on_loop([this] { state_->listener.reset(); });
}

void FakeAppliance::restart() {
  const std::string same_address = address();
  state_->loop.on_loop([this, same_address] {
    state_->listener.reset();
    state_->open_listener(same_address);
  });
}

size_t FakeAppliance::issue_calls() const {
  const std::lock_guard lock(state_->mutex);
  return state_->issue_calls;
}

size_t FakeAppliance::devices() const {
  const std::lock_guard lock(state_->mutex);
  return state_->issued.size();
}

size_t FakeAppliance::connections() const {
  size_t accepted = 0;
  state_->loop.on_loop([this, &accepted] { accepted = state_->listener->counters().accepted; });
  return accepted;
}

std::string FakeAppliance::last_confirmed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->last_confirmed;
}

}  // namespace linesign::test
