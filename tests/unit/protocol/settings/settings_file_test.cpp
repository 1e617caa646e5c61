#include "protocol/settings/settings_file.h"

#include <array>
#include <filesystem>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/base/file.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr const char* kPath = "/etc/line/linesign.toml";

SettingsFile parsed(std::string_view text) {
  auto file = SettingsFile::parse(text, kPath);
  EXPECT_TRUE(file.has_value()) << file.error().to_string();
  return std::move(file).value();
}

template <typename T>
std::string detail_of(const Result<T>& result) {
  return result.has_value() ? "(no error)" : result.error().detail();
}

TEST(SettingsFile, ReadsValuesOfEveryKind) {
  const SettingsFile file = parsed(
      "[hsm]\n"
      "label = \"line-ca\"\n"
      "signers = 4\n"
      "strict = true\n"
      "timeout = \"2s\"\n"
      "room = \"256MiB\"\n"
      "level = \"warn\"\n"
      "module = \"lib/p11.so\"\n"
      "usages = [\"a\", \"b\"]\n"
      "files = [\"x.pem\", \"/y.pem\"]\n"
      "factor = 0.8\n"
      "whole = 2\n"
      "parameters = {Name = \"{id}\", \"odd.name\" = \"\"}\n"
      "quotas = {Register = 15, Attach = 7.5}\n");
  const SettingsTable hsm = file.root().table("hsm").value();
  constexpr std::array<std::string_view, 3> kLevels = {"debug", "info", "warn"};

  EXPECT_TRUE(hsm.has("label"));
  EXPECT_EQ(hsm.text("label", "").value(), "line-ca");
  EXPECT_EQ(hsm.required_text("label").value(), "line-ca");
  EXPECT_EQ(hsm.integer("signers", {0, 256}, 1).value(), 4);
  EXPECT_TRUE(hsm.boolean("strict", false).value());
  EXPECT_EQ(hsm.duration("timeout", {1ms, 1h}, 5s).value(), 2s);
  EXPECT_EQ(hsm.size_bytes("room", {0, 1ULL << 40}, 0).value(), 256ULL << 20);
  EXPECT_EQ(hsm.choice("level", kLevels, 1).value(), 2U);
  EXPECT_EQ(hsm.path("module", "").value(), "/etc/line/lib/p11.so");
  EXPECT_EQ(hsm.required_path("module").value(), "/etc/line/lib/p11.so");
  EXPECT_THAT(hsm.text_list("usages", {}).value(), ElementsAre("a", "b"));
  EXPECT_THAT(hsm.path_list("files").value(), ElementsAre("/etc/line/x.pem", "/y.pem"));
  EXPECT_EQ(hsm.decimal("factor", {0, 1}, 0.5).value(), 0.8);
  EXPECT_EQ(hsm.decimal("whole", {0, 10}, 0.5).value(), 2.0);
  EXPECT_THAT(hsm.text_map("parameters").value(),
              ElementsAre(Pair("Name", "{id}"), Pair("odd.name", "")));
  EXPECT_THAT(hsm.decimal_map("quotas", {0.1, 100}).value(),
              ElementsAre(Pair("Attach", 7.5), Pair("Register", 15.0)));
  EXPECT_TRUE(file.check_all_known().has_value());
}

