// StationService: what the appliance does for stations, as the listener sees it.
//
// The listener owns sockets, TLS and sessions; the service owns all decisions. The appliance
// implements this interface; tests bring a fake.
//
// Threads  every call and every reply on the event loop's thread
// Ownership  request views are valid during the call only
#ifndef LINESIGN_STATIONS_LISTENER_STATION_SERVICE_H_
#define LINESIGN_STATIONS_LISTENER_STATION_SERVICE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "protocol/base/bytes.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign {

// A station whose certificate the station CA signed.
struct StationIdentity {
  int64_t id = 0;  // of the ledger
  std::string name;
};

struct IssueCall {
  RequestId request_id{};
  std::string_view order_id;   // checked: check_order_id
  std::string_view device_id;  // checked: check_device_id
  ByteView csr_der;            // checked: 1 to kMaxCsrBytes
};

struct FetchCall {
  std::string_view order_id;
  std::string_view device_id;
};

struct ConfirmCall {
  std::string_view order_id;
  std::string_view device_id;
  Sha256 certificate_hash{};
};

struct EnrollCall {
  ByteView secret;             // checked: 1 to 64 bytes
  ByteView csr_der;            // checked: 1 to kMaxCsrBytes
  std::string_view peer_host;  // for the log: whoever asks has not shown yet who it is
  ByteView peer_source;        // for limits: the bytes of its address that it cannot choose
};

struct Enrolled {
  std::string station;
  Bytes certificate_der;
  Bytes ca_certificate_der;
};

// An error and, for kind Retry, when to come again.
struct Refusal {
  Error error;
  std::chrono::milliseconds retry_after{0};
};

// The certificate's DER is only good during the call. A reply may be called after its session is
// gone: then it does nothing and returns false. Called once; true: handed to the session.
using CertificateReply = std::function<bool(tl::expected<ByteView, Refusal>)>;
using ConfirmReply = std::function<void(tl::expected<void, Refusal>)>;
using EnrollReply = std::function<void(Result<Enrolled>)>;

class StationService {
 public:
  StationService() = default;
  StationService(const StationService&) = delete;
  StationService& operator=(const StationService&) = delete;
  virtual ~StationService() = default;

  // Who holds the certificate with this SHA-256 over its DER? TLS has verified its chain and time.
  // StationUnknown, StationRevoked.
  virtual Result<StationIdentity> identify(const Sha256& certificate_hash) = 0;

  // DER certificates for Welcome: the issuing CA first.
  virtual std::vector<Bytes> issuer_chain() = 0;

  virtual void issue(const StationIdentity& station,
                     const IssueCall& call,
                     CertificateReply reply) = 0;
  virtual void fetch(const StationIdentity& station,
                     const FetchCall& call,
                     CertificateReply reply) = 0;
  virtual void confirm(const StationIdentity& station,
                       const ConfirmCall& call,
                       ConfirmReply reply) = 0;
  virtual void enroll(const EnrollCall& call, EnrollReply reply) = 0;
};

}  // namespace linesign

#endif  // LINESIGN_STATIONS_LISTENER_STATION_SERVICE_H_
