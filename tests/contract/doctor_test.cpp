#include "hsm/ceremony/doctor.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/ceremony_fixture.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

using test::SoftHsm;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Doctor : public test::CeremonyFixture {
 protected:
  DoctorRequest request() const {
    DoctorRequest wanted;
    wanted.module = SoftHsm::module();
    wanted.token_label = test::kTokenLabel;
    wanted.key_label = test::kKeyLabel;
    wanted.pin_file = hsm_.pin_file();
    wanted.ca_certificate = folder() / "ca.pem";
    wanted.login_lock = folder() / "login.lock";
    return wanted;
  }

  void make_ca() { ASSERT_TRUE(init_ca(plan(), {}).has_value()); }

  static void expect_problem(const DoctorReport& report, ErrorCode code) {
    const bool found = std::any_of(
        report.findings.begin(), report.findings.end(), [code](const DoctorFinding& finding) {
          return finding.severity == Severity::Problem && finding.code == code;
        });
    EXPECT_TRUE(found) << error_info(code).name << " expected in\n" << doctor_text(report);
    EXPECT_EQ(report.worst(), Severity::Problem);
  }
};

TEST_F(Doctor, FindsNothingWrongAfterACeremony) {
  make_ca();
  hsm_.make_read_only();
  const DoctorReport report = examine(request());
  EXPECT_EQ(report.worst(), Severity::Note) << doctor_text(report);
  EXPECT_THAT(report.library, HasSubstr("SoftHSM"));
  EXPECT_THAT(report.module_sha256_hex, SizeIs(64));
  const auto slot = std::find_if(report.slots.begin(), report.slots.end(), [](const auto& each) {
    return each.token.has_value();
  });
  ASSERT_NE(slot, report.slots.end());
  EXPECT_TRUE(slot->token->logged_in);
  ASSERT_THAT(slot->token->keys, SizeIs(1));
  EXPECT_EQ(slot->token->keys[0].type, "P-256");
  EXPECT_THAT(slot->token->keys[0].faults, IsEmpty());
}

TEST_F(Doctor, GivesTheLinesForTheConfiguration) {
  make_ca();
  const DoctorReport report = examine(request());
  const auto parsed = SettingsFile::parse(report.config_lines, "/linesign.toml");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().to_string();
  const auto settings = read_signer_settings(parsed->root());
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  EXPECT_EQ(settings->token.token_serial, serial_);
  EXPECT_THAT(doctor_text(report), HasSubstr(report.config_lines));
}

TEST_F(Doctor, WarnsOfATokenFolderThatALoginCanDestroy) {
  make_ca();
  const DoctorReport report = examine(request());
  EXPECT_EQ(report.worst(), Severity::Warning);
  EXPECT_THAT(doctor_text(report), HasSubstr("chmod -R a-w"));
}

TEST_F(Doctor, TriesNoPinWithoutAPinFile) {
  make_ca();
  DoctorRequest without = request();
  without.pin_file.clear();
  const DoctorReport report = examine(without);
  for (const DoctorSlot& slot : report.slots) {
    EXPECT_FALSE(slot.token && slot.token->logged_in);
  }
  EXPECT_THAT(doctor_text(report), HasSubstr("no PIN file was given"));
}

TEST_F(Doctor, SaysThatThePinIsWrong) {
  make_ca();
  hsm_.write_pin("999999");
  const DoctorReport report = examine(request());
  expect_problem(report, ErrorCode::HsmPinRefused);
  EXPECT_THAT(doctor_text(report), Not(HasSubstr("999999")));
}

TEST_F(Doctor, SaysThatTheModuleCannotBeLoaded) {
  DoctorRequest wrong = request();
  wrong.module = hsm_.pin_file();
  expect_problem(examine(wrong), ErrorCode::HsmModuleLoad);
  wrong.module = "/nonexistent/module.so";
  EXPECT_EQ(examine(wrong).worst(), Severity::Problem);
}

TEST_F(Doctor, SaysWhichTokensThereAre) {
  DoctorRequest wrong = request();
  wrong.token_label = "other";
  const DoctorReport report = examine(wrong);
  expect_problem(report, ErrorCode::HsmTokenNotFound);
  EXPECT_THAT(doctor_text(report), HasSubstr("'line'"));
}

TEST_F(Doctor, SaysThatTheKeyIsMissingOrUnsafe) {
  expect_problem(examine(request()), ErrorCode::HsmKeyNotFound);
  hsm_.import_key(test::kTokenLabel, test::kKeyLabel, "01", test::make_key(KeyType::EcP256).get());
  const DoctorReport report = examine(request());
  expect_problem(report, ErrorCode::HsmKeyUnsafe);
  EXPECT_THAT(doctor_text(report), HasSubstr("imported"));
}

TEST_F(Doctor, SaysThatTheCertificateIsAnothers) {
  make_ca();
  std::ofstream(folder() / "ca.pem") << test::SoftwareCa().pem();
  expect_problem(examine(request()), ErrorCode::HsmKeyMismatch);
}

TEST_F(Doctor, SaysOfTheUserOfSignersOnlyWhatItKnows) {
  DoctorRequest asked = request();
  EXPECT_THAT(doctor_text(examine(asked)), Not(HasSubstr("user in [hsm]")));
  asked.signer_user = "";
  EXPECT_THAT(doctor_text(examine(asked)), HasSubstr("user in [hsm] is not set"));
  asked.signer_user = "64102";
  EXPECT_THAT(doctor_text(examine(asked)),
              HasSubstr("user in [hsm] is 64102: `linesign status` says whether"));
}

TEST_F(Doctor, LooksAtTheOnlyTokenWithoutAQuestion) {
  DoctorRequest open;
  open.module = SoftHsm::module();
  const DoctorReport report = examine(open);
  EXPECT_THAT(report.config_lines, HasSubstr("token_serial = \"" + serial_ + "\""));
  hsm_.add_token("second");
  EXPECT_THAT(examine(open).config_lines, IsEmpty());
}

}  // namespace
}  // namespace linesign