TEST(SettingsFile, GivesTheFallbackForAbsentKeysAndTables) {
  const SettingsFile file = parsed("");
  const SettingsTable hsm = file.root().table("hsm").value();
  constexpr std::array<std::string_view, 2> kLevels = {"debug", "info"};

  EXPECT_FALSE(hsm.has("label"));
  EXPECT_EQ(hsm.text("label", "x").value(), "x");
  EXPECT_EQ(hsm.integer("signers", {0, 256}, 7).value(), 7);
  EXPECT_FALSE(hsm.boolean("strict", false).value());
  EXPECT_EQ(hsm.duration("timeout", {1ms, 1h}, 5s).value(), 5s);
  EXPECT_EQ(hsm.size_bytes("room", {0, 10}, 3).value(), 3U);
  EXPECT_EQ(hsm.choice("level", kLevels, 1).value(), 1U);
  EXPECT_EQ(hsm.path("lock", "login.lock").value(), "/etc/line/login.lock");
  EXPECT_TRUE(hsm.path("none", "").value().empty());
  EXPECT_THAT(hsm.text_list("usages", {"u"}).value(), ElementsAre("u"));
  EXPECT_TRUE(hsm.path_list("files").value().empty());
  EXPECT_EQ(hsm.decimal("factor", {0, 1}, 0.5).value(), 0.5);
  EXPECT_TRUE(hsm.text_map("parameters").value().empty());
  EXPECT_TRUE(hsm.decimal_map("quotas", {0, 1}).value().empty());
  EXPECT_TRUE(hsm.tables("slot").value().empty());
  EXPECT_TRUE(file.check_all_known().has_value());
}

TEST(SettingsFile, KeepsRelativePathsRelativeWithoutAFolder) {
  const auto file = SettingsFile::parse("a = \"b/c\"", "linesign.toml");
  EXPECT_EQ(file->root().path("a", "").value(), "b/c");
}

struct BadValue {
  const char* name;
  const char* line;
  std::function<Result<void>(const SettingsTable&)> read;
  ErrorCode code;
  const char* detail;
};

void PrintTo(const BadValue& bad, std::ostream* out) { *out << bad.name; }

template <typename T>
Result<void> without_value(Result<T> result) {
  if (!result.has_value()) return fail(std::move(result).error());
  return {};
}

Result<void> read_text(const SettingsTable& table) { return without_value(table.text("k", "")); }
Result<void> read_required(const SettingsTable& table) {
  return without_value(table.required_text("k"));
}
Result<void> read_flag(const SettingsTable& table) {
  return without_value(table.boolean("k", false));
}
Result<void> read_number(const SettingsTable& table) {
  return without_value(table.integer("k", {0, 256}, 0));
}
Result<void> read_duration(const SettingsTable& table) {
  return without_value(table.duration("k", {100ms, 1h}, 1s));
}
Result<void> read_size(const SettingsTable& table) {
  return without_value(table.size_bytes("k", {1024, 1ULL << 30}, 1024));
}
Result<void> read_choice(const SettingsTable& table) {
  constexpr std::array<std::string_view, 2> kAllowed = {"info", "warn"};
  return without_value(table.choice("k", kAllowed, 0));
}
Result<void> read_path(const SettingsTable& table) { return without_value(table.path("k", "")); }
Result<void> read_required_path(const SettingsTable& table) {
  return without_value(table.required_path("k"));
}
Result<void> read_list(const SettingsTable& table) {
  return without_value(table.text_list("k", {}));
}
Result<void> read_table(const SettingsTable& table) { return without_value(table.table("k")); }
Result<void> read_tables(const SettingsTable& table) { return without_value(table.tables("k")); }
Result<void> read_decimal(const SettingsTable& table) {
  return without_value(table.decimal("k", {0.1, 1}, 0.8));
}
Result<void> read_text_map(const SettingsTable& table) {
  return without_value(table.text_map("k"));
}
Result<void> read_decimal_map(const SettingsTable& table) {
  return without_value(table.decimal_map("k", {0.1, 100}));
}

class SettingsError : public testing::TestWithParam<BadValue> {};

TEST_P(SettingsError, NamesFileLineKeyAndWhatIsAllowed) {
  const BadValue& bad = GetParam();
  const SettingsFile file = parsed(std::string("\n[hsm]\n") + bad.line + "\n");
  const SettingsTable table = file.root().table("hsm").value();

  const Result<void> result = bad.read(table);

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), bad.code);
  EXPECT_EQ(result.error().detail(), bad.detail);
  EXPECT_EQ(result.error().exit_code(), 78);
}

