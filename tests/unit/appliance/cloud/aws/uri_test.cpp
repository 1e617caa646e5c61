#include "appliance/cloud/aws/uri.h"

#include <gtest/gtest.h>

#include "appliance/cloud/aws/canonical_request.h"
#include "appliance/cloud/aws/times.h"

namespace linesign::aws {
namespace {

TEST(Uri, EncodesEverythingButTheUnreserved) {
  EXPECT_EQ(percent_encode("azAZ09-._~"), "azAZ09-._~");
  EXPECT_EQ(percent_encode("a b/c+d:\xe1"), "a%20b%2Fc%2Bd%3A%E1");
  EXPECT_EQ(percent_encode("a b/c", Slash::Keep), "a%20b/c");
  EXPECT_EQ(encode_query({{"a", "1 2"}, {"b", ""}}), "a=1%202&b=");
}

TEST(Uri, ReadsTheUrlsThatEndpointsHave) {
  const Url plain = parse_url("https://IOT.eu-west-1.amazonaws.com").value();
  EXPECT_TRUE(plain.tls);
  EXPECT_EQ(plain.host, "iot.eu-west-1.amazonaws.com");
  EXPECT_EQ(plain.path, "/");
  EXPECT_EQ(host_header(plain), "iot.eu-west-1.amazonaws.com");
  const Url local = parse_url("http://[::1]:5000/base//x?a=b&c").value();
  EXPECT_EQ(host_header(local), "[::1]:5000");
  EXPECT_EQ(local.path, "/base//x");
  EXPECT_EQ(local.query, "a=b&c");
  EXPECT_EQ(to_string(local), "http://[::1]:5000/base//x?a=b&c");
  EXPECT_EQ(host_header(parse_url("https://a:443/").value()), "a");
  EXPECT_EQ(host_header(parse_url("http://a:443/").value()), "a:443");
  EXPECT_EQ(parse_url("https://a?b").value().path, "/");
}

TEST(Uri, RefusesWhatIsNoUrlAndDoesNotRepeatIt) {
  for (const char* text : {"",
                           "a.example",
                           "ftp://a/",
                           "https://",
                           "https://user:secret@a/",
                           "https://a b/",
                           "https://a/#b",
                           "https://a:0/",
                           "https://a:65536/",
                           "https://a:x/",
                           "https://a\r\nb/",
                           "https://a%20/"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url.has_value()) << text;
    EXPECT_EQ(url.error().code(), ErrorCode::AwsSettings);
    EXPECT_EQ(url.error().detail().find("secret"), std::string::npos);
  }
}

TEST(Uri, KnowsTheMachineItself) {
  EXPECT_TRUE(is_loopback("localhost"));
  EXPECT_TRUE(is_loopback("127.8.9.10"));
  EXPECT_TRUE(is_loopback("[::1]"));
  EXPECT_FALSE(is_loopback("127.evil.example"));
  EXPECT_FALSE(is_loopback("169.254.169.254"));
}

TEST(Uri, PathsLoseTheirDotsOnlyOutsideS3) {
  EXPECT_EQ(canonical_path("", PathRule::Normalize), "/");
  EXPECT_EQ(canonical_path("/a//b/./c/../d/", PathRule::Normalize), "/a/b/d/");
  EXPECT_EQ(canonical_path("/../..", PathRule::Normalize), "/");
  EXPECT_EQ(canonical_path("/things/a%3Ab", PathRule::Normalize), "/things/a%253Ab");
  EXPECT_EQ(canonical_path("/a//b/./c%20", PathRule::AsSent), "/a//b/./c%20");
}

TEST(Times, AreReadInTheFormsOfAws) {
  const UnixTime time = *parse_iso8601("2015-08-30T12:36:00Z");
  EXPECT_EQ(to_amz_date(time), "20150830T123600Z");
  EXPECT_EQ(parse_http_date("Sun, 30 Aug 2015 12:36:00 GMT"), time);
  EXPECT_EQ(parse_iso8601("2015-08-30T12:36:00.999Z"), time);
  EXPECT_EQ(parse_iso8601("2015-08-30T14:36:00+02:00"), time);
  for (const char* text : {"", "soon", "2015-08-30", "2015-13-30T12:36:00Z"})
    EXPECT_FALSE(parse_iso8601(text)) << text;
  EXPECT_FALSE(parse_http_date("yesterday"));
}

}  // namespace
}  // namespace linesign::aws
