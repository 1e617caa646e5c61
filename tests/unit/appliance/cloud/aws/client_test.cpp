// What a Client does with each kind of answer, and with none.
#include "appliance/cloud/aws/client.h"

#include <numeric>

#include <gtest/gtest.h>

#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign::aws {
namespace {

using test::answer;
using test::refusal;

class ClientTest : public ::testing::Test {
 protected:
  static Call describe() {
    Call call;
    call.operation = "DescribeThing";
    call.endpoint = test::endpoint_of(Service::Iot);
    call.path = "/things/a%3Ab";
    return call;
  }
  static Call start_task() {
    Call call = describe();
    call.operation = "StartThingRegistrationTask";
    call.method = "POST";
    call.repeatable = false;
    return call;
  }

  size_t sent() const { return world_.transport.requests.size(); }
  ErrorCode code_of(const Call& call) {
    const auto response = client_.call(call);
    return response.has_value() ? ErrorCode::Internal : response.error().code();
  }
  double rate_of(const std::string& operation) {
    for (const RateStatus& row : world_.limiter.status(world_.where)) {
      if (row.operation == operation) return row.per_second;
    }
    return 0;
  }

  test::World world_;
  Client client_{world_.parts()};
};

TEST_F(ClientTest, SignsWhatItSends) {
  Call call = describe();
  call.query = {{"b", "x y"}, {"a", "1"}};
  call.headers = {{"x-amzn-principal", "arn:x"}};
  ASSERT_TRUE(client_.call(call).has_value());
  const HttpRequest& request = world_.transport.requests.at(0);
  EXPECT_EQ(to_string(request.url), "https://iot.eu-west-1.amazonaws.com/things/a%3Ab?b=x%20y&a=1");
  EXPECT_EQ(test::header_of(request, "x-amz-date"), "20270115T080000Z");
  EXPECT_EQ(test::header_of(request, "x-amz-security-token"), "the-session-token");
  EXPECT_TRUE(test::header_of(request, "authorization")
                  .starts_with("AWS4-HMAC-SHA256 "
                               "Credential=AKID1/20270115/eu-west-1/iot/aws4_request, "
                               "SignedHeaders=host;x-amz-date;x-amz-security-token;"
                               "x-amzn-principal, Signature="));
  EXPECT_EQ(test::header_of(request, "x-amz-content-sha256"), "");
}

TEST_F(ClientTest, S3GetsTheHashOfTheBodyInAHeader) {
  Call call = describe();
  call.endpoint = test::endpoint_of(Service::S3);
  ASSERT_TRUE(client_.call(call).has_value());
  EXPECT_EQ(test::header_of(world_.transport.requests.at(0), "x-amz-content-sha256"),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_F(ClientTest, WaitsAndSlowsDownWhenThrottled) {
  world_.transport.then(refusal(400, "ThrottlingException"))
      .then(refusal(429, "Anything"))
      .then(answer(200, "{}"));
  ASSERT_TRUE(client_.call(describe()).has_value());
  EXPECT_EQ(sent(), 3U);
  EXPECT_LT(rate_of("DescribeThing"), 350 * 0.8);
  EXPECT_EQ(world_.limiter.status(world_.where).at(0).throttled, 2U);
}

TEST_F(ClientTest, GivesUpAfterItsAttempts) {
  for (int i = 0; i < 5; ++i) world_.transport.then(refusal(400, "ThrottlingException", "slow"));
  const auto response = client_.call(describe());
  EXPECT_EQ(response.error().code(), ErrorCode::AwsThrottled);
  EXPECT_EQ(response.error().detail(),
            "DescribeThing: ThrottlingException: slow (HTTP 400, request request-1)");
  EXPECT_EQ(sent(), 3U);
  EXPECT_EQ(client_.service_error()->code, "ThrottlingException");
}

TEST_F(ClientTest, WaitsAsLongAsTheServerWishes) {
  HttpResponse busy = refusal(503, "ServiceUnavailableException");
  busy.headers.push_back({"x-amz-retry-after", "4000"});
  world_.transport.then(busy).then(answer(200, "{}"));
  ASSERT_TRUE(client_.call(describe()).has_value());
  ASSERT_EQ(world_.time.waits.size(), 1U);
  EXPECT_EQ(world_.time.waits.at(0), std::chrono::seconds(4));
}

TEST_F(ClientTest, NeverRepeatsAHardLimitOrARefusal) {
  for (const auto& [status, code, expected] :
       {std::tuple(410, "LimitExceededException", ErrorCode::AwsQuota),
        std::tuple(400, "InvalidRequestException", ErrorCode::AwsRefused),
        std::tuple(400, "CertificateValidationException", ErrorCode::AwsRefused),
        std::tuple(403, "AccessDeniedException", ErrorCode::AwsDenied),
        std::tuple(404, "ResourceNotFoundException", ErrorCode::AwsNotFound),
        std::tuple(409, "ResourceAlreadyExistsException", ErrorCode::AwsExists),
        std::tuple(409, "CertificateConflictException", ErrorCode::AwsConflict),
        std::tuple(406, "CertificateStateException", ErrorCode::AwsConflict),
        std::tuple(418, "SomethingNewException", ErrorCode::AwsRefused)}) {
    const size_t before = sent();
    world_.transport.then(refusal(status, code));
    EXPECT_EQ(code_of(describe()), expected) << code;
    EXPECT_EQ(sent(), before + 1) << code;
  }
}

TEST_F(ClientTest, RepeatsWhatTheNetworkLost) {
  for (const ErrorCode lost : {ErrorCode::AwsUnreachable,
                               ErrorCode::AwsTimeout,
                               ErrorCode::AwsConnectionLost,
                               ErrorCode::AwsAnswerUnreadable}) {
    world_.transport.then(lost);
    EXPECT_TRUE(client_.call(describe()).has_value());
  }
  for (const ErrorCode hopeless :
       {ErrorCode::AwsNotTrusted, ErrorCode::AwsAnswerInvalid, ErrorCode::AwsSettings}) {
    const size_t before = sent();
    world_.transport.then(hopeless);
    EXPECT_EQ(code_of(describe()), hopeless);
    EXPECT_EQ(sent(), before + 1);
  }
}

TEST_F(ClientTest, DoesNotRepeatACallThatMayHaveHadItsEffect) {
  for (const ErrorCode lost :
       {ErrorCode::AwsTimeout, ErrorCode::AwsConnectionLost, ErrorCode::AwsAnswerUnreadable}) {
    const size_t before = sent();
    world_.transport.then(lost);
    EXPECT_EQ(code_of(start_task()), lost);
    EXPECT_EQ(sent(), before + 1);
  }
  world_.transport.then(refusal(500, "InternalFailureException"));
  EXPECT_EQ(code_of(start_task()), ErrorCode::AwsUnavailable);
  // But what never left, and what AWS did not even look at.
  world_.transport.then(ErrorCode::AwsUnreachable).then(refusal(400, "ThrottlingException"));
  EXPECT_TRUE(client_.call(start_task()).has_value());
  for (const HttpRequest& request : world_.transport.requests) EXPECT_TRUE(request.own_connection);
}

TEST_F(ClientTest, TakesOverTheServersClockOnce) {
  const UnixTime there = test::kNow + std::chrono::minutes(10);
  HttpResponse skewed = refusal(403, "RequestTimeTooSkewed");
  skewed.headers.push_back({"date", test::http_date(there)});
  world_.transport.then(skewed).then(answer(200, "{}"));
  ASSERT_TRUE(client_.call(describe()).has_value());
  EXPECT_EQ(test::header_of(world_.transport.requests.at(1), "x-amz-date"), "20270115T081000Z");
  for (const auto wait : world_.time.waits) EXPECT_LT(wait, std::chrono::milliseconds(10));
  // The next call begins with it; another host knows nothing of it.
  ASSERT_TRUE(client_.call(describe()).has_value());
  EXPECT_EQ(test::header_of(world_.transport.requests.at(2), "x-amz-date"), "20270115T081000Z");
  Call elsewhere = describe();
  elsewhere.endpoint = test::endpoint_of(Service::Sts);
  ASSERT_TRUE(client_.call(elsewhere).has_value());
  EXPECT_EQ(test::header_of(world_.transport.requests.at(3), "x-amz-date"), "20270115T080000Z");
}

TEST_F(ClientTest, ReportsAClockThatStaysWrong) {
  HttpResponse skewed = refusal(403, "RequestTimeTooSkewed");
  skewed.headers.push_back({"date", test::http_date(test::kNow + std::chrono::hours(3))});
  world_.transport.then(skewed).then(skewed);
  EXPECT_EQ(code_of(describe()), ErrorCode::AwsClockSkew);
  EXPECT_EQ(sent(), 2U);
}

TEST_F(ClientTest, AWrongSignatureIsAWrongKeyThatIsReadOnceMoreUnlessTheClocksDiffer) {
  HttpResponse wrong =
      refusal(403, "InvalidSignatureException", "no. The Canonical String …secret");
  wrong.headers.push_back({"date", test::http_date(test::kNow + std::chrono::minutes(3))});
  world_.transport.then(wrong).then(wrong);
  const auto response = client_.call(describe());
  EXPECT_EQ(response.error().code(), ErrorCode::AwsCredentialsRefused);
  EXPECT_EQ(response.error().detail().find("secret"), std::string::npos);
  EXPECT_EQ(sent(), 2U);
  wrong.headers.back().value = test::http_date(test::kNow + std::chrono::minutes(6));
  world_.transport.then(wrong).then(answer(200, "{}"));
  EXPECT_TRUE(client_.call(describe()).has_value());
}

TEST_F(ClientTest, FetchesNewCredentialsOnceWhenTheOldHaveExpired) {
  world_.transport.then(refusal(403, "ExpiredTokenException")).then(answer(200, "{}"));
  ASSERT_TRUE(client_.call(describe()).has_value());
  EXPECT_NE(test::header_of(world_.transport.requests.at(1), "authorization").find("AKID2"),
            std::string::npos);
  world_.transport.then(refusal(403, "ExpiredTokenException"))
      .then(refusal(403, "ExpiredTokenException"));
  EXPECT_EQ(code_of(describe()), ErrorCode::AwsCredentialsExpired);
  EXPECT_EQ(world_.provider->fetches, 3);
}

TEST_F(ClientTest, FetchesNewCredentialsOnceWhenAwsDoesNotKnowTheOldAnyMore) {
  for (const char* code : {"UnrecognizedClientException", "InvalidClientTokenId"}) {
    world_.transport.then(refusal(403, code)).then(answer(200, "{}"));
    EXPECT_TRUE(client_.call(describe()).has_value()) << code;
  }
  world_.provider->keeps_key = true;
  ASSERT_TRUE(world_.cache->renew("AKID3").value());
  const size_t before = sent();
  world_.transport.then(refusal(403, "UnrecognizedClientException"));
  EXPECT_EQ(code_of(describe()), ErrorCode::AwsCredentialsRefused);
  EXPECT_EQ(sent(), before + 1) << "there is no newer one";
}

TEST_F(ClientTest, SaysWhyThereAreNoNewCredentials) {
  ASSERT_TRUE(world_.cache->get().has_value());
  world_.provider->failure = ErrorCode::AwsSettings;
  world_.transport.then(refusal(403, "ExpiredTokenException"));
  EXPECT_EQ(code_of(describe()), ErrorCode::AwsSettings);
}

TEST_F(ClientTest, DoesNotAskAgainWithTheSameExpiredKey) {
  world_.provider->keeps_key = true;
  world_.transport.then(refusal(403, "ExpiredTokenException"));
  EXPECT_EQ(code_of(describe()), ErrorCode::AwsCredentialsExpired);
  EXPECT_EQ(sent(), 1U);
}

TEST_F(ClientTest, SendsNothingWithoutCredentials) {
  world_.provider->failure = ErrorCode::AwsCredentialsMissing;
  EXPECT_EQ(code_of(describe()), ErrorCode::AwsCredentialsMissing);
  EXPECT_EQ(sent(), 0U);
}

TEST_F(ClientTest, DoesNotTakeALoginPageForAnAnswer) {
  HttpResponse page;
  page.status = 200;
  page.headers = {{"content-type", "text/html; charset=utf-8"}};
  page.body = "<html>Please log in</html>";
  HttpResponse silent;
  silent.status = 200;
  HttpResponse elsewhere;
  elsewhere.status = 302;
  elsewhere.headers = {{"location", "http://portal.example/"}};
  HttpResponse network_login;
  network_login.status = 511;
  HttpResponse html_with_id = answer(200, "  <!DOCTYPE html>…");
  for (const HttpResponse& each : {page, silent, elsewhere, network_login, html_with_id}) {
    const size_t before = sent();
    world_.transport.then(each);
    EXPECT_EQ(code_of(describe()), ErrorCode::AwsNotAws);
    EXPECT_EQ(sent(), before + 1);
  }
}

TEST_F(ClientTest, ARefusalThatSaysNothingIsAskedForAgain) {
  for (const int status : {400, 404, 409}) {
    world_.transport.then(answer(status, "{\"mess")).then(answer(200, "{}"));
    EXPECT_TRUE(client_.call(describe()).has_value()) << status;
  }
  const size_t before = sent();
  world_.transport.then(answer(400, "?")).then(answer(400, "?")).then(answer(400, "?"));
  EXPECT_EQ(code_of(describe()), ErrorCode::AwsAnswerUnreadable);
  EXPECT_EQ(sent(), before + 3);
  world_.transport.then(answer(403, "?"));
  EXPECT_EQ(code_of(describe()), ErrorCode::AwsDenied) << "this status says enough";
}

TEST_F(ClientTest, TheTypeOfAWebPageOnAnAnswerOfAwsMakesItNoLoginPage) {
  const std::vector<HttpHeader> html = {{"content-type", "text/html"}};
  for (const char* body : {"", " \r\n", "{}", "<?xml version=\"1.0\"?><a/>"}) {
    world_.transport.then(answer(200, body, html));
    EXPECT_TRUE(client_.call(describe()).has_value()) << body;
  }
  world_.transport.then(answer(200, "Please log in", html));
  EXPECT_EQ(code_of(describe()), ErrorCode::AwsNotAws);
}

TEST_F(ClientTest, RepeatsWhenALoadBalancerFailsInHtml) {
  HttpResponse page;
  page.status = 503;
  page.headers = {{"content-type", "text/html"}};
  page.body = "<html>Service Unavailable</html>";
  world_.transport.then(page).then(answer(200, "{}"));
  EXPECT_TRUE(client_.call(describe()).has_value());
}

TEST_F(ClientTest, StopsAtOnceWhenAsked) {
  world_.time.is_stopped = true;
  EXPECT_EQ(code_of(describe()), ErrorCode::Interrupted);
  EXPECT_EQ(sent(), 0U);
}

TEST_F(ClientTest, AsksOnceOnlyWhenTheQuotaForRetriesIsGone) {
  world_.transport.otherwise = [](const HttpRequest&) -> Result<HttpResponse> {
    return fail(ErrorCode::AwsTimeout, "fake");
  };
  while (world_.quota->left() >= RetryQuota::kTimeoutCost) code_of(describe());
  const size_t before = sent();
  EXPECT_EQ(code_of(describe()), ErrorCode::AwsTimeout);
  EXPECT_EQ(sent(), before + 1);
  // Each success gives one back.
  world_.transport.otherwise = [](const HttpRequest&) -> Result<HttpResponse> {
    return answer(200, "{}");
  };
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client_.call(describe()).has_value());
  EXPECT_EQ(world_.quota->left(), 20);
}

TEST_F(ClientTest, KeepsToTheRate) {
  Call call = describe();
  call.operation = "RegisterCertificate";
  for (int i = 0; i < 81; ++i) ASSERT_TRUE(client_.call(call).has_value());
  const auto waited = std::accumulate(
      world_.time.waits.begin(), world_.time.waits.end(), std::chrono::nanoseconds(0));
  EXPECT_NEAR(std::chrono::duration<double>(waited).count(), 10.0, 0.3);  // 8 a second
}

}  // namespace
}  // namespace linesign::aws
