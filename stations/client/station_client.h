// StationClient: the public API of the station library: enrol a station once, then ask the
// appliance for device certificates.
//
//   auto credential = linesign::StationCredential::load("/etc/line-7");
//   auto client = linesign::StationClient::connect(*credential);
//   auto certificate = (*client)->request_certificate("unit-000042", csr_der);
//
// Every call that can fail returns a Result: a value, or an Error with a stable code and a kind.
// Kind Retry: the same call may succeed later. Everything else needs a change first.
//
// Two ways to ask:
//   one at a time   request_certificate() blocks, waits when the appliance is busy, and connects
//                   again when the connection is lost.
//   a stream        submit() up to window() requests, take the answers with next() in any order,
//                   and send a request again, unchanged, when its answer says TryLater or when the
//                   connection was lost. An unchanged request never makes a second certificate.
//
// Threads  one client belongs to one thread at a time; different clients are independent
// Limits   device id 64 bytes, CSR 8192 bytes, window() requests unanswered at once
// Errors   ConnectFailed, ConnectionClosed, TlsFailed, PeerNotTrusted, StationRevoked, NotEnrolled;
//          what the appliance refuses comes with its own code
// Source   docs/station-client.md; docs/station-protocol.md tells what goes over the wire
#ifndef LINESIGN_STATIONS_CLIENT_STATION_CLIENT_H_
#define LINESIGN_STATIONS_CLIENT_STATION_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/error.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace linesign {

// --- Who this station is -------------------------------------------------------------------------

// The contents of a credential folder: station.key, station.pem, appliance-ca.pem, appliance.toml.
struct StationCredential {
  std::string station;  // the name under which it was enrolled
  std::string address;  // of the appliance, host:port
  UnixTime not_before{};
  UnixTime not_after{};
  std::string certificate_pem;
  SecretBytes private_key_pem;
  std::string appliance_ca_pem;

  // NotEnrolled when the folder is absent, incomplete, or its parts do not belong together.
  static Result<StationCredential> load(const std::filesystem::path& directory);
};

struct EnrollOptions {
  bool overwrite = false;  // replace the credential of a folder that is enrolled already
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
};

// Makes the station's key in `directory` (made if absent), sends its CSR with the token's secret
// and stores what comes back. After any failure, also a power cut, the same call with the same
// token goes on with the same key. TokenInvalid, TokenUsed, TokenExpired, PeerNotTrusted,
// FileExists, ConnectFailed, Io.
Result<StationCredential> enroll_station(std::string_view token,
                                         const std::filesystem::path& directory,
                                         const EnrollOptions& options = {});

// --- Requests ------------------------------------------------------------------------------------

// The first 16 bytes of SHA-256("linesign request 1" 00 order 00 device 00 csr): the same request
// has the same id on every station and after every restart.
RequestId make_request_id(std::string_view order_id, std::string_view device_id, ByteView csr_der);

struct IssueRequest {
  RequestId request_id{};
  std::string order_id;
  std::string device_id;
  Bytes csr_der;

  // Fills in the request id.
  static IssueRequest make(std::string_view device_id,
                           ByteView csr_der,
                           std::string_view order_id = "default");
};

enum class IssueStatus : uint8_t {
  Issued = 1,    // certificate_der is set
  Refused = 2,   // the same request will never succeed; see failure
  TryLater = 3,  // send the same request again after failure.retry_after
};

// What the appliance said instead of yes.
struct ApplianceFailure {
  uint32_t number = 0;  // docs/errors.md
  std::string name;
  std::string message;
  std::chrono::milliseconds retry_after{0};

  // As an Error. A number that this version does not know becomes InputInvalid (or Busy, for
  // TryLater) with the number and the name in its detail.
  Error to_error(IssueStatus status) const;
};

struct IssueReply {
  RequestId request_id{};
  IssueStatus status = IssueStatus::Refused;
  Bytes certificate_der;
  ApplianceFailure failure;
};

