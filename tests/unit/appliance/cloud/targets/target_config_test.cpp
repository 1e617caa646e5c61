#include "appliance/cloud/targets/target_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linesign {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr const char* kFile = "/plant/linesign.toml";

Result<AwsConfig> read(const std::string& text) {
  LS_TRY(const SettingsFile settings, SettingsFile::parse(text, kFile));
  LS_TRY(AwsConfig config, read_aws_config(settings.root()));
  LS_CHECK(settings.check_all_known());
  return config;
}

// A target that is complete; what comes after it is line 7.
std::string target(const std::string& way, const std::string& more = "") {
  return "[[aws.target]]\n"
         "name = \"production-eu\"\n"
         "account = \"123456789012\"\n"
         "region = \"eu-central-1\"\n"
         "way = \"" +
         way + "\"\n\n" + more;
}

// A second one in the same account and region.
std::string neighbour(const std::string& way, const std::string& more = "") {
  std::string text = target(way, more);
  return text.replace(text.find("production-eu"), 13, "neighbour-eu2");
}

TEST(TargetConfig, IsAbsentByDefault) {
  const auto config = read("");
  ASSERT_TRUE(config.has_value()) << config.error().to_string();
  EXPECT_THAT(config->targets, IsEmpty());
  EXPECT_THAT(config->targets_of_default_order, IsEmpty());
  EXPECT_EQ(config->state_dir, "/plant/uploader");
  EXPECT_EQ(config->find("production-eu"), nullptr);
}

TEST(TargetConfig, FillsInEveryDefault) {
  const auto config = read(target("direct"));
  ASSERT_TRUE(config.has_value()) << config.error().to_string();
  const TargetConfig* found = config->find("production-eu");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->account, "123456789012");
  EXPECT_EQ(found->region, "eu-central-1");
  EXPECT_EQ(found->way, TargetWay::Direct);
  EXPECT_EQ(found->mode, CaMode::SniOnly);
  EXPECT_TRUE(found->is_active);
  EXPECT_FALSE(found->register_without_ca);
  EXPECT_FALSE(found->send_ca_certificate);
  EXPECT_EQ(found->thing_name, "{device_id}");
  EXPECT_EQ(found->thing_name_prefix, "");
  EXPECT_EQ(found->existing_things, ExistingThings::Refuse);
  EXPECT_EQ(found->thing_type + found->policy + found->thing_group, "");
  EXPECT_THAT(found->attributes, IsEmpty());
  EXPECT_THAT(found->parameters,
              ElementsAre(Pair("Batch", "{order}"),
                          Pair("CertificatePem", "{certificate_pem}"),
                          Pair("SerialNumber", "{serial}"),
                          Pair("ThingName", "{device_id}")));
  EXPECT_EQ(found->chunk_lines, 50'000U);
  EXPECT_EQ(found->min_lines, 100U);
  EXPECT_EQ(found->max_wait, std::chrono::minutes(5));
  EXPECT_EQ(found->prefix, "linesign/");
  EXPECT_EQ(found->bucket + found->role_arn_bulk + found->template_name, "");
  EXPECT_TRUE(found->template_file.empty() && found->export_dir.empty());
  EXPECT_EQ(found->credentials.profile, "");
  EXPECT_EQ(found->credentials.assume_role_arn, "");
  EXPECT_EQ(found->credentials.role_session_name, "linesign");
  EXPECT_EQ(found->credentials.session_duration, 1h);
  EXPECT_FALSE(found->credentials.roles_anywhere.has_value());
  EXPECT_EQ(found->endpoint_url, "");
  EXPECT_TRUE(found->ca_bundle.empty());
  EXPECT_EQ(found->rate_factor, 0.8);
  EXPECT_THAT(found->quotas, IsEmpty());
}