#define AT "/etc/line/linesign.toml:3: hsm.k: "
INSTANTIATE_TEST_SUITE_P(
    SettingsFile,
    SettingsError,
    testing::Values(
        BadValue{"IntegerAsText",
                 "k = \"four\"",
                 read_number,
                 ErrorCode::ConfigType,
                 AT "expected an integer from 0 to 256, found \"four\""},
        BadValue{"IntegerAsDecimal",
                 "k = 4.5",
                 read_number,
                 ErrorCode::ConfigType,
                 AT "expected an integer from 0 to 256, found 4.5"},
        BadValue{"IntegerTooLarge",
                 "k = 257",
                 read_number,
                 ErrorCode::ConfigRange,
                 AT "expected an integer from 0 to 256, found 257"},
        BadValue{"IntegerTooSmall",
                 "k = -1",
                 read_number,
                 ErrorCode::ConfigRange,
                 AT "expected an integer from 0 to 256, found -1"},
        BadValue{"DurationWithoutUnit",
                 "k = \"10\"",
                 read_duration,
                 ErrorCode::ConfigType,
                 AT "expected a duration from 100ms to 1h, a whole number with its unit "
                    "(ms, s, m, h, d, y) in quotes, found \"10\""},
        BadValue{"DurationAsNumber",
                 "k = 10",
                 read_duration,
                 ErrorCode::ConfigType,
                 AT "expected a duration from 100ms to 1h, a whole number with its unit "
                    "(ms, s, m, h, d, y) in quotes, found 10"},
        BadValue{"DurationTooLong",
                 "k = \"2d\"",
                 read_duration,
                 ErrorCode::ConfigRange,
                 AT "expected a duration from 100ms to 1h, found \"2d\""},
        BadValue{"DurationTooShort",
                 "k = \"99ms\"",
                 read_duration,
                 ErrorCode::ConfigRange,
                 AT "expected a duration from 100ms to 1h, found \"99ms\""},
        BadValue{"SizeWithoutUnit",
                 "k = 4096",
                 read_size,
                 ErrorCode::ConfigType,
                 AT "expected a size from 1KiB to 1GiB, a whole number with its unit "
                    "(B, KiB, MiB, GiB, TiB) in quotes, found 4096"},
        BadValue{"SizeTooLarge",
                 "k = \"2GiB\"",
                 read_size,
                 ErrorCode::ConfigRange,
                 AT "expected a size from 1KiB to 1GiB, found \"2GiB\""},
        BadValue{"FlagAsText",
                 "k = \"yes\"",
                 read_flag,
                 ErrorCode::ConfigType,
                 AT "expected true or false, found \"yes\""},
        BadValue{"ChoiceUnknown",
                 "k = \"loud\"",
                 read_choice,
                 ErrorCode::ConfigRange,
                 AT "expected one of \"info\", \"warn\", found \"loud\""},
        BadValue{"ChoiceAsNumber",
                 "k = 1",
                 read_choice,
                 ErrorCode::ConfigType,
                 AT "expected one of \"info\", \"warn\", found 1"},
        // The value is not shown: somebody may write the PIN where its file belongs.
        BadValue{"TextAsNumber",
                 "k = 1234",
                 read_text,
                 ErrorCode::ConfigType,
                 AT "expected a text in quotes, found an integer"},
        BadValue{"TextWithControlCharacter",
                 "k = \"a\\nb\"",
                 read_text,
                 ErrorCode::ConfigRange,
                 AT "control characters are not allowed"},
        BadValue{"RequiredEmpty",
                 "k = \"\"",
                 read_required,
                 ErrorCode::ConfigRange,
                 AT "expected a text that is not empty"},
        BadValue{"PathEmpty",
                 "k = \"\"",
                 read_path,
                 ErrorCode::ConfigRange,
                 AT "expected a path that is not empty"},
        BadValue{"RequiredPathEmpty",
                 "k = \"\"",
                 read_required_path,
                 ErrorCode::ConfigRange,
                 AT "expected a text that is not empty"},
        BadValue{"ListAsText",
                 "k = \"a\"",
                 read_list,
                 ErrorCode::ConfigType,
                 AT "expected a list of texts such as [\"...\"], found a text"},
        BadValue{"ListWithNumber",
                 "k = [\"a\", 2]",
                 read_list,
                 ErrorCode::ConfigType,
                 "/etc/line/linesign.toml:3: hsm.k[1]: expected a text in quotes that is not empty "
                 "and has no control characters, found 2"},
        BadValue{"TableAsText",
                 "k = \"a\"",
                 read_table,
                 ErrorCode::ConfigType,
                 AT "expected a table [hsm.k], found a text"},
        BadValue{"TablesAsTable",
                 "k = {}",
                 read_tables,
                 ErrorCode::ConfigType,
                 AT "expected tables [[hsm.k]], found a table"},
        BadValue{"TablesAsTexts",
                 "k = [{}, \"a\"]",
                 read_tables,
                 ErrorCode::ConfigType,
                 AT "expected tables [[hsm.k]], found a list of something else"},
        BadValue{"DecimalAsText",
                 "k = \"0.8\"",
                 read_decimal,
                 ErrorCode::ConfigType,
                 AT "expected a number from 0.1 to 1, found \"0.8\""},
        BadValue{"DecimalAsFlag",
                 "k = true",
                 read_decimal,
                 ErrorCode::ConfigType,
                 AT "expected a number from 0.1 to 1, found true"},
        BadValue{"DecimalTooLarge",
                 "k = 1.5",
                 read_decimal,
                 ErrorCode::ConfigRange,
                 AT "expected a number from 0.1 to 1, found 1.5"},
        BadValue{"DecimalNotANumber",
                 "k = nan",
                 read_decimal,
                 ErrorCode::ConfigRange,
                 AT "expected a number from 0.1 to 1, found nan"},
        BadValue{"MapAsText",
                 "k = \"a\"",
                 read_text_map,
                 ErrorCode::ConfigType,
                 AT "expected names and values such as {name = ...}, found a text"},
        BadValue{"MapWithNumber",
                 "k = {a = \"x\", b = 2}",
                 read_text_map,
                 ErrorCode::ConfigType,
                 "/etc/line/linesign.toml:3: hsm.k.b: expected a text in quotes without control "
                 "characters, found an integer"},
        BadValue{"MapWithControlCharacter",
                 "k = {a = \"x\\ty\"}",
                 read_text_map,
                 ErrorCode::ConfigRange,
                 "/etc/line/linesign.toml:3: hsm.k.a: expected a text in quotes without control "
                 "characters, found a text"},
        BadValue{"NumbersOutOfRange",
                 "k = {a = 5, b = 0}",
                 read_decimal_map,
                 ErrorCode::ConfigRange,
                 "/etc/line/linesign.toml:3: hsm.k.b: expected a number from 0.1 to 100, found "
                 "0"}),
    [](const auto& bad) { return std::string(bad.param.name); });
