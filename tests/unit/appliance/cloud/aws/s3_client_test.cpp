#include "appliance/cloud/aws/s3_client.h"

#include <fcntl.h>

#include <fstream>

#include <gtest/gtest.h>

#include "appliance/cloud/aws/digests.h"
#include "appliance/cloud/aws/session.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign::aws {
namespace {

// "hello\n"
constexpr const char* kHelloHex =
    "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
constexpr const char* kHelloBase64 = "WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM=";

class S3ClientTest : public ::testing::Test {
 protected:
  void SetUp() override { std::ofstream(file_) << "hello\n"; }
  HttpRequest& last() { return world_.transport.requests.back(); }
  // What a transport does with a sink and these pieces.
  static test::FakeTransport::Answer body(std::vector<std::string> pieces) {
    return [pieces](const HttpRequest& request) -> Result<HttpResponse> {
      LS_CHECK(request.sink({}));
      for (const std::string& piece : pieces) LS_CHECK(request.sink(piece));
      return test::answer(200);
    };
  }

  TempDir dir_;
  const std::filesystem::path file_ = dir_.path() / "manifest.ndjson";
  const std::filesystem::path report_ = dir_.path() / "report.ndjson";
  test::World world_;
  Settings settings_;
  S3Client s3_{world_.parts(), settings_, "eu-west-1"};
};

TEST_F(S3ClientTest, UploadsAFileThatMustNotExistYet) {
  S3Upload upload{{"lots", "a b/c+d//e.ndjson"}, file_};
  upload.kms_key_id = "key-1";
  upload.expected_owner = "123456789012";
  world_.transport.then(test::answer(200));
  EXPECT_EQ(s3_.upload(upload).value(), UploadOutcome::Created);
  EXPECT_EQ(last().method, "PUT");
  EXPECT_EQ(to_string(last().url), "https://lots.s3.eu-west-1.amazonaws.com/a%20b/c%2Bd//e.ndjson");
  EXPECT_EQ(test::header_of(last(), "if-none-match"), "*");
  EXPECT_EQ(test::header_of(last(), "x-amz-checksum-sha256"), kHelloBase64);
  EXPECT_EQ(test::header_of(last(), "x-amz-content-sha256"), kHelloHex);
  EXPECT_EQ(test::header_of(last(), "content-type"), "application/x-ndjson");
  EXPECT_EQ(test::header_of(last(), "x-amz-server-side-encryption"), "aws:kms");
  EXPECT_EQ(test::header_of(last(), "x-amz-server-side-encryption-aws-kms-key-id"), "key-1");
  EXPECT_EQ(test::header_of(last(), "x-amz-expected-bucket-owner"), "123456789012");
  ASSERT_TRUE(last().body_file.has_value());
  EXPECT_EQ(last().body_file->size_bytes, 6U);
}

TEST_F(S3ClientTest, AnObjectThatIsThereIsLeftAlone) {
  world_.transport.then(
      test::answer(412, "<Error><Code>PreconditionFailed</Code><Message>m</Message></Error>"));
  EXPECT_EQ(s3_.upload({{"lots", "k"}, file_}).value(), UploadOutcome::Existed);
  // Two at the same time: S3 wants one of them again.
  world_.transport.then(test::answer(409, "<Error><Code>ConditionalRequestConflict</Code></Error>"))
      .then(test::answer(200));
  EXPECT_EQ(s3_.upload({{"lots", "k"}, file_}).value(), UploadOutcome::Created);
}

TEST_F(S3ClientTest, GoesWhereTheBucketIs) {
  HttpResponse elsewhere = test::answer(
      301, "<Error><Code>PermanentRedirect</Code></Error>", {{"x-amz-bucket-region", "us-west-2"}});
  world_.transport.then(elsewhere).then(test::answer(200));
  EXPECT_EQ(s3_.upload({{"lots", "k"}, file_}).value(), UploadOutcome::Created);
  EXPECT_EQ(last().url.host, "lots.s3.us-west-2.amazonaws.com");
  EXPECT_NE(test::header_of(last(), "authorization").find("/us-west-2/s3/"), std::string::npos);
  // Once only, and never to a host that an answer makes up.
  world_.transport.then(elsewhere).then(elsewhere);
  EXPECT_EQ(s3_.head_bucket("lots").error().code(), ErrorCode::AwsWrongRegion);
  elsewhere.headers.at(0).value = "evil.example/";
  const size_t before = world_.transport.requests.size();
  world_.transport.then(elsewhere);
  EXPECT_EQ(s3_.head_bucket("lots").error().code(), ErrorCode::AwsWrongRegion);
  EXPECT_EQ(world_.transport.requests.size(), before + 1);
}

TEST_F(S3ClientTest, LooksAtObjectsAndBuckets) {
  world_.transport.then(test::answer(
      200,
      "",
      {{"content-length", "6"}, {"etag", "\"e\""}, {"x-amz-checksum-sha256", kHelloBase64}}));
  const S3Object object = s3_.head_object({"my.dotted.bucket", "k"}).value();
  EXPECT_EQ(last().method, "HEAD");
  EXPECT_EQ(to_string(last().url), "https://s3.eu-west-1.amazonaws.com/my.dotted.bucket/k");
  EXPECT_EQ(test::header_of(last(), "x-amz-checksum-mode"), "ENABLED");
  EXPECT_EQ(object.size_bytes, 6U);
  EXPECT_EQ(object.checksum_sha256, kHelloBase64);
  world_.transport.then(test::answer(404));
  EXPECT_EQ(s3_.head_object({"lots", "k"}).error().code(), ErrorCode::AwsNotFound);
  world_.transport.then(test::answer(200, "", {{"x-amz-bucket-region", "eu-west-1"}}));
  EXPECT_EQ(s3_.head_bucket("lots").value(), "eu-west-1");
  EXPECT_EQ(to_string(last().url), "https://lots.s3.eu-west-1.amazonaws.com/");
}

TEST_F(S3ClientTest, DeletesAnObjectOfItsOwner) {
  world_.transport.then(test::answer(204, "", {{"content-type", "text/html"}}));
  ASSERT_TRUE(s3_.delete_object({"lots", "a/b"}, "123456789012").has_value());
  EXPECT_EQ(last().method, "DELETE");
  EXPECT_EQ(to_string(last().url), "https://lots.s3.eu-west-1.amazonaws.com/a/b");
  EXPECT_EQ(test::header_of(last(), "x-amz-expected-bucket-owner"), "123456789012");
  world_.transport.then(test::answer(403, "<Error><Code>AccessDenied</Code></Error>"));
  EXPECT_EQ(s3_.delete_object({"lots", "k"}, "").error().code(), ErrorCode::AwsDenied);
}

TEST_F(S3ClientTest, RefusesNamesAndFilesThatS3CannotTake) {
  EXPECT_EQ(s3_.upload({{"Lots", "k"}, file_}).error().code(), ErrorCode::InputInvalid);
  EXPECT_EQ(s3_.upload({{"lots/../x", "k"}, file_}).error().code(), ErrorCode::InputInvalid);
  EXPECT_EQ(s3_.upload({{"lots", ""}, file_}).error().code(), ErrorCode::InputInvalid);
  EXPECT_EQ(s3_.upload({{"lots", "k"}, dir_.path() / "none"}).error().code(), ErrorCode::Io);
  EXPECT_TRUE(world_.transport.requests.empty());
}

TEST_F(S3ClientTest, FetchesAReportWithoutCredentials) {
  const std::string url =
      "https://reports.s3.eu-west-1.amazonaws.com/r%20x?X-Amz-Signature=secret&b=%2F";
  // The first try breaks off in the middle; nothing of it stays.
  world_.transport
      .then([](const HttpRequest& request) -> Result<HttpResponse> {
        LS_CHECK(request.sink({}));
        LS_CHECK(request.sink("half of"));
        return fail(ErrorCode::AwsConnectionLost);
      })
      .then(body({"line 1\n", "line 2\n"}));
  EXPECT_EQ(s3_.download(url, report_, 1000).value(), 14U);
  EXPECT_EQ(read_text(report_), "line 1\nline 2\n");
  EXPECT_EQ(to_string(last().url), url);
  EXPECT_TRUE(last().headers.empty());
  EXPECT_EQ(last().max_answer_bytes, 1000U);
}

TEST_F(S3ClientTest, AReportThatFailsLeavesNoFileAndShowsNoUrl) {
  world_.transport.then(test::answer(
      403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"));
  const auto size = s3_.download("https://r.example/x?X-Amz-Signature=secret", report_, 1000);
  EXPECT_EQ(size.error().code(), ErrorCode::AwsUnavailable) << "nobody lacks a permission";
  EXPECT_NE(size.error().detail().find("Request has expired"), std::string::npos);
  EXPECT_EQ(size.error().detail().find("secret"), std::string::npos);
  for (const char* url : {"http://r.example/x", "file:///etc/passwd", ""})
    EXPECT_FALSE(s3_.download(url, report_, 1000).has_value());
  EXPECT_EQ(world_.transport.requests.size(), 1U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_.path()), {}), 1);
}

TEST(Digests, OfFilesFollowTheirSize) {
  const TempDir dir;
  const auto path = dir.path() / "f";
  std::ofstream(path) << std::string(200'000, 'x');
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(sha256_of_file(fd.get(), 200'000).value(), sha256(as_bytes(std::string(200'000, 'x'))));
  EXPECT_EQ(sha256_of_file(fd.get(), 5).value(), sha256(as_bytes("xxxxx")));
  EXPECT_EQ(sha256_of_file(fd.get(), 200'001).error().code(), ErrorCode::Io);
  EXPECT_EQ(to_base64(as_bytes("a")), "YQ==");
  EXPECT_EQ(to_base64({}), "");
}

TEST(Session, PutsEverythingTogether) {
  test::FakeTime time;
  RateLimiter limiter(time);
  auto transport = std::make_shared<test::FakeTransport>();
  SessionOptions options;
  options.overrides.region = "eu-central-1";
  options.account = "123456789012";
  options.quotas["DescribeThing"] = 1000;
  const Environment environment({{"AWS_ACCESS_KEY_ID", "AK"}, {"AWS_SECRET_ACCESS_KEY", "S"}});
  const auto session =
      Session::open_with(environment, std::move(options), {limiter, time, time}, transport).value();
  transport->then(test::answer(200, R"({"thingName":"a"})"));
  IotClient iot = session->iot().value();
  EXPECT_TRUE(iot.describe_thing("a").has_value());
  EXPECT_EQ(transport->requests.at(0).url.host, "iot.eu-central-1.amazonaws.com");
  EXPECT_EQ(limiter.status(session->where()).at(0).full_per_second, 800);
  transport->then(test::answer(200));
  EXPECT_TRUE(session->s3().head_bucket("lots").has_value());
  EXPECT_EQ(transport->requests.at(1).url.host, "lots.s3.eu-central-1.amazonaws.com");
  EXPECT_EQ(session->credentials().source(), "the environment");
}

TEST(Session, NeedsARegion) {
  test::FakeTime time;
  RateLimiter limiter(time);
  const auto session = Session::open(Environment(), {}, {limiter, time, time});
  EXPECT_EQ(session.error().code(), ErrorCode::AwsSettings);
}

}  // namespace
}  // namespace linesign::aws
