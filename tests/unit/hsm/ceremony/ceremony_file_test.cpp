#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "hsm/ceremony/ceremony.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

// The lines of a good file, by key; a test changes or drops one.
using Lines = std::map<std::string, std::map<std::string, std::string>>;

Lines good_lines() {
  return {{"token", {{"module", "\"/lib/m.so\""}, {"label", "\"line\""}, {"pin_file", "\"pin\""}}},
          {"key", {{"type", "\"P-384\""}, {"label", "\"device-ca\""}}},
          {"ca",
           {{"kind", "\"root\""},
            {"subject", "[\"C=DE\", \"O=Example\", \"CN=Example Device CA\"]"},
            {"validity", "\"20y\""}}},
          {"output", {}}};
}

class CeremonyFile : public testing::Test {
 protected:
  Result<CeremonyPlan> load(const Lines& lines) {
    const auto file = directory_.path() / "ceremony.toml";
    std::ofstream stream(file);
    for (const auto& [table, keys] : lines) {
      stream << "[" << table << "]\n";
      for (const auto& [key, value] : keys) stream << key << " = " << value << "\n";
    }
    stream.close();
    return load_ceremony(file);
  }

  void expect_error(const Lines& lines, ErrorCode code, const std::string& key) {
    const auto plan = load(lines);
    ASSERT_FALSE(plan.has_value()) << key;
    EXPECT_EQ(plan.error().code(), code) << plan.error().to_string();
    EXPECT_NE(plan.error().detail().find(key), std::string::npos) << plan.error().to_string();
  }

  TempDir directory_;
};

TEST_F(CeremonyFile, IsReadWithDefaults) {
  const auto plan = load(good_lines());
  ASSERT_TRUE(plan.has_value()) << plan.error().to_string();
  EXPECT_EQ(plan->token.token_label, "line");
  EXPECT_EQ(plan->token.key_label, "device-ca");
  EXPECT_EQ(plan->token.pin_file, directory_.path() / "pin");
  EXPECT_EQ(plan->key_type, KeyType::EcP384);
  EXPECT_EQ(plan->kind, CaKind::Root);
  EXPECT_EQ(plan->subject.size(), 3U);
  EXPECT_EQ(plan->subject.back(), (std::pair<std::string, std::string>("CN", "Example Device CA")));
  EXPECT_EQ(plan->validity, std::chrono::days(20 * 365));
  EXPECT_FALSE(plan->no_expiry);
  EXPECT_EQ(plan->path_length, 0);
  EXPECT_EQ(plan->certificate, directory_.path() / "ca.pem");
  EXPECT_EQ(plan->csr, directory_.path() / "ca.csr");
  EXPECT_EQ(plan->transcript, directory_.path() / "ca-transcript.txt");
  EXPECT_TRUE(plan->who.empty());
}

TEST_F(CeremonyFile, TakesAUriForTheToken) {
  Lines lines = good_lines();
  lines["token"] = {{"uri", "\"pkcs11:token=line;serial=12?module-path=/lib/m.so\""},
                    {"pin_file", "\"pin\""}};
  const auto plan = load(lines);
  ASSERT_TRUE(plan.has_value()) << plan.error().to_string();
  EXPECT_EQ(plan->token.module, "/lib/m.so");
  EXPECT_EQ(plan->token.token_serial, "12");
}

TEST_F(CeremonyFile, RefusesAUriThatNamesAnotherKey) {
  Lines lines = good_lines();
  lines["token"] = {{"uri", "\"pkcs11:token=line;object=other\""},
                    {"module", "\"/lib/m.so\""},
                    {"pin_file", "\"pin\""}};
  expect_error(lines, ErrorCode::ConfigConflict, "key.label");
}

TEST_F(CeremonyFile, KnowsNoExpiry) {
  Lines lines = good_lines();
  lines["ca"]["validity"] = "\"no-expiry\"";
  const auto plan = load(lines);
  ASSERT_TRUE(plan.has_value()) << plan.error().to_string();
  EXPECT_TRUE(plan->no_expiry);
}

TEST_F(CeremonyFile, NeedsNoValidityForAnIntermediate) {
  Lines lines = good_lines();
  lines["ca"].erase("validity");
  expect_error(lines, ErrorCode::ConfigMissing, "ca.validity");
  lines["ca"]["kind"] = "\"intermediate\"";
  EXPECT_TRUE(load(lines).has_value());
}

TEST_F(CeremonyFile, NamesEveryKeyThatIsMissing) {
  for (const auto& [table, key] : {std::pair("token", "module"),
                                   {"token", "label"},
                                   {"token", "pin_file"},
                                   {"key", "type"},
                                   {"key", "label"},
                                   {"ca", "kind"},
                                   {"ca", "subject"}}) {
    Lines lines = good_lines();
    lines[table].erase(key);
    expect_error(lines, ErrorCode::ConfigMissing, std::string(table) + "." + key);
  }
}

TEST_F(CeremonyFile, RefusesImpossibleSubjects) {
  for (const char* subject :
       {"[\"CN\"]",
        "[\"CN=\"]",
        "[\"X=1\", \"CN=a\"]",
        "[\"C=DEU\", \"CN=a\"]",
        "[\"CN=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "a\"]"}) {
    Lines lines = good_lines();
    lines["ca"]["subject"] = subject;
    expect_error(lines, ErrorCode::ConfigRange, "ca.subject");
  }
}

TEST_F(CeremonyFile, RefusesOneFileForTwoOutputs) {
  Lines lines = good_lines();
  lines["output"]["csr"] = "\"ca.pem\"";
  expect_error(lines, ErrorCode::ConfigConflict, "output.certificate");
}

TEST_F(CeremonyFile, LeavesNoKeyUnknown) {
  Lines lines = good_lines();
  lines["key"]["bits"] = "2048";
  expect_error(lines, ErrorCode::ConfigUnknownKey, "key.bits");
}

}  // namespace
}  // namespace linesign
