// The form of each call to AWS IoT, and what becomes of its answer.
#include "appliance/cloud/aws/iot_client.h"

#include <functional>

#include <gtest/gtest.h>

#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign::aws {
namespace {

const std::string kId(64, 'a');
const std::string kArn = "arn:aws:iot:eu-west-1:123456789012:cert/" + kId;

class IotClientTest : public ::testing::Test {
 protected:
  // Method, path with query, and body of the last request.
  std::string sent() const {
    const HttpRequest& request = world_.transport.requests.back();
    std::string text = request.method + " " + request.url.path;
    if (!request.url.query.empty()) text += "?" + request.url.query;
    return request.body.empty() ? text : text + " " + request.body;
  }
  void answer_with(const std::string& body) { world_.transport.then(test::answer(200, body)); }

  test::World world_;
  IotClient iot_{world_.parts(), test::endpoint_of(Service::Iot)};
};

TEST_F(IotClientTest, RegistersACaInDefaultMode) {
  CaRegistration ca;
  ca.ca_pem = "CA\n";
  ca.verification_pem = "V\n";
  ca.allow_auto_registration = true;
  ca.config = {"", "{}", "arn:role"};
  ca.tags = {{"plant", "7"}};
  answer_with(R"({"certificateArn":"arn:ca","certificateId":"AB"})");
  const Registered registered = iot_.register_ca(ca).value();
  EXPECT_EQ(registered.id, "ab");
  EXPECT_FALSE(registered.existed);
  EXPECT_EQ(
      sent(),
      "POST /cacertificate?setAsActive=true&allowAutoRegistration=true "
      R"({"caCertificate":"CA\n","verificationCertificate":"V\n","certificateMode":"DEFAULT",)"
      R"("registrationConfig":{"templateBody":"{}","roleArn":"arn:role"},)"
      R"("tags":[{"Key":"plant","Value":"7"}]})");
  EXPECT_EQ(test::header_of(world_.transport.requests.back(), "content-type"), "application/json");
}

TEST_F(IotClientTest, RegistersACaForSniOnlyWithoutAVerificationCertificate) {
  CaRegistration ca;
  ca.ca_pem = "CA";
  ca.mode = CertificateMode::SniOnly;
  ca.set_active = false;
  answer_with(R"({"certificateId":"ab"})");
  ASSERT_TRUE(iot_.register_ca(ca).has_value());
  EXPECT_EQ(sent(),
            "POST /cacertificate?setAsActive=false&allowAutoRegistration=false "
            R"({"caCertificate":"CA","certificateMode":"SNI_ONLY"})");
}

TEST_F(IotClientTest, WhatExistsAlreadyIsSaidAndNotAnError) {
  const HttpResponse exists =
      test::answer(409,
                   R"({"message":"m","resourceId":"ABCD","resourceArn":"arn:x"})",
                   {{"x-amzn-errortype", "ResourceAlreadyExistsException"}});
  for (int way = 0; way < 3; ++way) {
    world_.transport.then(exists);
    const auto registered =
        way == 0   ? iot_.register_ca({})
        : way == 1 ? iot_.register_certificate("P", "", CertificateStatus::Active)
                   : iot_.register_certificate_without_ca("P", CertificateStatus::Active);
    ASSERT_TRUE(registered.has_value());
    EXPECT_TRUE(registered->existed);
    EXPECT_EQ(registered->id, "abcd");
    EXPECT_EQ(registered->arn, "arn:x");
  }
  // Without an id nothing could be compared.
  world_.transport.then(test::refusal(409, "ResourceAlreadyExistsException"));
  EXPECT_EQ(iot_.register_ca({}).error().code(), ErrorCode::AwsExists);
  world_.transport.then(test::refusal(409, "CertificateConflictException"));
  EXPECT_EQ(iot_.register_certificate("P", "", CertificateStatus::Active).error().code(),
            ErrorCode::AwsConflict);
  EXPECT_EQ(iot_.service_error()->code, "CertificateConflictException");
}

TEST_F(IotClientTest, DescribesACa) {
  answer_with(
      R"({"certificateDescription":{"certificateArn":"arn:ca","certificateId":"ab","status":"ACTIVE",)"
      R"("certificatePem":"P","ownedBy":"123456789012","creationDate":1623723165.331,)"
      R"("autoRegistrationStatus":"ENABLE","validity":{"notBefore":1600000000,"notAfter":1700000000.5},)"
      R"("certificateMode":"SNI_ONLY"},"registrationConfig":{"templateName":"t"}})");
  const CaDescription ca = iot_.describe_ca(kId).value();
  EXPECT_EQ(sent(), "GET /cacertificate/" + kId);
  EXPECT_EQ(ca.status, CertificateStatus::Active);
  EXPECT_EQ(ca.mode, CertificateMode::SniOnly);
  EXPECT_TRUE(ca.has_auto_registration);
  EXPECT_EQ(ca.owner, "123456789012");
  EXPECT_EQ(ca.created_at->time_since_epoch().count(), 1623723165);
  EXPECT_EQ(ca.not_after->time_since_epoch().count(), 1700000000);
  EXPECT_EQ(ca.config, (RegistrationConfig{"t", "", ""}));
  answer_with(R"({"certificateDescription":{"certificateId":"ab","status":"NEW"}})");
  const CaDescription least = iot_.describe_ca(kId).value();
  EXPECT_EQ(least.status, CertificateStatus::Other);
  EXPECT_EQ(least.mode, CertificateMode::Default);
  EXPECT_FALSE(least.has_auto_registration);
  answer_with("{}");
  EXPECT_EQ(iot_.describe_ca(kId).error().code(), ErrorCode::AwsAnswerUnreadable);
}

TEST_F(IotClientTest, ChangesAndDeletesACa) {
  CaUpdate update;
  update.status = CertificateStatus::Inactive;
  update.auto_registration = false;
  ASSERT_TRUE(iot_.update_ca("ab", update).has_value());
  EXPECT_EQ(sent(),
            "PUT /cacertificate/ab?newStatus=INACTIVE&newAutoRegistrationStatus=DISABLE {}");
  update = {};
  update.auto_registration = true;
  update.config.template_name = "jitp";
  ASSERT_TRUE(iot_.update_ca("ab", update).has_value());
  EXPECT_EQ(sent(),
            "PUT /cacertificate/ab?newAutoRegistrationStatus=ENABLE "
            R"({"registrationConfig":{"templateName":"jitp"}})");
  update = {};
  update.remove_auto_registration = true;
  ASSERT_TRUE(iot_.update_ca("ab", update).has_value());
  EXPECT_EQ(sent(), R"(PUT /cacertificate/ab {"removeAutoRegistration":true})");
  world_.transport.then(test::answer(200));
  ASSERT_TRUE(iot_.delete_ca("ab").has_value());
  EXPECT_EQ(sent(), "DELETE /cacertificate/ab");
}

TEST_F(IotClientTest, ListsInPages) {
  const std::string page =
      R"({"certificates":[{"certificateArn":"arn:1","certificateId":"AB","status":"INACTIVE",)"
      R"("certificateMode":"SNI_ONLY","creationDate":5}],"nextMarker":"m+/="})";
  answer_with(page);
  const auto first = iot_.list_certificates_by_ca(kId).value();
  EXPECT_EQ(sent(), "GET /certificates-by-ca/" + kId + "?pageSize=250");
  ASSERT_EQ(first.items.size(), 1U);
  EXPECT_EQ(first.items[0].id, "ab");
  EXPECT_EQ(first.items[0].mode, CertificateMode::SniOnly);
  EXPECT_EQ(first.next, "m+/=");
  answer_with(R"({"certificates":[]})");
  EXPECT_EQ(iot_.list_certificates_by_ca(kId, first.next, 25).value().next, "");
  EXPECT_EQ(sent(), "GET /certificates-by-ca/" + kId + "?pageSize=25&marker=m%2B%2F%3D");
  answer_with(page);
  ASSERT_TRUE(iot_.list_cas().has_value());
  EXPECT_EQ(sent(), "GET /cacertificates?pageSize=250");
  answer_with(page);
  ASSERT_TRUE(iot_.list_certificates("x").has_value());
  EXPECT_EQ(sent(), "GET /certificates?pageSize=250&marker=x");
}

TEST_F(IotClientTest, RegistersDescribesAndChangesACertificate) {
  answer_with(R"({"certificateArn":"arn:c","certificateId":"cd"})");
  EXPECT_EQ(iot_.register_certificate("P\n", "CA\n", CertificateStatus::Inactive).value().id, "cd");
  EXPECT_EQ(sent(),
            "POST /certificate/register "
            R"({"certificatePem":"P\n","caCertificatePem":"CA\n","status":"INACTIVE"})");
  answer_with(R"({"certificateArn":"arn:c","certificateId":"cd"})");
  ASSERT_TRUE(iot_.register_certificate_without_ca("P", CertificateStatus::Active).has_value());
  EXPECT_EQ(sent(), R"(POST /certificate/register-no-ca {"certificatePem":"P","status":"ACTIVE"})");
  answer_with(
      R"({"certificateDescription":{"certificateArn":"arn:c","certificateId":"cd","caCertificateId":"CA",)"
      R"("status":"PENDING_ACTIVATION","certificatePem":"P","ownedBy":"1","certificateMode":"DEFAULT"}})");
  const CertificateDescription certificate = iot_.describe_certificate("cd").value();
  EXPECT_EQ(sent(), "GET /certificates/cd");
  EXPECT_EQ(certificate.summary.status, CertificateStatus::PendingActivation);
  EXPECT_EQ(certificate.ca_id, "ca");
  world_.transport.then(test::answer(200));
  ASSERT_TRUE(iot_.update_certificate("cd", CertificateStatus::Revoked).has_value());
  EXPECT_EQ(sent(), "PUT /certificates/cd?newStatus=REVOKED");
}

TEST_F(IotClientTest, MakesAThingAndTiesItToItsCertificate) {
  answer_with(R"({"thingName":"dev:1","thingArn":"arn:t","thingId":"i"})");
  const ThingDescription thing =
      iot_.create_thing({"dev:1", "line-device", {{"batch", "B7"}, {"serial", "1"}}}).value();
  EXPECT_EQ(
      sent(),
      "POST /things/dev%3A1 "
      R"({"thingTypeName":"line-device","attributePayload":{"attributes":{"batch":"B7","serial":"1"}}})");
  EXPECT_EQ(thing.arn, "arn:t");
  answer_with(R"({"thingName":"a"})");
  ASSERT_TRUE(iot_.create_thing({"a", "", {}}).has_value());
  EXPECT_EQ(sent(), "POST /things/a {}");
  world_.transport.then(test::refusal(409, "ResourceAlreadyExistsException"));
  EXPECT_EQ(iot_.create_thing({"a", "", {}}).error().code(), ErrorCode::AwsExists);

  world_.transport.then(test::answer(200));
  ASSERT_TRUE(iot_.attach_thing_principal("dev:1", kArn, true).has_value());
  EXPECT_EQ(sent(), "PUT /things/dev%3A1/principals?thingPrincipalType=EXCLUSIVE_THING");
  EXPECT_EQ(test::header_of(world_.transport.requests.back(), "x-amzn-principal"), kArn);
  answer_with(R"({"principals":["arn:1","arn:2"],"nextToken":"n"})");
  EXPECT_EQ(iot_.list_thing_principals("dev:1").value().items.size(), 2U);
  EXPECT_EQ(sent(), "GET /things/dev%3A1/principals?maxResults=250");
  answer_with(R"({"thingName":"dev:1","thingTypeName":"t","attributes":{"a":"b"},"version":3})");
  const ThingDescription described = iot_.describe_thing("dev:1").value();
  EXPECT_EQ(described.thing.attributes.at("a"), "b");
  EXPECT_EQ(described.version, 3);
}

TEST_F(IotClientTest, AttachesPoliciesAndGroups) {
  world_.transport.then(test::answer(200));
  ASSERT_TRUE(iot_.attach_policy("line,policy=1@x", kArn).has_value());
  EXPECT_EQ(sent(), "PUT /target-policies/line%2Cpolicy%3D1%40x {\"target\":\"" + kArn + "\"}");
  answer_with(R"({"policies":[{"policyName":"p","policyArn":"arn:p"}],"nextMarker":null})");
  const auto policies = iot_.list_attached_policies(kArn).value();
  EXPECT_EQ(policies.items.at(0).name, "p");
  EXPECT_EQ(policies.next, "");
  EXPECT_EQ(world_.transport.requests.back().url.path,
            "/attached-policies/arn%3Aaws%3Aiot%3Aeu-west-1%3A123456789012%3Acert%2F" + kId);
  EXPECT_EQ(world_.transport.requests.back().method, "POST");
  ASSERT_TRUE(iot_.add_thing_to_group("dev:1", "line").has_value());
  EXPECT_EQ(
      sent(),
      R"(PUT /thing-groups/addThingToThingGroup {"thingGroupName":"line","thingName":"dev:1"})");
}

TEST_F(IotClientTest, LooksAtWhatMustBeThere) {
  answer_with(
      R"({"policyName":"p","policyArn":"arn:p","policyDocument":"{}","defaultVersionId":"2"})");
  EXPECT_EQ(iot_.get_policy("p").value().version_id, "2");
  EXPECT_EQ(sent(), "GET /policies/p");
  answer_with(R"({"thingTypeName":"t","thingTypeMetadata":{"deprecated":true}})");
  EXPECT_TRUE(iot_.describe_thing_type("t").value().is_deprecated);
  EXPECT_EQ(sent(), "GET /thing-types/t");
  answer_with(R"({"thingGroupName":"g","queryString":"x:1"})");
  EXPECT_TRUE(iot_.describe_thing_group("g").value().is_dynamic);
  EXPECT_EQ(sent(), "GET /thing-groups/g");
  answer_with(R"({"registrationCode":"c0de"})");
  EXPECT_EQ(iot_.registration_code().value(), "c0de");
  EXPECT_EQ(sent(), "GET /registrationcode");
  answer_with(R"({"endpointAddress":"abc-ats.iot.eu-west-1.amazonaws.com"})");
  EXPECT_EQ(iot_.describe_endpoint("iot:Data-ATS").value(), "abc-ats.iot.eu-west-1.amazonaws.com");
  EXPECT_EQ(sent(), "GET /endpoint?endpointType=iot%3AData-ATS");
  world_.transport.then(test::refusal(404, "ResourceNotFoundException"));
  EXPECT_EQ(iot_.get_policy("p").error().code(), ErrorCode::AwsNotFound);
}

TEST_F(IotClientTest, StartsATaskOnceAndFollowsIt) {
  answer_with(R"({"taskId":"t1"})");
  EXPECT_EQ(iot_.start_task({"{}", "lots", "a/b.ndjson", "arn:role"}).value(), "t1");
  EXPECT_EQ(
      sent(),
      "POST /thing-registration-tasks "
      R"({"templateBody":"{}","inputFileBucket":"lots","inputFileKey":"a/b.ndjson","roleArn":"arn:role"})");
  const size_t before = world_.transport.requests.size();
  world_.transport.then(ErrorCode::AwsConnectionLost);
  EXPECT_EQ(iot_.start_task({}).error().code(), ErrorCode::AwsConnectionLost);
  EXPECT_EQ(world_.transport.requests.size(), before + 1);
  answer_with(
      R"({"taskId":"t1","status":"Completed","message":"a\nb","inputFileBucket":"lots",)"
      R"("inputFileKey":"k","successCount":995,"failureCount":5,"percentageProgress":100,"creationDate":9})");
  const TaskDescription task = iot_.describe_task("t1").value();
  EXPECT_EQ(sent(), "GET /thing-registration-tasks/t1");
  EXPECT_EQ(task.status, TaskStatus::Completed);
  EXPECT_EQ(task.message, "a b");
  EXPECT_EQ(task.succeeded, 995);
  EXPECT_EQ(task.failed, 5);
  EXPECT_EQ(task.percent, 100);
  answer_with(R"({"taskIds":["t1","t2"]})");
  EXPECT_EQ(iot_.list_tasks(TaskStatus::InProgress, "n").value().items.size(), 2U);
  EXPECT_EQ(sent(), "GET /thing-registration-tasks?maxResults=250&status=InProgress&nextToken=n");
  answer_with(R"({"resourceLinks":["https://a"],"reportType":"ERRORS"})");
  EXPECT_EQ(iot_.list_task_reports("t1", ReportType::Errors).value().items.at(0), "https://a");
  EXPECT_EQ(sent(), "GET /thing-registration-tasks/t1/reports?reportType=ERRORS&maxResults=250");
  world_.transport.then(test::answer(200));
  ASSERT_TRUE(iot_.stop_task("t1").has_value());
  EXPECT_EQ(sent(), "PUT /thing-registration-tasks/t1/cancel");
}

TEST_F(IotClientTest, MakesAndReadsATemplate) {
  answer_with(R"({"templateArn":"arn:tpl","templateName":"t"})");
  EXPECT_EQ(iot_.create_template({"t", "{}", "arn:role", TemplateType::Jitp, true, ""}).value(),
            "arn:tpl");
  EXPECT_EQ(sent(),
            "POST /provisioning-templates "
            R"({"templateName":"t","templateBody":"{}","enabled":true,)"
            R"("provisioningRoleArn":"arn:role","type":"JITP"})");
  answer_with(
      R"({"templateName":"t","templateBody":"{}","enabled":false,"provisioningRoleArn":"r","type":"JITP"})");
  const ProvisioningTemplate found = iot_.describe_template("t").value();
  EXPECT_EQ(found.type, TemplateType::Jitp);
  EXPECT_FALSE(found.is_enabled);
}

TEST_F(IotClientTest, AnAnswerThatIsNotWhatWasAskedForCannotBeRead) {
  const std::vector<std::function<ErrorCode()>> calls = {
      [&] { return iot_.registration_code().error().code(); },
      [&] { return iot_.register_ca({}).error().code(); },
      [&] { return iot_.describe_certificate("a").error().code(); },
      [&] {
        return iot_.create_thing({"a", "", {}}).error().code();
      },
      [&] { return iot_.start_task({}).error().code(); },
      [&] { return iot_.describe_endpoint("iot:Jobs").error().code(); }};
  for (const auto& call : calls) {
    for (const char* body : {"", "[]", "{}", "{\"certificateId\":7}", "null"}) {
      answer_with(body);
      EXPECT_EQ(call(), ErrorCode::AwsAnswerUnreadable) << body;
    }
  }
}

TEST_F(IotClientTest, AnAnswerThatCannotBeReadIsAskedForAgain) {
  const std::string nested = std::string(100'000, '[');
  const std::string objects = [] {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += "{\"a\":";
    return text;
  }();
  const std::vector<std::string> bodies = {
      "{\"certificateId\":\"a", "", "[]", "null", "{}", "{\"certificateId\":7}", nested, objects};
  for (const std::string& body : bodies) {
    answer_with(body);
    answer_with(R"({"certificateId":"AB","certificateArn":"arn:x"})");
    EXPECT_EQ(iot_.register_certificate("P", "", CertificateStatus::Active).value().id, "ab")
        << body.substr(0, 20);
  }
}

TEST_F(IotClientTest, ACallThatHangsDoesNotKeepItsDeviceForLong) {
  answer_with("{}");
  static_cast<void>(iot_.registration_code());
  EXPECT_LE(world_.transport.requests.at(0).timeouts.total, std::chrono::seconds(20));
}

// One device, as the uploader registers it. Call number `step` goes wrong once, each time in
// another way; the sequence is then run again from its beginning, if it was not finished.
TEST_F(IotClientTest, ADeviceIsRegisteredWhicheverCallGoesWrong) {
  const auto register_device = [this]() -> Result<void> {
    LS_CHECK(iot_.register_certificate("P", "", CertificateStatus::Active));
    LS_CHECK(iot_.create_thing({"a", "", {}}));
    LS_CHECK(iot_.attach_thing_principal("a", kArn, true));
    return iot_.attach_policy("p", kArn);
  };
  const std::vector<test::FakeTransport::Answer> faults = {
      [](const HttpRequest&) -> Result<HttpResponse> { return fail(ErrorCode::AwsUnreachable); },
      [](const HttpRequest&) -> Result<HttpResponse> { return fail(ErrorCode::AwsConnectionLost); },
      [](const HttpRequest&) -> Result<HttpResponse> { return fail(ErrorCode::AwsNotTrusted); },
      [](const HttpRequest&) -> Result<HttpResponse> {
        return test::refusal(400, "ThrottlingException");
      },
      [](const HttpRequest&) -> Result<HttpResponse> {
        return test::refusal(403, "ExpiredTokenException");
      },
      [](const HttpRequest&) -> Result<HttpResponse> {
        return test::refusal(403, "AccessDeniedException");
      }};
  for (size_t step = 0; step < 4; ++step) {
    for (const auto& fault : faults) {
      size_t number = 0;
      world_.transport.otherwise = [&](const HttpRequest& request) -> Result<HttpResponse> {
        if (number++ == step) return fault(request);
        return test::answer(200, R"({"certificateId":"ab","thingName":"a"})");
      };
      bool is_done = register_device().has_value();
      if (!is_done) is_done = register_device().has_value();
      EXPECT_TRUE(is_done) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace linesign::aws
