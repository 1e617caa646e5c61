#include "protocol/usage/usage_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linesign {
namespace {

using testing::HasSubstr;

// As linesign is built: two floors of commands, and --config understood on each.
std::string text_of(const std::string& words) {
  CLI::App app("", "linesign");
  app.fallthrough();
  app.require_subcommand(1);
  std::string value;
  app.add_option("--config", value);
  CLI::App* aws = app.add_subcommand("aws");
  aws->require_subcommand(1);
  aws->add_subcommand("upload")->add_option("--target", value);
  aws->add_subcommand("sign-login")->group("");
  app.add_subcommand("show")->add_option("FILE", value)->required();
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return usage_text(app, error);
  }
  return "no error";
}

TEST(UsageText, NamesTheUnknownSubcommandAndListsWhatThereIs) {
  EXPECT_EQ(text_of("aws uplaod"), "linesign aws has no \"uplaod\"; it has: upload");
  EXPECT_EQ(text_of("aws uplaod --target x"), "linesign aws has no \"uplaod\"; it has: upload");
  EXPECT_EQ(text_of("avs upload"), "linesign has no \"avs\"; it has: aws, show");
}

TEST(UsageText, AsksForASubcommandWhereNoneWasSaid) {
  EXPECT_EQ(text_of(""), "linesign needs one of: aws, show");
  EXPECT_EQ(text_of("aws"), "linesign aws needs one of: upload");
}

TEST(UsageText, NamesTheUnknownOptionAndListsWhatThereIs) {
  EXPECT_EQ(text_of("aws upload --taget x"),
            "linesign aws upload has no --taget; it has: --config, --help, --target");
  EXPECT_EQ(text_of("--confg x"), "linesign has no --confg; it has: --config, --help");
}

TEST(UsageText, LeavesOtherFaultsToThoseWhoKnowThem) {
  EXPECT_EQ(text_of("show"), "FILE is required");
  EXPECT_EQ(text_of("show a b"), "linesign show takes no \"b\"");
  EXPECT_THAT(text_of("show --config"), HasSubstr("--config"));
  EXPECT_EQ(text_of("show a"), "no error");
}

}  // namespace
}  // namespace linesign