#undef AT

TEST(SettingsFile, ReadsEachTableOfAList) {
  const SettingsFile file = parsed(
      "[aws]\n[[aws.target]]\nname = \"a\"\n[aws.target.role]\narn = \"r\"\n"
      "[[aws.target]]\nname = \"b\"\n");
  const auto targets = file.root().table("aws")->tables("target");
  ASSERT_TRUE(targets.has_value()) << targets.error().to_string();
  ASSERT_EQ(targets->size(), 2U);
  EXPECT_EQ((*targets)[0].text("name", "").value(), "a");
  EXPECT_EQ((*targets)[0].table("role")->text("arn", "").value(), "r");
  EXPECT_EQ((*targets)[1].text("name", "").value(), "b");
  EXPECT_TRUE(file.check_all_known().has_value());
  const Error error = (*targets)[1].error_at("name", ErrorCode::ConfigRange, "no");
  EXPECT_EQ(error.detail(), "/etc/line/linesign.toml:7: aws.target.name: no");
}

TEST(SettingsFile, FindsAnUnknownKeyInATableOfAList) {
  const SettingsFile file = parsed("[[target]]\nname = \"a\"\n[[target]]\nnmae = \"b\"\n");
  const auto targets = file.root().tables("target");
  for (const SettingsTable& target : *targets) ASSERT_TRUE(target.text("name", "").has_value());
  EXPECT_EQ(detail_of(file.check_all_known()),
            "/etc/line/linesign.toml:4: target.nmae: unknown key; did you mean \"name\"? "
            "Known here: name");
}