// A certification request from a file, as DER. The file may hold DER or PEM, also with a byte order
// mark, in UTF-16, indented, with "\n" instead of line breaks, or with line ends behind DER.
struct LoadedCsr {
  Bytes der;
  std::string common_name;    // of the subject; empty if it has none
  std::string serial_number;  // the attribute serialNumber of the subject; empty if it has none
};

// Io, CsrEmpty, CsrTooLarge, CsrMalformed, CsrTrailingBytes. The appliance checks the rest.
Result<LoadedCsr> load_csr(const std::filesystem::path& path);

// --- The connection ------------------------------------------------------------------------------

struct ClientOptions {
  std::string address;                        // instead of the one in the credential folder
  std::string software = "linesign-station";  // for the log of the appliance, at most 64 bytes
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);  // until Welcome
  // After this much silence next() asks whether the appliance is still there; after twice as much
  // the connection counts as lost.
  std::chrono::milliseconds keep_alive = std::chrono::seconds(20);
  // When this descriptor becomes readable, a call that waits returns Interrupted. -1: none.
  int cancel_descriptor = -1;
};

class StationClient final {
 public:
  // Connects and introduces the station. The credential is not needed afterwards.
  static Result<std::unique_ptr<StationClient>> connect(const StationCredential& credential,
                                                        const ClientOptions& options = {});
  StationClient(const StationClient&) = delete;
  StationClient& operator=(const StationClient&) = delete;
  ~StationClient();

  const std::string& station() const;              // as the appliance calls it
  uint32_t window() const;                         // how many requests may be unanswered at once
  const std::vector<Bytes>& issuer_chain() const;  // DER; first the CA that signs devices
  std::string chain_pem(ByteView certificate_der) const;  // the certificate, then issuer_chain()

  // One certificate, whatever it takes: waits while the appliance is busy, connects again when the
  // connection is lost, and checks that the certificate fits the CSR and the issuer. A device that
  // has a certificate for this very key gets that one. REQUIRES: in_flight() is 0.
  Result<Bytes> request_certificate(std::string_view device_id,
                                    ByteView csr_der,
                                    std::string_view order_id = "default",
                                    std::chrono::milliseconds give_up = std::chrono::minutes(2));

  // CertificateWrong unless the certificate carries the key of the CSR and issuer_chain() vouches
  // for it.
  Result<void> check_certificate(ByteView csr_der, ByteView certificate_der) const;

  // Queues a request and sends what the socket takes; never waits. What is left goes out with
  // flush() or next(). Busy when window() requests are unanswered.
  Result<void> submit(const IssueRequest& request);

  // Asks again for a certificate that exists; answered by next() under request.request_id. The CSR
  // is not used.
  Result<void> submit_fetch(const IssueRequest& request);

  // Sends what the socket takes, without waiting.
  Result<void> flush();

  // The next answer, or nothing within `timeout`. An error means that the connection is lost and
  // that what was unanswered is to be submitted again after reconnect().
  Result<std::optional<IssueReply>> next(std::chrono::milliseconds timeout);

  size_t in_flight() const;  // submitted and not answered

  // Drops the connection, connects again. Answers that next() has not returned are lost with it.
  Result<void> reconnect();

  // For programs with a loop of their own: wait until descriptor() is readable (or writable, while
  // has_unsent()), then call next(0) until it returns nothing. -1: not connected.
  int descriptor() const;
  bool has_unsent() const;

  // Each sends and waits for its own answer; answers of submitted requests are kept for next().
  Result<Bytes> fetch(std::string_view device_id, std::string_view order_id = "default");
  // The device holds its certificate: `proof` is the SHA-256 of the certificate's DER as read back.
  Result<void> confirm(std::string_view device_id,
                       const Sha256& proof,
                       std::string_view order_id = "default");
  Result<std::chrono::microseconds> ping();  // the round trip

 private:
  class Implementation;
  explicit StationClient(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace linesign

#endif  // LINESIGN_STATIONS_CLIENT_STATION_CLIENT_H_