TEST(TargetConfig, ReadsEveryKeyOfADirectTarget) {
  const auto config = read(
      "[aws]\n"
      "state_dir = \"/var/lib/linesign/uploader\"\n"
      "targets_of_default_order = [\"production-eu\"]\n" +
      target("direct",
             "mode = \"SNI_ONLY\"\n"
             "status = \"INACTIVE\"\n"
             "register_without_ca = true\n"
             "send_ca_certificate = true\n"
             "thing_name = \"plant-{device_id}\"\n"
             "thing_name_prefix = \"plant-\"\n"
             "existing_things = \"adopt\"\n"
             "thing_type = \"sensor\"\n"
             "attributes = {order = \"{order}\", serial = \"{serial}\", a = \"\", b = \"x[1]\"}\n"
             "policy = \"device\"\n"
             "thing_group = \"sensors\"\n"
             "profile = \"plant\"\n"
             "assume_role_arn = \"arn:aws:iam::123456789012:role/linesign\"\n"
             "external_id = \"plant-7\"\n"
             "role_session_name = \"plant7\"\n"
             "session_duration = \"30m\"\n"
             "endpoint_url = \"https://iot.internal.example\"\n"
             "ca_bundle = \"aws.pem\"\n"
             "rate_factor = 0.5\n"
             "quotas = {RegisterCertificate = 50, AttachPolicy = 7.5}\n"));
  ASSERT_TRUE(config.has_value()) << config.error().to_string();
  EXPECT_EQ(config->state_dir, "/var/lib/linesign/uploader");
  EXPECT_THAT(config->targets_of_default_order, ElementsAre("production-eu"));
  const TargetConfig& found = config->targets.at(0);
  EXPECT_FALSE(found.is_active);
  EXPECT_TRUE(found.register_without_ca);
  EXPECT_TRUE(found.send_ca_certificate);
  EXPECT_EQ(found.thing_name, "plant-{device_id}");
  EXPECT_EQ(found.thing_name_prefix, "plant-");
  EXPECT_EQ(found.existing_things, ExistingThings::Adopt);
  EXPECT_EQ(found.thing_type, "sensor");
  EXPECT_EQ(found.attributes.size(), 4U);
  EXPECT_EQ(found.policy, "device");
  EXPECT_EQ(found.thing_group, "sensors");
  EXPECT_EQ(found.credentials.profile, "plant");
  EXPECT_EQ(found.credentials.assume_role_arn, "arn:aws:iam::123456789012:role/linesign");
  EXPECT_EQ(found.credentials.external_id, "plant-7");
  EXPECT_EQ(found.credentials.role_session_name, "plant7");
  EXPECT_EQ(found.credentials.session_duration, 30min);
  EXPECT_EQ(found.endpoint_url, "https://iot.internal.example");
  EXPECT_EQ(found.ca_bundle, "/plant/aws.pem");
  EXPECT_EQ(found.rate_factor, 0.5);
  EXPECT_THAT(found.quotas,
              ElementsAre(Pair("AttachPolicy", 7.5), Pair("RegisterCertificate", 50.0)));
}

TEST(TargetConfig, ReadsTheOtherWays) {
  const auto bulk =
      read(target("bulk",
                  "template_file = \"bulk.json\"\n"
                  "bucket = \"plant-manifests\"\n"
                  "prefix = \"line/\"\n"
                  "role_arn_bulk = \"arn:aws:iam::123456789012:role/bulk\"\n"
                  "chunk_lines = 100\n"
                  "min_lines = 20\nmax_wait = \"90s\"\n"
                  "parameters = {Name = \"{device_id}\", Pem = \"{certificate_pem}\"}\n"));
  ASSERT_TRUE(bulk.has_value()) << bulk.error().to_string();
  EXPECT_EQ(bulk->targets[0].way, TargetWay::Bulk);
  EXPECT_EQ(bulk->targets[0].template_file, "/plant/bulk.json");
  EXPECT_EQ(bulk->targets[0].prefix, "line/");
  EXPECT_EQ(bulk->targets[0].chunk_lines, 100U);
  EXPECT_EQ(bulk->targets[0].min_lines, 20U);
  EXPECT_EQ(bulk->targets[0].max_wait, std::chrono::seconds(90));
  EXPECT_EQ(bulk->targets[0].parameters.size(), 2U);
  const auto jit = read(target("jit", "mode = \"DEFAULT\"\ntemplate_name = \"first-contact\"\n"));
  ASSERT_TRUE(jit.has_value()) << jit.error().to_string();
  EXPECT_EQ(jit->targets[0].mode, CaMode::Default);
  EXPECT_EQ(jit->targets[0].template_name, "first-contact");
  EXPECT_TRUE(read(target("jit",
                          "template_file = \"jit.json\"\n"
                          "registration_role_arn = \"arn:aws:iam::123456789012:role/jit\"\n"))
                  .has_value());
  const auto file = read(target("file", "export_dir = \"/media/usb\"\n"));
  ASSERT_TRUE(file.has_value()) << file.error().to_string();
  EXPECT_EQ(file->targets[0].export_dir, "/media/usb");
}

