#include "appliance/cloud/aws/credential_cache.h"

#include <future>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/base/bytes.h"
#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign::aws {
namespace {

class CredentialCacheTest : public ::testing::Test {
 protected:
  CredentialCacheTest() { world_.provider->life = std::chrono::hours(1); }
  std::string key() { return world_.cache->get().value()->access_key_id; }
  void advance(std::chrono::nanoseconds time) { world_.time.advance(time); }

  test::World world_;
};

TEST_F(CredentialCacheTest, KeepsWhatLasts) {
  world_.provider->life.reset();
  EXPECT_EQ(key(), "AKID1");
  advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(key(), "AKID1");
}

TEST_F(CredentialCacheTest, FetchesAnewFromAQuarterOfAnHourBeforeTheEnd) {
  EXPECT_EQ(key(), "AKID1");
  advance(std::chrono::minutes(44));
  EXPECT_EQ(key(), "AKID1");
  advance(std::chrono::minutes(2));
  EXPECT_EQ(key(), "AKID2");
}

TEST_F(CredentialCacheTest, ToleratesAFailureUntilTenMinutesBeforeTheEnd) {
  EXPECT_EQ(key(), "AKID1");
  world_.provider->failure = ErrorCode::AwsUnreachable;
  advance(std::chrono::minutes(46));
  EXPECT_EQ(key(), "AKID1");
  EXPECT_EQ(key(), "AKID1");
  EXPECT_EQ(world_.provider->fetches, 2) << "not at every call";
  advance(std::chrono::minutes(1));
  EXPECT_EQ(key(), "AKID1");
  EXPECT_EQ(world_.provider->fetches, 3);
  advance(std::chrono::minutes(4));
  const auto failed = world_.cache->get();
  EXPECT_EQ(failed.error().code(), ErrorCode::AwsUnreachable);
  EXPECT_EQ(failed.error().detail(), "a test: on purpose");
  world_.provider->failure.reset();
  EXPECT_EQ(key(), "AKID5");
}

TEST_F(CredentialCacheTest, DoesNotAskAllTheTimeForOnesThatLiveShortly) {
  world_.provider->life = std::chrono::minutes(8);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(key(), "AKID1");
    advance(std::chrono::minutes(1));
  }
  advance(std::chrono::minutes(2));
  EXPECT_EQ(key(), "AKID2");
}

TEST_F(CredentialCacheTest, ExpiredOnesAreNotGivenOut) {
  world_.provider->life = std::chrono::seconds(-1);
  EXPECT_EQ(world_.cache->get().error().code(), ErrorCode::AwsCredentialsExpired);
}

TEST_F(CredentialCacheTest, RenewsOnceForAllWhoAsk) {
  EXPECT_EQ(key(), "AKID1");
  EXPECT_TRUE(world_.cache->renew("AKID1").value());
  EXPECT_TRUE(world_.cache->renew("AKID1").value()) << "somebody did it already";
  EXPECT_EQ(world_.provider->fetches, 2);
  EXPECT_EQ(key(), "AKID2");
  world_.provider->failure = ErrorCode::AwsCredentialsFailed;
  EXPECT_EQ(world_.cache->renew("AKID2").error().code(), ErrorCode::AwsCredentialsFailed);
  EXPECT_EQ(key(), "AKID2");
}

// The key's id stays the same.
class CorrectedProvider final : public CredentialProvider {
 public:
  std::string source() const override { return "corrected"; }
  Result<Credentials> fetch() override {
    Credentials credentials;
    credentials.access_key_id = "AKID";
    credentials.secret_access_key = SecretBytes(to_bytes(as_bytes(secret)));
    return credentials;
  }
  std::string secret = "wrong";
};

TEST(CredentialCacheSecrets, ASecretThatWasCorrectedIsANewKey) {
  const SystemClock clock;
  auto owned = std::make_unique<CorrectedProvider>();
  CorrectedProvider* provider = owned.get();
  CredentialCache cache(std::move(owned), clock);
  ASSERT_TRUE(cache.get().has_value());
  EXPECT_FALSE(cache.renew("AKID").value());
  provider->secret = "right";
  EXPECT_TRUE(cache.renew("AKID").value());
  EXPECT_FALSE(cache.renew("AKID").value());
}

// A provider that a test holds up.
class SlowProvider final : public CredentialProvider {
 public:
  explicit SlowProvider(std::shared_future<void> may_go) : may_go_(std::move(may_go)) {}
  std::string source() const override { return "slow"; }
  Result<Credentials> fetch() override {
    ++fetches;
    if (fetches == 1) began.set_value();
    may_go_.wait();
    Credentials credentials;
    credentials.access_key_id = "AK" + std::to_string(fetches);
    return credentials;
  }
  std::promise<void> began;
  int fetches = 0;  // the cache calls one thread at a time

 private:
  std::shared_future<void> may_go_;
};

TEST(CredentialCacheThreads, AllWaitForOneFetch) {
  const SystemClock clock;
  std::promise<void> go;
  auto owned = std::make_unique<SlowProvider>(go.get_future().share());
  SlowProvider* provider = owned.get();
  CredentialCache cache(std::move(owned), clock);
  std::vector<std::string> keys(8);
  std::vector<std::thread> threads;
  for (std::string& key : keys)
    threads.emplace_back([&cache, &key] { key = cache.get().value()->access_key_id; });
  provider->began.get_future().wait();
  go.set_value();
  for (std::thread& thread : threads) thread.join();
  for (const std::string& key : keys) EXPECT_EQ(key, "AK1");
  EXPECT_EQ(provider->fetches, 1);
}

TEST(CredentialCacheThreads, TheLimiterCountsEveryCaller) {
  const SystemClock clock;
  RateLimiter limiter(clock);
  const AccountRegion where{"1", "eu-west-1"};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) {
        limiter.reserve(where, "CreateThing");
        if (j % 100 == 0) limiter.throttled(where, "CreateThing");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(limiter.status(where).at(0).calls, 8000U);
  EXPECT_EQ(limiter.status(where).at(0).throttled, 80U);
}

TEST(StoppablePause, EndsAtOnceWhenStopped) {
  StoppablePause pause;
  EXPECT_TRUE(pause.wait(std::chrono::nanoseconds(0)));
  bool was_complete = true;
  std::thread waiter([&] { was_complete = pause.wait(std::chrono::hours(1)); });
  pause.stop();
  waiter.join();
  EXPECT_FALSE(was_complete);
  EXPECT_FALSE(pause.wait(std::chrono::hours(1)));
}

}  // namespace
}  // namespace linesign::aws
