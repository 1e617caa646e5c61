// Fakes for everything around a Client: time that passes when somebody waits, and a transport that
// answers as a test says.
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_AWS_FAKES_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_AWS_FAKES_H_

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "appliance/cloud/aws/client.h"
#include "appliance/cloud/aws/times.h"

namespace linesign::aws::test {

constexpr UnixTime kNow{std::chrono::seconds(1'800'000'000)};  // 2027-01-15T08:00:00Z

// One thread.
class FakeTime final : public Clock, public Pause {
 public:
  UnixTime now() const override { return now_ + std::chrono::floor<std::chrono::seconds>(passed_); }
  SteadyTime steady() const override { return SteadyTime(std::chrono::hours(1)) + passed_; }
  bool wait(std::chrono::nanoseconds time) override {
    if (time.count() > 0) waits.push_back(time);
    passed_ += time;
    return !is_stopped;
  }
  void advance(std::chrono::nanoseconds time) { passed_ += time; }
  void set(UnixTime now) { now_ = now; }

  std::vector<std::chrono::nanoseconds> waits;
  bool is_stopped = false;

 private:
  UnixTime now_ = kNow;
  std::chrono::nanoseconds passed_{0};
};

// "Fri, 15 Jan 2027 08:00:00 GMT"; the day of the week is not looked at.
std::string http_date(UnixTime time);

HttpResponse answer(int status, std::string body = {}, std::vector<HttpHeader> more = {});
// As AWS IoT refuses.
HttpResponse refusal(int status, const std::string& code, const std::string& message = "no");

class FakeTransport final : public HttpTransport {
 public:
  using Answer = std::function<Result<HttpResponse>(const HttpRequest&)>;

  Result<HttpResponse> send(const HttpRequest& request) override {
    const std::lock_guard lock(mutex_);
    requests.push_back(request);
    if (answers_.empty()) return otherwise(request);
    const Answer next = std::move(answers_.front());
    answers_.pop_front();
    return next(request);
  }

  // Answers in this order; after them `otherwise`.
  FakeTransport& then(HttpResponse response) {
    return then([response](const HttpRequest&) -> Result<HttpResponse> { return response; });
  }
  FakeTransport& then(ErrorCode code) {
    return then([code](const HttpRequest&) -> Result<HttpResponse> { return fail(code, "fake"); });
  }
  FakeTransport& then(Answer answer) {
    answers_.push_back(std::move(answer));
    return *this;
  }

  std::vector<HttpRequest> requests;
  Answer otherwise = [](const HttpRequest&) -> Result<HttpResponse> { return answer(200, "{}"); };

 private:
  std::mutex mutex_;
  std::deque<Answer> answers_;
};

// Of a request as it went out; empty: there is none.
std::string header_of(const HttpRequest& request, const std::string& lower_name);

// A provider that counts, and gives key "AKID1", "AKID2", … with secret and token.
class FakeProvider final : public CredentialProvider {
 public:
  explicit FakeProvider(const Clock& clock) : clock_(clock) {}
  std::string source() const override { return "a test"; }
  Result<Credentials> fetch() override;

  std::optional<std::chrono::seconds> life;  // absent: for ever
  std::optional<ErrorCode> failure;
  bool keeps_key = false;
  int fetches = 0;

 private:
  const Clock& clock_;
};

// A client with all of its parts.
struct World {
  World();
  ClientParts parts();

  FakeTime time;
  FakeTransport transport;
  RateLimiter limiter{time};
  ClockSkew skew;
  std::shared_ptr<RetryQuota> quota = std::make_shared<RetryQuota>();
  FakeProvider* provider = nullptr;  // inside the cache
  std::shared_ptr<CredentialCache> cache;
  AccountRegion where{"123456789012", "eu-west-1"};
};

// The endpoint of a service in eu-west-1.
Endpoint endpoint_of(Service service);

}  // namespace linesign::aws::test

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_AWS_FAKES_H_
