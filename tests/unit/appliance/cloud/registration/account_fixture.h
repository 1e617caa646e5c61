// AccountTest: registration against the double of AWS, with an outbox in memory.
//
// Threads  one
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_REGISTRATION_ACCOUNT_FIXTURE_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_REGISTRATION_ACCOUNT_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "appliance/cloud/registration/target_loop.h"
#include "appliance/cloud/registration/target_setup.h"
#include "tests/support/aws_connection.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign::test {

constexpr const char* kBulkTemplate =
    R"({"Parameters":{"ThingName":{"Type":"String"},"CertificatePem":{"Type":"String"}},)"
    R"("Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"ThingName"}},)"
    R"("OverrideSettings":{"AttributePayload":"MERGE","ThingTypeName":"REPLACE",)"
    R"("ThingGroups":"DO_NOTHING"}},)"
    R"("certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificatePem":)"
    R"({"Ref":"CertificatePem"},"Status":"ACTIVE"},"OverrideSettings":{"Status":"DO_NOTHING"}}}})";

// One double for all tests of a program: each makes a CA of its own.
inline AwsDouble& shared_double() {
  static AwsDouble process;
  return process;
}

// CAs that AWS can tell apart.
inline SoftwareCa make_ca() {
  static int number = 0;
  CaSpec spec;
  spec.subject = {{"CN", fmt::format("Device CA {}", ++number)}};
  spec.not_before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) -
                    std::chrono::hours(1);
  return SoftwareCa(spec);
}

class AccountTest : public testing::Test {
 public:
  ~AccountTest() override { aws_.reset(); }

 protected:
  AccountTest()
      : ca_(make_ca()), outbox_(0), connection_(connect(aws_, {limiter_, clock_, pause_})) {
    setup_.name = "plant";
    setup_.account = AwsDouble::kAccount;
    setup_.region = AwsDouble::kRegion;
    setup_.orders = {"default"};
    setup_.ca = wish_for(ca_.certificate());
    setup_.direct.account = setup_.account;
    setup_.direct.region = setup_.region;
    setup_.bulk.account = setup_.account;
    setup_.bulk.template_body = kBulkTemplate;
    setup_.bulk.parameters = {{"ThingName", "{device_id}"},
                              {"CertificatePem", "{certificate_pem}"}};
    setup_.bulk.thing_name = "{device_id}";
    setup_.bulk.bucket = "manifests";
    setup_.bulk.prefix = "linesign/" + setup_.ca.id.substr(0, 8) + "/";
    setup_.bulk.role_arn = fmt::format("arn:aws:iam::{}:role/bulk", AwsDouble::kAccount);
    setup_.bulk.work_dir = folder_.path();
  }

  void make_devices(uint64_t count) { make_devices(1, count, ca_); }
  // Numbers `first` to `last`, signed by this CA.
  void make_devices(uint64_t first, uint64_t last, SoftwareCa& signer) {
    for (uint64_t id = first; id <= last; ++id) {
      CaSpec leaf;
      leaf.subject = {{"CN", fmt::format("SN-{}", id)}};
      leaf.extensions = {{"basicConstraints", "critical,CA:FALSE"}};
      leaf.issuer = &signer;
      leaf.not_before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) -
                        std::chrono::hours(1);
      CloudItem item = make_item(id);
      item.certificate_der = SoftwareCa(leaf).der();
      item.issuer_der = to_bytes(signer.der());
      outbox_.items[id] = item;
    }
  }

  Result<CaOutcome> register_ca() {
    auto iot = connection_->session().iot();
    return CaRegistrar(*iot).ensure(setup_.ca, "");
  }

  std::optional<Error> run(RunMode mode) {
    const auto way = make_way(setup_, outbox_, connection_.get(), clock_);
    TargetLoop loop({way.get(),
                     [this] { return connection_->check_credentials(); },
                     &pause_,
                     &clock_,
                     [](const std::optional<Error>&) {}});
    return loop.run(mode);
  }

  size_t count(RegistrationState state) const {
    size_t found = 0;
    for (const auto& [id, item] : outbox_.items) found += item.state == state ? 1 : 0;
    return found;
  }
  size_t in_account(const std::string& part) {
    return aws_.space().object(part).value().names().size();
  }

  AwsDouble& aws_ = shared_double();
  SystemClock clock_;
  aws::StoppablePause pause_;
  aws::RateLimiter limiter_{clock_};
  TempDir folder_;
  SoftwareCa ca_;
  FakeOutbox outbox_;
  std::unique_ptr<TargetConnection> connection_;
  TargetSetup setup_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_REGISTRATION_ACCOUNT_FIXTURE_H_
