// The client of AWS against the test double: another implementation, which is as strict as the
// service, has to accept every signature and every form, and our client its answers and bad days.
#include <fcntl.h>

#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "appliance/cloud/aws/digests.h"
#include "appliance/cloud/aws/session.h"
#include "tests/support/aws_double.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign::aws {
namespace {

using linesign::test::AwsDouble;
using linesign::test::CaSpec;
using linesign::test::SoftwareCa;

constexpr const char* kTemplate =
    R"({"Parameters":{"ThingName":{"Type":"String"},"CertificatePem":{"Type":"String"}},)"
    R"("Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"ThingName"}},)"
    R"("OverrideSettings":{"AttributePayload":"MERGE"}},)"
    R"("certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificatePem":)"
    R"({"Ref":"CertificatePem"},"Status":"ACTIVE"},"OverrideSettings":{"Status":"DO_NOTHING"}}}})";

class AwsContract : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { aws_ = std::make_unique<AwsDouble>(); }
  static void TearDownTestSuite() { aws_.reset(); }
  void SetUp() override { aws_->reset(); }

  std::unique_ptr<Session> open(AwsDouble::Variables variables, SessionOptions options = {}) {
    options.account = AwsDouble::kAccount;
    auto session = Session::open(
        Environment(std::move(variables)), std::move(options), {limiter_, clock_, pause_});
    if (!session.has_value()) ADD_FAILURE() << session.error().to_string();
    return std::move(session).value();
  }
  std::unique_ptr<Session> open() { return open(aws_->variables()); }

  static std::string id_of(const SoftwareCa& certificate) {
    return to_hex(sha256(certificate.der()));
  }
  static SoftwareCa make_leaf(const SoftwareCa& ca,
                              const std::string& name,
                              EVP_PKEY* key = nullptr) {
    return SoftwareCa({.subject = {{"CN", name}},
                       .extensions = {{"basicConstraints", "critical,CA:FALSE"},
                                      {"keyUsage", "critical,digitalSignature"}},
                       .issuer = &ca,
                       .key = key});
  }
  // In SNI_ONLY mode, so that every test may register it.
  void register_ca(IotClient& iot, const SoftwareCa& ca) {
    CaRegistration registration;
    registration.ca_pem = ca.pem();
    registration.mode = CertificateMode::SniOnly;
    const auto registered = iot.register_ca(registration);
    ASSERT_TRUE(registered.has_value()) << registered.error().to_string();
  }

  static std::unique_ptr<AwsDouble> aws_;
  SystemClock clock_;
  StoppablePause pause_;
  RateLimiter limiter_{clock_};
  TempDir dir_;
};

std::unique_ptr<AwsDouble> AwsContract::aws_;

TEST_F(AwsContract, ACaIsRegisteredInDefaultModeWithItsProof) {
  const auto session = open();
  IotClient iot = session->iot().value();
  const SoftwareCa ca;
  const std::string code = iot.registration_code().value();
  EXPECT_EQ(code.size(), 64U);
  const EvpKey own_key = linesign::test::make_key(KeyType::EcP256);
  const SoftwareCa proof = make_leaf(ca, code, own_key.get());

  CaRegistration registration;
  registration.ca_pem = ca.pem();
  registration.verification_pem = proof.pem();
  registration.tags = {{"plant", "7"}};
  const auto registered = iot.register_ca(registration);
  ASSERT_TRUE(registered.has_value()) << registered.error().to_string();
  EXPECT_EQ(registered->id, id_of(ca));
  const Registered again = iot.register_ca(registration).value();
  EXPECT_TRUE(again.existed);
  EXPECT_EQ(again.id, id_of(ca));

  const CaDescription described = iot.describe_ca(id_of(ca)).value();
  EXPECT_EQ(described.status, CertificateStatus::Active);
  EXPECT_EQ(described.mode, CertificateMode::Default);
  EXPECT_EQ(described.owner, AwsDouble::kAccount);
  EXPECT_FALSE(described.has_auto_registration);
  EXPECT_EQ(iot.list_cas().value().items.at(0).id, id_of(ca));

  EXPECT_EQ(iot.delete_ca(id_of(ca)).error().code(), ErrorCode::AwsConflict);
  CaUpdate update;
  update.status = CertificateStatus::Inactive;
  ASSERT_TRUE(iot.update_ca(id_of(ca), update).has_value());
  ASSERT_TRUE(iot.delete_ca(id_of(ca)).has_value());
  EXPECT_EQ(iot.describe_ca(id_of(ca)).error().code(), ErrorCode::AwsNotFound);
}