constexpr const char* kRolesAnywhere =
    "[aws.target.roles_anywhere]\n"
    "trust_anchor_arn = \"arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/t\"\n"
    "profile_arn = \"arn:aws:rolesanywhere:eu-central-1:123456789012:profile/p\"\n"
    "role_arn = \"arn:aws:iam::123456789012:role/linesign\"\n"
    "certificate = \"uploader.pem\"\n";

std::string with_key(const std::string& key) {
  return std::string(kRolesAnywhere) + "key = \"" + key + "\"\n";
}

TEST(TargetConfig, ReadsArnsOfThePartitionOfTheRegion) {
  std::string text = target("direct", std::string(kRolesAnywhere) + "key = \"key.pem\"\n");
  const auto replace = [&text](const std::string& old, const std::string& with) {
    for (size_t at = 0; (at = text.find(old, at)) != std::string::npos; at += with.size())
      text.replace(at, old.size(), with);
  };
  replace("eu-central-1", "cn-north-1");
  const auto wrong = read(text);
  ASSERT_FALSE(wrong.has_value());
  EXPECT_THAT(wrong.error().detail(),
              HasSubstr(":8: aws.target.roles_anywhere.trust_anchor_arn: region cn-north-1 lies in "
                        "another partition: expected arn:aws-cn:rolesanywhere:..."));
  replace("arn:aws:", "arn:aws-cn:");
  const auto config = read(text);
  ASSERT_TRUE(config.has_value()) << config.error().to_string();
}

TEST(TargetConfig, ReadsRolesAnywhereWithAKeyInATokenOrInAFile) {
  const auto token = read(target("direct",
                                 std::string(kRolesAnywhere) +
                                     "key = \"pkcs11:token=uploader;object=aws\"\npin_file = "
                                     "\"pin\"\nsession_name = \"p7\"\n"));
  ASSERT_TRUE(token.has_value()) << token.error().to_string();
  const auto& roles = token->targets[0].credentials.roles_anywhere;
  ASSERT_TRUE(roles.has_value());
  EXPECT_EQ(roles->key_uri, "pkcs11:token=uploader;object=aws");
  EXPECT_EQ(roles->pin_file, "/plant/pin");
  EXPECT_EQ(roles->certificate, "/plant/uploader.pem");
  EXPECT_EQ(roles->session_name, "p7");
  EXPECT_TRUE(roles->key_file.empty());
  const auto file = read(target("direct", std::string(kRolesAnywhere) + "key = \"key.pem\"\n"));
  ASSERT_TRUE(file.has_value()) << file.error().to_string();
  EXPECT_EQ(file->targets[0].credentials.roles_anywhere->key_file, "/plant/key.pem");
  EXPECT_EQ(file->targets[0].credentials.roles_anywhere->key_uri, "");
}

TEST(TargetConfig, ReadsManyTargetsInTheirOrder) {
  std::string staging = target("direct");
  staging.replace(staging.find("production-eu"), 13, "staging");
  const auto config = read("[aws]\ntargets_of_default_order = [\"staging\", \"production-eu\"]\n" +
                           target("direct") + staging);
  ASSERT_TRUE(config.has_value()) << config.error().to_string();
  EXPECT_EQ(config->targets[0].name, "production-eu");
  EXPECT_EQ(config->targets[1].name, "staging");
}

TEST(TargetConfig, MayTalkPlainHttpToThisMachine) {
  for (const char* url : {"http://127.0.0.1:8080", "http://localhost/", "http://[::1]:80/x"})
    EXPECT_TRUE(read(target("direct", std::string("endpoint_url = \"") + url + "\"\n")).has_value())
        << url;
}

