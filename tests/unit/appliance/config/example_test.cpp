// appliance/config/linesign.toml.example is the reference: held to the loader in both directions.
#include <cctype>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "appliance/config/config.h"
#include "protocol/base/file.h"
#include "tests/support/source_tree.h"

namespace linesign {
namespace {

constexpr const char* kExampleFile = "/plant/linesign.toml";

std::string example() {
  const auto content =
      read_file(test::source_dir() / "appliance/config/linesign.toml.example", 1024 * 1024);
  EXPECT_TRUE(content.has_value()) << content.error().to_string();
  return std::string(as_text(*content));
}

size_t start_of_target(const std::string& text) {
  const size_t before = text.find("\n#[[aws.target]]\n");
  EXPECT_NE(before, std::string::npos);
  return before + 1;
}

std::string example_without_target() {
  const std::string text = example();
  return text.substr(0, start_of_target(text));
}

// The example with its target: without the first # of every line from there on.
std::string example_with_target() {
  const std::string text = example();
  const size_t start = start_of_target(text);
  std::string out = text.substr(0, start);
  std::istringstream lines(text.substr(start));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.starts_with('#')) << line;
    out += line.substr(1) + '\n';
  }
  return out;
}

// The key of "key = value".
std::optional<std::string> key_of(const std::string& line) {
  size_t end = 0;
  while (end < line.size() && (std::islower(line[end]) != 0 || line[end] == '_')) ++end;
  if (end == 0 || line.compare(end, 3, " = ") != 0) return std::nullopt;
  return line.substr(0, end);
}

// Takes the # from every "#key = value".
std::string with_every_default(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    const bool is_default = line.starts_with('#') && key_of(line.substr(1)).has_value();
    out += is_default ? line.substr(1) : line;
    out += '\n';
  }
  return out;
}

std::set<std::string> keys_in(const std::string& text) {
  constexpr std::string_view kOther = "# or: ";
  std::istringstream lines(text);
  std::set<std::string> keys;
  std::string table;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('[')) {
      const size_t start = line.find_first_not_of('[');
      table = line.substr(start, line.find(']') - start);
      keys.insert(table);
      continue;
    }
    if (line.starts_with(kOther)) {
      line.erase(0, kOther.size());
    } else if (line.starts_with('#')) {
      line.erase(0, 1);
    }
    if (const auto key = key_of(line)) keys.insert(table + "." + *key);
  }
  return keys;
}

Result<SettingsFile> settings_of(const std::string& text) {
  return SettingsFile::parse(text, kExampleFile);
}

std::string in_words(const TargetConfig& target) {
  std::string text;
  for (const std::string& part : {target.name,
                                  target.account,
                                  target.region,
                                  std::string(to_string(target.mode)),
                                  std::string(to_string(target.way)),
                                  target.thing_name,
                                  target.thing_type,
                                  target.policy,
                                  target.thing_group,
                                  target.template_file.string(),
                                  target.bucket,
                                  target.prefix,
                                  target.role_arn_bulk,
                                  target.template_name,
                                  target.registration_role_arn,
                                  target.export_dir.string(),
                                  target.credentials.profile,
                                  target.credentials.assume_role_arn,
                                  target.credentials.external_id,
                                  target.credentials.role_session_name,
                                  target.endpoint_url,
                                  target.ca_bundle.string()})
    text += part + '\n';
  for (const FieldTexts& texts : {target.attributes, target.parameters})
    for (const auto& [name, value] : texts) text += name + '=' + value + '\n';
  for (const auto& [name, value] : target.quotas) text += name + '=' + std::to_string(value) + '\n';
  for (const bool flag : {target.is_active,
                          target.register_without_ca,
                          target.send_ca_certificate,
                          target.credentials.roles_anywhere.has_value()})
    text += flag ? "yes\n" : "no\n";
  text += std::to_string(target.chunk_lines) + '\n';
  text += std::to_string(target.min_lines) + ' ' + std::to_string(target.max_wait.count()) + '\n';
  text += std::to_string(target.rate_factor) + '\n';
  return text + std::to_string(target.credentials.session_duration.count()) + '\n';
}

