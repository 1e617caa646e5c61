// FakeAppliance: the real station port with a small appliance behind it: a thread with an event
// loop and a Listener, a station CA, and a device CA in software. It keeps the promises of the real
// one (the same request gives the same bytes, one identity per device) and can be told to
// misbehave.
//
// Errors   none: what fails here aborts the test program
// Threads  everything here may be called by the test's thread; a hook is called on the loop's and
//          must not call back
#ifndef LINESIGN_TESTS_SUPPORT_FAKE_APPLIANCE_H_
#define LINESIGN_TESTS_SUPPORT_FAKE_APPLIANCE_H_

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "protocol/base/bytes.h"
#include "protocol/base/ids.h"
#include "stations/client/station_client.h"
#include "stations/listener/station_service.h"

namespace linesign::test {

// A CA in software that signs whatever key a CSR carries.
class CsrCa final {
 public:
  explicit CsrCa(const std::string& common_name);
  CsrCa(const CsrCa&) = delete;
  CsrCa& operator=(const CsrCa&) = delete;
  ~CsrCa();

  const Bytes& der() const;
  // `purpose`: extendedKeyUsage; `dns_name` may be empty.
  Bytes issue(ByteView csr_der,
              const std::string& common_name,
              const std::string& purpose = "clientAuth",
              const std::string& dns_name = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

inline tl::unexpected<Refusal> refuse(ErrorCode code, std::chrono::milliseconds retry_after = {}) {
  return tl::unexpected<Refusal>(Refusal{Error(code), retry_after});
}

class FakeAppliance final {
 public:
  // Instead of the ordinary answer: a refusal, or other certificate bytes. Absent: as usual.
  using Answer = std::optional<tl::expected<Bytes, Refusal>>;
  using Hook = std::function<Answer(const IssueCall& call)>;

  explicit FakeAppliance(uint32_t window = 64);
  FakeAppliance(const FakeAppliance&) = delete;
  FakeAppliance& operator=(const FakeAppliance&) = delete;
  ~FakeAppliance();

  std::string address() const;
  // A token that works for one key, with the right fingerprint unless told otherwise.
  std::string token(const std::optional<Sha256>& fingerprint = {}) const;
  // A station that is enrolled already.
  StationCredential credential();

  const CsrCa& device_ca() const;
  // An issue that did not come through a station: "the request before the crash".
  Bytes issue_before(const std::string& device_id, ByteView csr_der);

  void set_hook(Hook hook);
  // Answers leave in batches of so many, last one first. 0: at once.
  void set_reversed_batches(size_t size);
  void revoke();  // cuts the sessions too
  // Each ends with a Goodbye.
  void cut_sessions(ErrorCode why = ErrorCode::Draining);
  void stop();     // nobody listens any more
  void restart();  // listens again, at the same port

  size_t issue_calls() const;  // IssueRequests that came, repetitions included
  size_t devices() const;      // certified
  size_t connections() const;  // accepted since the last restart
  std::string last_confirmed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_FAKE_APPLIANCE_H_