TEST(TargetConfig, NamesItsWaysAndModes) {
  EXPECT_EQ(to_string(TargetWay::Direct), "direct");
  EXPECT_EQ(to_string(TargetWay::File), "file");
  EXPECT_EQ(to_string(CaMode::SniOnly), "SNI_ONLY");
  EXPECT_EQ(to_string(CaMode::Default), "DEFAULT");
}

struct BadTarget {
  const char* name;
  std::string text;
  ErrorCode code;
  std::string detail;
};

void PrintTo(const BadTarget& bad, std::ostream* out) { *out << bad.name; }

class TargetError : public testing::TestWithParam<BadTarget> {};

TEST_P(TargetError, NamesFileLineAndKey) {
  const auto config = read(GetParam().text);
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().code(), GetParam().code) << config.error().to_string();
  EXPECT_EQ(config.error().exit_code(), 78);
  EXPECT_THAT(config.error().detail(), HasSubstr(std::string(kFile) + GetParam().detail));
}

std::string without(std::string text, const std::string& line) {
  text.erase(text.find(line), line.size());
  return text;
}

constexpr const char* kBulk =
    "template_file = \"b.json\"\nbucket = \"bucket\"\n"
    "role_arn_bulk = \"arn:aws:iam::123456789012:role/b\"\n";

TEST(TargetConfig, WhoeverRegistersNoCaMayHaveAnotherMode) {
  EXPECT_TRUE(read(target("direct", "mode = \"DEFAULT\"\n") +
                   neighbour("direct", "register_without_ca = true\n"))
                  .has_value());
}