// Everything that a Config holds, as text to compare.
std::string in_words(const Config& config) {
  const SignerSettings& signer = config.signer;
  const ListenerSettings& listener = config.stations.listener;
  std::string text = canonical_text(signer.profile);
  const auto add = [&text](const auto& value) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) {
      text += std::to_string(value);
    } else {
      text += value;
    }
    text += '\n';
  };
  for (const std::filesystem::path& path : {config.file,
                                            signer.token.module,
                                            signer.token.pin_file,
                                            signer.login_lock,
                                            signer.pin_memory,
                                            signer.ca_certificate,
                                            config.stations.credential_dir,
                                            config.ledger.directory,
                                            config.admin.socket})
    add(path.string());
  for (const std::string& name : {signer.token.token_label,
                                  signer.token.token_serial,
                                  signer.token.key_label,
                                  signer.token.key_id_hex,
                                  listener.address,
                                  config.stations.advertise,
                                  config.daemon.log_level})
    add(name);
  for (const auto time : {signer.sign_timeout,
                          signer.start_timeout,
                          listener.handshake_timeout,
                          listener.hello_timeout,
                          listener.frame_timeout,
                          listener.idle_timeout,
                          config.daemon.drain_timeout})
    add(time.count());
  for (const auto time : {config.stations.token_lifetime,
                          config.stations.certificate_validity,
                          config.issuance.max_clock_step_back,
                          config.issuance.max_clock_ahead})
    add(time.count());
  add(signer.signers);
  add(signer.threads_per_signer);
  add(listener.window);
  add(listener.max_sessions);
  add(listener.max_sessions_per_station);
  add(config.issuance.max_in_flight);
  add(config.issuance.min_free_bytes);
  add(config.aws.state_dir.string());
  for (const std::string& name : config.aws.targets_of_default_order) add(name);
  for (const TargetConfig& target : config.aws.targets) text += in_words(target);
  return text;
}

TEST(ExampleConfig, LoadsAsItIs) {
  const auto settings = settings_of(example());
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  const auto config = read_config(*settings, kExampleFile);
  EXPECT_TRUE(config.has_value()) << config.error().to_string();
}

void expect_true_defaults(const std::string& text) {
  const auto plain = settings_of(text);
  const auto written_out = settings_of(with_every_default(text));
  ASSERT_TRUE(plain.has_value()) << plain.error().to_string();
  ASSERT_TRUE(written_out.has_value()) << written_out.error().to_string();
  const auto defaults = read_config(*plain, kExampleFile);
  const auto shown = read_config(*written_out, kExampleFile);
  ASSERT_TRUE(defaults.has_value()) << defaults.error().to_string();
  ASSERT_TRUE(shown.has_value()) << shown.error().to_string();
  EXPECT_EQ(in_words(*shown), in_words(*defaults));
}

TEST(ExampleConfig, ShowsTheTrueDefaults) {
  expect_true_defaults(example_without_target());
  expect_true_defaults(example_with_target());
}

TEST(ExampleConfig, ShowsATargetThatLoads) {
  const auto settings = settings_of(example_with_target());
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  const auto config = read_config(*settings, kExampleFile);
  ASSERT_TRUE(config.has_value()) << config.error().to_string();
  ASSERT_EQ(config->aws.targets.size(), 1U);
  EXPECT_EQ(config->aws.targets[0].name, "production-eu");
}

TEST(ExampleConfig, ShowsEveryKeyThatTheLoaderKnowsAndNoOther) {
  const std::string text = example_with_target();
  const auto settings = settings_of(text);
  ASSERT_TRUE(settings.has_value());
  ASSERT_TRUE(read_config(*settings, kExampleFile).has_value());
  const std::vector<std::string> known = settings->known_keys();
  EXPECT_EQ(keys_in(text), std::set<std::string>(known.begin(), known.end()));
}

}  // namespace
}  // namespace linesign