TEST(SettingsFile, PointsAtTheTableWhenARequiredKeyIsMissing) {
  const SettingsFile file = parsed("\n\n[hsm]\n");
  const auto value = file.root().table("hsm")->required_text("module");
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().code(), ErrorCode::ConfigMissing);
  EXPECT_EQ(value.error().detail(), "/etc/line/linesign.toml:3: hsm.module: this key is required");
}

TEST(SettingsFile, PointsAtTheFileWhenTheTableIsMissingToo) {
  const SettingsFile file = parsed("");
  const auto value = file.root().table("hsm")->required_path("module");
  EXPECT_EQ(detail_of(value), "/etc/line/linesign.toml: hsm.module: this key is required");
}

TEST(SettingsFile, NamesAnUnknownKeyTheKnownOnesAndTheLikelyOne) {
  const SettingsFile file = parsed("[hsm]\nmodule = \"x\"\nsingers = 4\n");
  const SettingsTable hsm = file.root().table("hsm").value();
  ASSERT_TRUE(hsm.text("module", "").has_value());
  ASSERT_TRUE(hsm.integer("signers", {0, 256}, 0).has_value());

  const auto known = file.check_all_known();

  ASSERT_FALSE(known.has_value());
  EXPECT_EQ(known.error().code(), ErrorCode::ConfigUnknownKey);
  EXPECT_EQ(known.error().detail(),
            "/etc/line/linesign.toml:3: hsm.singers: unknown key; did you mean \"signers\"? "
            "Known here: module, signers");
}

TEST(SettingsFile, NamesNoLikelyKeyWhenNoneIsClose) {
  const SettingsFile file = parsed("[hsm]\ncolour = 4\n");
  ASSERT_TRUE(file.root().table("hsm")->integer("signers", {0, 256}, 0).has_value());
  EXPECT_EQ(detail_of(file.check_all_known()),
            "/etc/line/linesign.toml:2: hsm.colour: unknown key. Known here: signers");
}

TEST(SettingsFile, ReportsTheFirstUnknownKeyInTheOrderOfTheFile) {
  const SettingsFile file = parsed("[z]\nb = 1\n[a]\nc = 1\n");
  ASSERT_TRUE(file.root().table("z").has_value());
  ASSERT_TRUE(file.root().table("a").has_value());
  EXPECT_THAT(detail_of(file.check_all_known()), HasSubstr("toml:2: z.b: unknown key"));
}

TEST(SettingsFile, ReportsAnUnknownTable) {
  const SettingsFile file = parsed("[hsm]\n[leger]\nx = 1\n");
  ASSERT_TRUE(file.root().table("hsm").has_value());
  ASSERT_TRUE(file.root().table("ledger").has_value());
  EXPECT_EQ(detail_of(file.check_all_known()),
            "/etc/line/linesign.toml:2: leger: unknown key; did you mean \"ledger\"? "
            "Known here: hsm, ledger");
}

TEST(SettingsFile, LeavesTablesOfAnotherReaderAlone) {
  const SettingsFile file = parsed("[hsm]\n[ledger]\nx = 1\n");
  ASSERT_TRUE(file.root().table("hsm").has_value());
  constexpr std::array<std::string_view, 1> kIgnored = {"ledger"};
  EXPECT_TRUE(file.check_all_known(kIgnored).has_value());
}