INSTANTIATE_TEST_SUITE_P(
    Identity,
    TargetError,
    testing::Values(
        BadTarget{"NoName",
                  without(target("direct"), "name = \"production-eu\"\n"),
                  ErrorCode::ConfigMissing,
                  ":1: aws.target.name: this key is required"},
        BadTarget{"NameWithSpace",
                  "[[aws.target]]\nname = \"a b\"\n",
                  ErrorCode::ConfigRange,
                  ":2: aws.target.name: expected 1 to 64 of A-Z a-z 0-9 . _ -"},
        BadTarget{"SameNameTwice",
                  target("direct") + target("direct"),
                  ErrorCode::ConfigConflict,
                  ":8: aws.target.name: another target has this name"},
        BadTarget{"TwoModesOfOneCa",
                  target("direct", "mode = \"DEFAULT\"\n") + neighbour("jit"),
                  ErrorCode::ConfigConflict,
                  ":8: aws.target.mode: target \"production-eu\" of the same account and region "
                  "says \"DEFAULT\""},
        BadTarget{
            "TwoTemplatesOfOneCa",
            target("jit", "template_name = \"a\"\n") + neighbour("jit", "template_name = \"b\"\n"),
            ErrorCode::ConfigConflict,
            ":14: aws.target.template_name: target \"production-eu\" of the same account and "
            "region names another template"},
        BadTarget{"AccountAsNumber",
                  "[[aws.target]]\nname = \"a\"\naccount = 123456789012\n",
                  ErrorCode::ConfigType,
                  ":3: aws.target.account: expected a text in quotes, found an integer"},
        BadTarget{"AccountTooShort",
                  "[[aws.target]]\nname = \"a\"\naccount = \"1234\"\n",
                  ErrorCode::ConfigRange,
                  ":3: aws.target.account: expected the 12 digits"},
        BadTarget{
            "Region",
            "[[aws.target]]\nname = \"a\"\naccount = \"123456789012\"\nregion = \"Frankfurt\"\n",
            ErrorCode::ConfigRange,
            ":4: aws.target.region: expected a region such as \"eu-central-1\""},
        BadTarget{"NoWay",
                  without(target("direct"), "way = \"direct\"\n"),
                  ErrorCode::ConfigMissing,
                  ":1: aws.target.way: required: \"direct\", \"bulk\", \"jit\" or \"file\""},
        BadTarget{"OtherWay",
                  target("post"),
                  ErrorCode::ConfigRange,
                  ":5: aws.target.way: expected one of \"direct\", \"bulk\", \"jit\", \"file\""},
        BadTarget{"Mode",
                  target("direct", "mode = \"default\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.mode: expected one of \"SNI_ONLY\", \"DEFAULT\""},
        BadTarget{"Status",
                  target("direct", "status = \"on\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.status: expected one of \"ACTIVE\", \"INACTIVE\""},
        BadTarget{"UnknownKey",
                  target("direct", "polcy = \"x\"\n"),
                  ErrorCode::ConfigUnknownKey,
                  ":7: aws.target.polcy: unknown key; did you mean \"policy\"?"},
        BadTarget{"TargetAsTable",
                  "[aws.target]\nname = \"a\"\n",
                  ErrorCode::ConfigType,
                  ":1: aws.target: expected tables [[aws.target]], found a table"},
        BadTarget{"UnknownTargetOfTheOrder",
                  "[aws]\ntargets_of_default_order = [\"produktion\"]\n" + target("direct"),
                  ErrorCode::ConfigConflict,
                  ":2: aws.targets_of_default_order: there is no target \"produktion\", but "
                  "\"production-eu\""},
        BadTarget{"NoTargetAtAll",
                  "[aws]\ntargets_of_default_order = [\"a\"]\n",
                  ErrorCode::ConfigConflict,
                  ":2: aws.targets_of_default_order: there is no [[aws.target]]"},
        BadTarget{"TargetOfTheOrderTwice",
                  "[aws]\ntargets_of_default_order = [\"production-eu\", \"production-eu\"]\n" +
                      target("direct"),
                  ErrorCode::ConfigConflict,
                  ":2: aws.targets_of_default_order: \"production-eu\" stands there twice"}),
    [](const auto& bad) { return std::string(bad.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Things,
    TargetError,
    testing::Values(
        BadTarget{
            "UnknownField",
            target("direct", "thing_name = \"{device}\"\n"),
            ErrorCode::ConfigRange,
            ":7: aws.target.thing_name: a brace begins or ends one of the fields {device_id}"},
        BadTarget{"OneThingForAll",
                  target("direct", "thing_name = \"sensor-{order}\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.thing_name: expected {device_id}, {serial} or {certificate_id}"},
        BadTarget{"ThingNameAgainstItsPrefix",
                  target("direct",
                         "thing_name = \"line8-{device_id}\"\nthing_name_prefix = \"line7-\"\n"),
                  ErrorCode::ConfigConflict,
                  ":8: aws.target.thing_name_prefix: no thing called \"line8-{device_id}\" begins"},
        BadTarget{"ExistingThings",
                  target("direct", "existing_things = \"take\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.existing_things: "},
        BadTarget{"ThingNameWithSpace",
                  target("direct", "thing_name = \"a {device_id}\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.thing_name: expected 1 to 128 of"},
        BadTarget{"AttributeWithSpace",
                  target("direct", "attributes = {a = \"b c\"}\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.attributes: a: expected values of at most 800"},
        BadTarget{"AttributeWithThePem",
                  target("direct", "attributes = {a = \"{certificate_pem}\"}\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.attributes: a: a brace begins or ends"},
        BadTarget{"AttributeName",
                  target("direct", "attributes = {\"a b\" = \"c\"}\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.attributes: a b: expected names of 1 to 128"},
        BadTarget{"AttributesWithoutType",
                  target("direct", "attributes = {a = \"\", b = \"\", c = \"\", d = \"\"}\n"),
                  ErrorCode::ConfigConflict,
                  ":7: aws.target.attributes: more than 3 attributes need a thing_type"},
        BadTarget{"Policy",
                  target("direct", "policy = \"a/b\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.policy: expected 1 to 128 of A-Z a-z 0-9 _ + = , . @ -"},
        BadTarget{"WithoutCaInModeDefault",
                  target("direct", "register_without_ca = true\nmode = \"DEFAULT\"\n"),
                  ErrorCode::ConfigConflict,
                  ":7: aws.target.register_without_ca: without the CA the mode is SNI_ONLY"},
        BadTarget{"WithoutCaInBulk",
                  target("bulk", std::string("register_without_ca = true\n") + kBulk),
                  ErrorCode::ConfigConflict,
                  ":7: aws.target.register_without_ca: only way = \"direct\""}),
    [](const auto& bad) { return std::string(bad.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Ways,
    TargetError,
    testing::Values(
        BadTarget{"BulkWithoutBucket",
                  target("bulk", without(kBulk, "bucket = \"bucket\"\n")),
                  ErrorCode::ConfigMissing,
                  ":1: aws.target.bucket: required with way = \"bulk\""},
        BadTarget{"BulkWithoutRole",
                  target("bulk", "template_file = \"b.json\"\nbucket = \"bucket\"\n"),
                  ErrorCode::ConfigMissing,
                  ":1: aws.target.role_arn_bulk: required with way = \"bulk\""},
        BadTarget{"BulkWithoutTemplate",
                  target("bulk", without(kBulk, "template_file = \"b.json\"\n")),
                  ErrorCode::ConfigMissing,
                  ":1: aws.target.template_file: required with way = \"bulk\""},
        BadTarget{"BulkWithoutCertificate",
                  target("bulk", std::string(kBulk) + "parameters = {Name = \"{device_id}\"}\n"),
                  ErrorCode::ConfigMissing,
                  ":10: aws.target.parameters: required with way = \"bulk\": a parameter with "
                  "{certificate_pem}"},
        BadTarget{"ParameterWithUnknownField",
                  target("bulk", "parameters = {Name = \"{pem}\"}\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.parameters: Name: a brace begins or ends"},
        BadTarget{"RoleOfAnotherAccount",
                  target("bulk", "role_arn_bulk = \"arn:aws:iam::210987654321:role/b\"\n"),
                  ErrorCode::ConfigConflict,
                  ":7: aws.target.role_arn_bulk: does not lie in account 123456789012"},
        BadTarget{"RoleThatIsNone",
                  target("bulk", "role_arn_bulk = \"bulk\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.role_arn_bulk: expected an ARN arn:aws:iam::ACCOUNT:role/..."},
        BadTarget{"RoleThatIsAUser",
                  target("jit", "registration_role_arn = \"arn:aws:iam::123456789012:user/x\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.registration_role_arn: expected an ARN arn:aws:iam::ACCOUNT:"},
        BadTarget{"RoleOfAnotherPartition",
                  target("direct", "assume_role_arn = \"arn:aws-cn:iam::123456789012:role/b\"\n"),
                  ErrorCode::ConfigConflict,
                  ":7: aws.target.assume_role_arn: region eu-central-1 lies in another partition: "
                  "expected arn:aws:iam:..., found arn:aws-cn:iam::123456789012:role/b"},
        BadTarget{"Bucket",
                  target("bulk", "bucket = \"my_bucket\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.bucket: expected a bucket's name"},
        BadTarget{"ChunkLines",
                  target("bulk", "chunk_lines = 0\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.chunk_lines: expected an integer from 1 to 1000000, found 0"},
        BadTarget{"MinLines",
                  target("bulk", "min_lines = 501\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.min_lines: expected an integer from 1 to 500, found 501"},
        BadTarget{"MaxWait",
                  target("bulk", "max_wait = \"25h\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.max_wait: expected"},
        BadTarget{"JitWithATemplateToMakeAndNoRole",
                  target("jit", "template_name = \"a\"\ntemplate_file = \"b.json\"\n"),
                  ErrorCode::ConfigMissing,
                  ":1: aws.target.registration_role_arn: required with way = \"jit\""},
        BadTarget{"JitWithoutRole",
                  target("jit", "template_file = \"b.json\"\n"),
                  ErrorCode::ConfigMissing,
                  ":1: aws.target.registration_role_arn: required with way = \"jit\""},
        BadTarget{"FileWithoutFolder",
                  target("file"),
                  ErrorCode::ConfigMissing,
                  ":1: aws.target.export_dir: required with way = \"file\""}),
    [](const auto& bad) { return std::string(bad.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Connection,
    TargetError,
    testing::Values(
        BadTarget{"PlainHttp",
                  target("direct", "endpoint_url = \"http://aws.example\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.endpoint_url: expected https://"},
        BadTarget{"PlainHttpToAHostThatLooksLikeThisOne",
                  target("direct", "endpoint_url = \"http://127.0.0.1.example\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.endpoint_url: expected https://"},
        BadTarget{"RateFactor",
                  target("direct", "rate_factor = 1.5\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.rate_factor: expected a number from 0.01 to 1, found 1.5"},
        BadTarget{"Quota",
                  target("direct", "quotas = {AttachPolicy = \"15\"}\n"),
                  ErrorCode::ConfigType,
                  ":7: aws.target.quotas.AttachPolicy: expected a number from 0.1 to 100000"},
        BadTarget{"AssumedRoleOfAnotherAccount",
                  target("direct", "assume_role_arn = \"arn:aws:iam::210987654321:role/b\"\n"),
                  ErrorCode::ConfigConflict,
                  ":7: aws.target.assume_role_arn: does not lie in account 123456789012"},
        BadTarget{"ExternalIdAlone",
                  target("direct", "external_id = \"x1\"\n"),
                  ErrorCode::ConfigConflict,
                  ":7: aws.target.external_id: belongs to assume_role_arn"},
        BadTarget{"SessionTooShort",
                  target("direct", "session_duration = \"5m\"\n"),
                  ErrorCode::ConfigRange,
                  ":7: aws.target.session_duration: expected a duration from 15m to 12h"},
        BadTarget{"RolesAnywhereWithoutKey",
                  target("direct", kRolesAnywhere),
                  ErrorCode::ConfigMissing,
                  ":7: aws.target.roles_anywhere.key: required beside the other keys"},
        BadTarget{"KeyUriWithoutAKey",
                  target("direct", with_key("pkcs11:token=uploader")),
                  ErrorCode::ConfigRange,
                  ":12: aws.target.roles_anywhere.key: the URI names no key: expected token or "
                  "serial, and object or id, as in pkcs11:token=uploader;object=aws"},
        BadTarget{"KeyUriWithoutAToken",
                  target("direct", with_key("pkcs11:object=aws")),
                  ErrorCode::ConfigRange,
                  ":12: aws.target.roles_anywhere.key: the URI names no token"},
        BadTarget{"KeyUriThatIsNone",
                  target("direct", with_key("pkcs11:token uploader")),
                  ErrorCode::ConfigRange,
                  ":12: aws.target.roles_anywhere.key: pkcs11 URI: 'token uploader' is not "
                  "name=value"},
        BadTarget{"KeyUriWithAnUnknownAttribute",
                  target("direct", with_key("pkcs11:token=uploader;objekt=aws")),
                  ErrorCode::ConfigRange,
                  ":12: aws.target.roles_anywhere.key: pkcs11 URI: 'objekt' is not supported"},
        BadTarget{"KeyUriWithThePin",
                  target("direct", with_key("pkcs11:token=u;object=aws?pin-value=1234")),
                  ErrorCode::ConfigRange,
                  ":12: aws.target.roles_anywhere.key: pkcs11 URI: pin-value is not taken"},
        BadTarget{"ProfileAsTrustAnchor",
                  target("direct",
                         "[aws.target.roles_anywhere]\ntrust_anchor_arn = "
                         "\"arn:aws:rolesanywhere:eu-central-1:123456789012:profile/p\"\n"),
                  ErrorCode::ConfigRange,
                  ":8: aws.target.roles_anywhere.trust_anchor_arn: expected an ARN "
                  "arn:aws:rolesanywhere:eu-central-1:ACCOUNT:trust-anchor/..."},
        BadTarget{"RolesAnywhereBesideAProfile",
                  target("direct",
                         std::string("profile = \"p\"\n") + kRolesAnywhere + "key = \"k.pem\"\n"),
                  ErrorCode::ConfigConflict,
                  ":7: aws.target.profile: profile and roles_anywhere exclude each other"},
        BadTarget{
            "PinOfAFile",
            target("direct", std::string(kRolesAnywhere) + "key = \"k.pem\"\npin_file = \"p\"\n"),
            ErrorCode::ConfigConflict,
            ":13: aws.target.roles_anywhere.pin_file: only a key in a token"}),
    [](const auto& bad) { return std::string(bad.param.name); });

}  // namespace
}  // namespace linesign
