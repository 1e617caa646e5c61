#include "appliance/cloud/aws/service_error.h"

#include <gtest/gtest.h>

#include "appliance/cloud/aws/error_codes.h"
#include "appliance/cloud/aws/json.h"
#include "appliance/cloud/aws/xml.h"
#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign::aws {
namespace {

TEST(ServiceError, ReadsTheFormsOfRestJson) {
  const ServiceError by_header = read_service_error(
      test::answer(409,
                   R"({"message":"exists","resourceId":"ab12","resourceArn":"arn:x"})",
                   {{"x-amzn-errortype", "ResourceAlreadyExistsException:http://internal/"},
                    {"date", "Sun, 30 Aug 2015 12:36:00 GMT"},
                    {"x-amz-retry-after", "1500"}}),
      Service::Iot);
  EXPECT_EQ(by_header.code, "ResourceAlreadyExistsException");
  EXPECT_EQ(by_header.message, "exists");
  EXPECT_EQ(by_header.resource_id, "ab12");
  EXPECT_EQ(by_header.resource_arn, "arn:x");
  EXPECT_EQ(by_header.request_id, "request-1");
  EXPECT_EQ(by_header.retry_after, std::chrono::milliseconds(1500));
  EXPECT_EQ(to_amz_date(by_header.server_time.value()), "20150830T123600Z");
  const auto code_of = [](const std::string& body) {
    return read_service_error(test::answer(400, body), Service::RolesAnywhere).code;
  };
  EXPECT_EQ(code_of(R"({"__type":"com.amazon.coral#ValidationException"})"), "ValidationException");
  EXPECT_EQ(code_of(R"({"code":"Throttling","Message":"m"})"), "Throttling");
  EXPECT_EQ(code_of("not json"), "");
}

TEST(ServiceError, ReadsTheXmlOfStsAndS3) {
  const ServiceError sts = read_service_error(
      test::answer(403,
                   "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n <Error>\n"
                   "<Type>Sender</Type><Code>AccessDenied</Code><Message>not &lt;you&gt;</Message>"
                   "</Error>\n<RequestId>1</RequestId></ErrorResponse>"),
      Service::Sts);
  EXPECT_EQ(sts.code, "AccessDenied");
  EXPECT_EQ(sts.message, "not <you>");
  HttpResponse plain;
  plain.status = 400;
  plain.body =
      "<?xml version=\"1.0\"?><Error><Code>AuthorizationHeaderMalformed</Code>"
      "<Message>wrong</Message><Region>eu-west-1</Region><RequestId>R1</RequestId></Error>";
  const ServiceError s3 = read_service_error(plain, Service::S3);
  EXPECT_EQ(s3.code, "AuthorizationHeaderMalformed");
  EXPECT_EQ(s3.region, "eu-west-1");
  EXPECT_EQ(s3.request_id, "R1");
  EXPECT_EQ(to_error(s3, "PutObject").code(), ErrorCode::AwsWrongRegion);
}

TEST(ServiceError, AnAnswerWithoutABodyIsNamedByItsStatus) {
  const auto code_of = [](int status) {
    return to_error(read_service_error(test::answer(status), Service::S3), "HeadObject").code();
  };
  EXPECT_EQ(code_of(301), ErrorCode::AwsWrongRegion);
  EXPECT_EQ(code_of(400), ErrorCode::AwsRefused);
  EXPECT_EQ(code_of(403), ErrorCode::AwsDenied);
  EXPECT_EQ(code_of(404), ErrorCode::AwsNotFound);
  EXPECT_EQ(code_of(412), ErrorCode::AwsExists);
  EXPECT_EQ(code_of(429), ErrorCode::AwsThrottled);
  EXPECT_EQ(code_of(500), ErrorCode::AwsUnavailable);
}

TEST(ServiceError, TheCodeCountsAndNotTheStatus) {
  EXPECT_EQ(meaning_of("ThrottlingException", 400).error, ErrorCode::AwsThrottled);
  EXPECT_EQ(meaning_of("LimitExceededException", 410).remedy, Remedy::None);
  EXPECT_EQ(meaning_of("NotConfiguredException", 404).error, ErrorCode::AwsRefused);
  EXPECT_EQ(meaning_of("NewException", 429).remedy, Remedy::SlowDown);
  EXPECT_EQ(meaning_of("NewException", 502).remedy, Remedy::TryAgain);
  EXPECT_EQ(meaning_of("ConditionalRequestConflict", 409).remedy, Remedy::TryAgain);
}

TEST(ServiceError, IsOnePrintableLineWithoutTheCanonicalRequest) {
  const ServiceError error = read_service_error(
      test::refusal(403,
                    "InvalidSignatureException",
                    "does not match.\\n\\nThe Canonical String was x-amz-security-token:TOKEN"),
      Service::Iot);
  EXPECT_EQ(error.message, "does not match.  The ");
  const std::string text = to_error(error, "CreateThing").detail();
  EXPECT_EQ(text.find("TOKEN"), std::string::npos);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const ServiceError longest =
      read_service_error(test::refusal(400, "A", std::string(5000, 'x')), Service::Iot);
  EXPECT_EQ(longest.message.size(), 500U);
}

TEST(Xml, FindsElementsByTheirWholeNames) {
  constexpr std::string_view kDocument =
      "<a><bb>no</bb><b x=\"1\">1 &amp; 2 &#x41;&#66; &unknown; &</b><c/><b>second</b></a>";
  EXPECT_EQ(xml_text(kDocument, {"a", "b"}), "1 & 2 AB &unknown; &");
  EXPECT_EQ(xml_text(kDocument, {"a", "c"}), "");
  EXPECT_FALSE(xml_text(kDocument, {"a", "d"}));
  for (const char* broken : {"", "<", "<a", "<a>", "<a><b", "<a><b></a>", "</a>"})
    EXPECT_FALSE(xml_text(broken, {"a", "b"})) << broken;
}

TEST(Json, ReadsWhatIsThereAndNothingElse) {
  const JsonObject object =
      JsonObject::parse(
          R"({"text":"a","number":7,"real":1623723165.331,"flag":true,"null":null,)"
          R"("texts":["a",1,"b"],"objects":[{"x":"1"},2],"map":{"k":"v","n":1},"object":{"y":"2"}})")
          .value();
  EXPECT_EQ(object.text("text"), "a");
  EXPECT_FALSE(object.text("number") || object.text("null") || object.text("missing"));
  EXPECT_EQ(object.integer("number"), 7);
  EXPECT_FALSE(object.integer("text") || object.integer("flag"));
  EXPECT_EQ(object.time("real")->time_since_epoch().count(), 1623723165);
  EXPECT_EQ(object.flag("flag"), true);
  EXPECT_EQ(object.texts("texts"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(object.objects("objects").size(), 1U);
  EXPECT_EQ(object.text_map("map"), (std::map<std::string, std::string>{{"k", "v"}}));
  EXPECT_EQ(object.object("object")->text("y"), "2");
  EXPECT_FALSE(object.required_text("number").has_value());
}

TEST(Json, RefusesWhatIsNoObjectWithoutRepeatingIt) {
  const std::string deep = std::string(500, '[') + std::string(500, ']');
  for (const std::string& text :
       {std::string(), std::string("[1]"), std::string("{\"secret"), std::string("7"), deep}) {
    const auto object = JsonObject::parse(text);
    ASSERT_FALSE(object.has_value());
    EXPECT_EQ(object.error().code(), ErrorCode::AwsAnswerUnreadable);
    EXPECT_EQ(object.error().detail().find("secret"), std::string::npos);
  }
}

TEST(Json, KeepsTheLineEndsOfPem) {
  JsonObject object;
  object.set("pem", std::string("-----BEGIN\nabc+/=\n"));
  object.set("empty", std::string());
  object.set("flag", false);
  EXPECT_EQ(JsonObject::parse(object.to_string()).value().text("pem"), "-----BEGIN\nabc+/=\n");
  EXPECT_FALSE(JsonObject::parse(object.to_string()).value().text("empty"));
  EXPECT_EQ(object.to_string().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace linesign::aws