TEST_F(AwsContract, ADeviceIsRegisteredStepByStepAndFoundAgain) {
  const auto session = open();
  IotClient iot = session->iot().value();
  const SoftwareCa ca;
  register_ca(iot, ca);
  aws_->control("reset-log", "{}");
  const SoftwareCa device = make_leaf(ca, "dev:1");
  const auto registered = iot.register_certificate(device.pem(), "", CertificateStatus::Active);
  ASSERT_TRUE(registered.has_value()) << registered.error().to_string();
  EXPECT_EQ(registered->id, id_of(device));
  ASSERT_TRUE(iot.create_thing({"dev:1", "", {{"batch", "B7"}}}).has_value());
  ASSERT_TRUE(iot.attach_thing_principal("dev:1", registered->arn, true).has_value());
  EXPECT_EQ(iot.attach_policy("none", registered->arn).error().code(), ErrorCode::AwsNotFound);

  EXPECT_EQ(iot.list_thing_principals("dev:1").value().items.at(0), registered->arn);
  EXPECT_EQ(iot.describe_thing("dev:1").value().thing.attributes.at("batch"), "B7");
  EXPECT_EQ(iot.describe_certificate(id_of(device)).value().ca_id, id_of(ca));
  EXPECT_EQ(iot.list_certificates_by_ca(id_of(ca)).value().items.size(), 1U);
  EXPECT_TRUE(iot.list_attached_policies(registered->arn).value().items.empty());
  ASSERT_TRUE(iot.update_certificate(id_of(device), CertificateStatus::Inactive).has_value());
  EXPECT_EQ(iot.describe_endpoint("iot:Data-ATS").value().find("-ats.iot.") != std::string::npos,
            true);
  const auto without_ca =
      iot.register_certificate_without_ca(make_leaf(ca, "dev:2").pem(), CertificateStatus::Active);
  ASSERT_TRUE(without_ca.has_value());
  EXPECT_EQ(iot.describe_certificate(without_ca->id).value().summary.mode,
            CertificateMode::SniOnly);
  // Nothing was sent that the service does not know.
  EXPECT_TRUE(aws_->control("log").object("summary").value().text_map("unknown_members").empty());
}

TEST_F(AwsContract, ALostReplyIsFollowedByTheSameCertificate) {
  const auto session = open();
  IotClient iot = session->iot().value();
  const SoftwareCa ca;
  register_ca(iot, ca);
  aws_->control("faults", R"({"operation":"*","do":"lose_reply","each":"call"})");
  const SoftwareCa device = make_leaf(ca, "dev:1");
  const auto registered = iot.register_certificate(device.pem(), "", CertificateStatus::Active);
  ASSERT_TRUE(registered.has_value()) << registered.error().to_string();
  EXPECT_TRUE(registered->existed);
  EXPECT_EQ(registered->id, id_of(device));
  EXPECT_TRUE(iot.create_thing({"dev:1", "", {}}).has_value());
  EXPECT_TRUE(iot.attach_thing_principal("dev:1", registered->arn, true).has_value());
}