TEST(SettingsFile, ListsEveryKeyThatWasAskedFor) {
  const SettingsFile file = parsed("");
  ASSERT_TRUE(file.root().table("hsm")->text("module", "").has_value());
  EXPECT_THAT(file.known_keys(), ElementsAre("hsm", "hsm.module"));
}

TEST(SettingsFile, PointsErrorsOfTheCallerAtTheKey) {
  const SettingsFile file = parsed("[hsm]\nuri = \"x\"\n");
  const Error error =
      file.root().table("hsm")->error_at("uri", ErrorCode::ConfigConflict, "not with token_label");
  EXPECT_EQ(error.to_string(),
            "ConfigConflict: Conflicting settings. "
            "(/etc/line/linesign.toml:2: hsm.uri: not with token_label)");
}

TEST(SettingsFile, NamesTheLineOfASyntaxError) {
  const auto file = SettingsFile::parse("[hsm]\nsigners = four\n", kPath);
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code(), ErrorCode::ConfigSyntax);
  EXPECT_THAT(file.error().detail(), HasSubstr("/etc/line/linesign.toml:2: "));
}

// These break assertions inside of toml++ 3.3.0.
TEST(SettingsFile, SurvivesMistypedBrackets) {
  for (const char* text :
       {"[`name]", "x = [}", "x = {]", "x = {a=`}", "[[`", "x = [1,,2]", "a.`b=1"}) {
    const auto file = SettingsFile::parse(text, kPath);
    ASSERT_FALSE(file.has_value()) << text;
    EXPECT_EQ(file.error().code(), ErrorCode::ConfigSyntax) << text;
  }
}

// They reach what toml++ 3.3.0 calls unreachable.
TEST(SettingsFile, NamesTheLineOfAForeignLetterOutsideOfQuotes) {
  for (const char* text :
       {"# gr\u00f6\u00dfe\n\u00e4 = 1\n", "\na = 2x=\"\u00e4\"\n", "\n[\u00e4]"}) {
    const auto file = SettingsFile::parse(text, kPath);
    ASSERT_FALSE(file.has_value()) << text;
    EXPECT_EQ(file.error().code(), ErrorCode::ConfigSyntax) << text;
    EXPECT_THAT(file.error().detail(), HasSubstr("/etc/line/linesign.toml:2: ")) << text;
  }
}

TEST(SettingsFile, ReadsForeignLettersInsideOfQuotes) {
  const SettingsFile file = parsed("a = \"M\u00fcnchen\"  # \u00e4\n");
  EXPECT_EQ(file.root().text("a", "").value(), "M\u00fcnchen");
}

TEST(SettingsFile, RefusesADuplicateKey) {
  const auto file = SettingsFile::parse("a = 1\na = 2\n", kPath);
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code(), ErrorCode::ConfigSyntax);
}

TEST(SettingsFile, RefusesBytesThatAreNotUtf8) {
  EXPECT_FALSE(SettingsFile::parse("a = \"\xff\xfe\"\n", kPath).has_value());
}

TEST(SettingsFile, NamesAFileThatIsNotThere) {
  const auto file = SettingsFile::load("/nonexistent/linesign.toml");
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code(), ErrorCode::ConfigUnreadable);
  EXPECT_EQ(file.error().detail(), "/nonexistent/linesign.toml: No such file or directory");
}

TEST(SettingsFile, RefusesAFileOfMoreThanOneMebibyte) {
  const TempDir folder;
  const std::filesystem::path path = folder.path() / "large.toml";
  const std::string text(1024 * 1024 + 1, '#');
  ASSERT_TRUE(
      write_file_atomic(path, as_bytes(text), 0600, Overwrite::Refuse, Durability::Renamed));

  const auto file = SettingsFile::load(path);

  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code(), ErrorCode::ConfigUnreadable);
}

}  // namespace
}  // namespace linesign