TEST_F(AwsContract, AManifestIsRegisteredInBulkAndItsReportsAreFetched) {
  const auto session = open();
  IotClient iot = session->iot().value();
  S3Client s3 = session->s3();
  const SoftwareCa ca;
  register_ca(iot, ca);
  const auto manifest = dir_.path() / "lot.ndjson";
  std::ofstream lines(manifest);
  for (int i = 0; i < 3; ++i) {
    JsonObject line;
    line.set("ThingName", fmt::format("dev-{}", i));
    line.set("CertificatePem", make_leaf(ca, fmt::format("dev-{}", i)).pem());
    lines << line.to_string() << "\n";
  }
  lines.close();
  aws_->control("settings", R"({"bulk_bad_lines":[2]})");

  const S3Location at{AwsDouble::kBucket, "lots/7-(b)'s!.ndjson"};
  const auto created = s3.upload({at, manifest});
  ASSERT_TRUE(created.has_value()) << created.error().to_string();
  EXPECT_EQ(*created, UploadOutcome::Created);
  EXPECT_EQ(s3.upload({at, manifest}).value(), UploadOutcome::Existed);
  const UniqueFd fd(::open(manifest.c_str(), O_RDONLY | O_CLOEXEC));
  const auto size = std::filesystem::file_size(manifest);
  const S3Object object = s3.head_object(at).value();
  EXPECT_EQ(object.size_bytes, size);
  EXPECT_EQ(object.checksum_sha256, to_base64(sha256_of_file(fd.get(), size).value()));
  EXPECT_EQ(s3.head_bucket(AwsDouble::kBucket).value(), AwsDouble::kRegion);
  EXPECT_EQ(s3.head_bucket("nobodys").error().code(), ErrorCode::AwsNotFound);

  const auto task = iot.start_task({kTemplate,
                                    at.bucket,
                                    at.key,
                                    fmt::format("arn:aws:iam::{}:role/bulk", AwsDouble::kAccount)});
  ASSERT_TRUE(task.has_value()) << task.error().to_string();
  TaskDescription description = iot.describe_task(*task).value();
  for (int i = 0; i < 100 && description.status == TaskStatus::InProgress; ++i) {
    pause_.wait(std::chrono::milliseconds(50));
    description = iot.describe_task(*task).value();
  }
  EXPECT_EQ(description.status, TaskStatus::Completed);
  EXPECT_EQ(description.succeeded, 2);
  EXPECT_EQ(description.failed, 1);
  EXPECT_EQ(description.key, at.key);
  const auto report = dir_.path() / "report.ndjson";
  for (const auto& [type, expected] :
       {std::pair(ReportType::Results, "dev-0"), std::pair(ReportType::Errors, "error")}) {
    const auto links = iot.list_task_reports(*task, type).value();
    ASSERT_EQ(links.items.size(), 1U);
    const auto bytes = s3.download(links.items[0], report, 1'000'000);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().to_string();
    const std::string text = read_text(report);
    EXPECT_NE(text.find(expected), std::string::npos) << text;
  }
  EXPECT_TRUE(iot.list_tasks(TaskStatus::Completed).value().items.size() == 1);
}

TEST_F(AwsContract, ATemplateIsMadeAndRead) {
  const auto session = open();
  IotClient iot = session->iot().value();
  const ProvisioningTemplate jitp{
      .name = "jitp",
      .body =
          R"({"Parameters":{"AWS::IoT::Certificate::Id":{"Type":"String"}},"Resources":{"certificate":)"
          R"({"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":)"
          R"({"Ref":"AWS::IoT::Certificate::Id"},"Status":"ACTIVE"}}}})",
      .role_arn = fmt::format("arn:aws:iam::{}:role/bulk", AwsDouble::kAccount)};
  const auto arn = iot.create_template(jitp);
  ASSERT_TRUE(arn.has_value()) << arn.error().to_string();
  const ProvisioningTemplate found = iot.describe_template("jitp").value();
  EXPECT_EQ(found.body, jitp.body);
  EXPECT_EQ(found.type, TemplateType::Jitp);
  EXPECT_TRUE(found.is_enabled);
  EXPECT_EQ(iot.create_template(jitp).error().code(), ErrorCode::AwsExists);
}

TEST_F(AwsContract, EverySourceOfCredentialsIsAccepted) {
  const auto arn_of = [](const Session& session) {
    StsClient sts = session.sts().value();
    const auto identity = sts.caller_identity();
    return identity.has_value() ? identity->arn : identity.error().to_string();
  };
  EXPECT_EQ(arn_of(*open()), "arn:aws:iam::111122223333:user/uploader");
  // A role of another account on top.
  SessionOptions options;
  options.credentials.role = AssumeRole{.role_arn = "arn:aws:iam::444455556666:role/deploy",
                                        .session_name = "plant",
                                        .external_id = "plant-7"};
  EXPECT_EQ(arn_of(*open(aws_->variables(), std::move(options))),
            "arn:aws:sts::444455556666:assumed-role/deploy/plant");

  AwsDouble::Variables variables = aws_->variables();
  for (const char* name :
       {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"})
    variables.erase(name);
  aws_->control(
      "accounts",
      R"({"metadata":{"account":"111122223333","role":"deploy","container_token":"tok"}})");
  variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = aws_->port("metadata");
  EXPECT_NE(arn_of(*open(variables)).find(":assumed-role/deploy/"), std::string::npos);
  variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] =
      aws_->port("metadata") + "/v2/credentials/double";
  variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "tok";
  EXPECT_NE(arn_of(*open(variables)).find(":assumed-role/deploy/"), std::string::npos);
}

// A key in memory where the appliance has one in an HSM.
class SoftwareSigner final : public X509Signer {
 public:
  explicit SoftwareSigner(const SoftwareCa& leaf, EVP_PKEY* key, bool is_rsa)
      : der_(leaf.der()), key_(key), is_rsa_(is_rsa) {}
  KeyKind key_kind() const override { return is_rsa_ ? KeyKind::Rsa : KeyKind::Ecdsa; }
  const Bytes& certificate_der() const override { return der_; }
  const std::vector<Bytes>& chain_der() const override { return chain_; }
  Result<Bytes> sign(const Sha256& digest) override {
    const EvpKeyContext context(EVP_PKEY_CTX_new(key_, nullptr));
    size_t size = 1024;
    Bytes signature(size);
    if (EVP_PKEY_sign_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) != 1 ||
        EVP_PKEY_sign(context.get(), signature.data(), &size, digest.data(), digest.size()) != 1) {
      return fail(ErrorCode::CryptoFailed);
    }
    signature.resize(size);
    return signature;
  }

 private:
  const Bytes der_;
  const std::vector<Bytes> chain_;
  EVP_PKEY* key_;
  bool is_rsa_;
};

TEST_F(AwsContract, ACertificateOpensARolesAnywhereSession) {
  const SoftwareCa anchor({.subject = {{"CN", "Plant CA"}}});
  JsonObject trust_anchor;
  trust_anchor.set("region", std::string("eu-west-1"));
  trust_anchor.set("anchor_id", std::string("a1"));
  trust_anchor.set("certificate", anchor.pem());
  aws_->control(
      "accounts",
      fmt::format(R"({{"accounts":[{{"id":"111122223333","trust_anchors":[{}],)"
                  R"("profiles":[{{"region":"eu-west-1","profile_id":"p1","roles":["plant"]}}],)"
                  R"("roles":[{{"name":"plant","trust":["rolesanywhere.amazonaws.com"]}}]}}]}})",
                  trust_anchor.to_string()));
  AwsDouble::Variables variables = aws_->variables();
  variables.erase("AWS_ACCESS_KEY_ID");
  variables.erase("AWS_SECRET_ACCESS_KEY");
  for (const KeyType type : {KeyType::EcP256, KeyType::Rsa2048}) {
    EVP_PKEY* key = linesign::test::shared_key(type);
    const SoftwareCa leaf = make_leaf(anchor, "uploader", key);
    SessionOptions options;
    options.credentials.roles_anywhere = RolesAnywhere{
        .trust_anchor_arn = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a1",
        .profile_arn = "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/p1",
        .role_arn = "arn:aws:iam::111122223333:role/plant"};
    options.credentials.x509_signer =
        std::make_shared<SoftwareSigner>(leaf, key, type == KeyType::Rsa2048);
    const auto session = open(variables, std::move(options));
    const auto identity = session->sts().value().caller_identity();
    ASSERT_TRUE(identity.has_value()) << identity.error().to_string();
    EXPECT_EQ(identity->account, AwsDouble::kAccount);
    EXPECT_NE(identity->arn.find(":assumed-role/plant/"), std::string::npos);
  }
}

TEST_F(AwsContract, AClockThatIsTenMinutesOffDoesNotMatter) {
  aws_->control("settings", R"({"clock_skew":600})");
  const auto session = open();
  IotClient iot = session->iot().value();
  EXPECT_TRUE(iot.registration_code().has_value());
  EXPECT_TRUE(iot.registration_code().has_value());
  EXPECT_EQ(aws_->count("GetRegistrationCode"), 3) << "refused once";
}

TEST_F(AwsContract, CredentialsThatExpireAreReplaced) {
  SessionOptions options;
  options.credentials.role = AssumeRole{.role_arn = "arn:aws:iam::111122223333:role/deploy"};
  const auto session = open(aws_->variables(), std::move(options));
  IotClient iot = session->iot().value();
  ASSERT_TRUE(iot.registration_code().has_value());
  aws_->control("expire-tokens", "{}");
  EXPECT_TRUE(iot.registration_code().has_value());
  EXPECT_EQ(aws_->count("AssumeRole"), 2);
}

TEST_F(AwsContract, ThrottlingSlowsTheCallerDown) {
  aws_->control("throttle", R"({"operation":"DescribeThing","tps":20,"burst":1})");
  const auto session = open();
  IotClient iot = session->iot().value();
  for (int i = 0; i < 5; ++i) {
    const auto thing = iot.describe_thing("none");
    EXPECT_EQ(thing.error().code(), ErrorCode::AwsNotFound) << thing.error().to_string();
  }
  const auto status = limiter_.status(session->where());
  ASSERT_EQ(status.at(0).operation, "DescribeThing");
  EXPECT_GT(status.at(0).throttled, 0U);
  EXPECT_LT(status.at(0).per_second, status.at(0).full_per_second);
}

TEST_F(AwsContract, BadDaysAreToldApart) {
  AwsDouble::Variables variables = aws_->variables();
  variables["AWS_MAX_ATTEMPTS"] = "1";
  const auto code_after = [&](const std::string& settings) {
    aws_->control("settings", settings);
    const auto code = open(variables)->iot().value().registration_code();
    aws_->control("settings",
                  R"({"captive_portal":"","untrusted_tls":false,"away":"","wrong_region":""})");
    return code.has_value() ? ErrorCode::Internal : code.error().code();
  };
  EXPECT_EQ(code_after(R"({"captive_portal":"html"})"), ErrorCode::AwsNotAws);
  EXPECT_EQ(code_after(R"({"captive_portal":"redirect"})"), ErrorCode::AwsNotAws);
  EXPECT_EQ(code_after(R"({"untrusted_tls":true})"), ErrorCode::AwsNotTrusted);
  EXPECT_EQ(code_after(R"({"away":"refuse"})"), ErrorCode::AwsUnreachable);
  EXPECT_EQ(code_after(R"({"away":"close"})"), ErrorCode::AwsConnectionLost);
  EXPECT_EQ(code_after(R"({"wrong_region":"us-east-1"})"), ErrorCode::AwsCredentialsRefused);
  variables["AWS_SECRET_ACCESS_KEY"] = "wrong";
  EXPECT_EQ(code_after("{}"), ErrorCode::AwsCredentialsRefused);
  variables["AWS_ACCESS_KEY_ID"] = "AKIANOBODY";
  EXPECT_EQ(code_after("{}"), ErrorCode::AwsCredentialsRefused);
}

}  // namespace
}  // namespace linesign::aws
