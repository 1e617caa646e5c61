#include "stations/client/command_line.h"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace linesign::client {
namespace {

Command parse(std::vector<const char*> words) {
  words.insert(words.begin(), "linesign-station");
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  Command command = parse_command_line(static_cast<int>(words.size()), words.data());
  testing::internal::GetCapturedStdout();
  testing::internal::GetCapturedStderr();
  return command;
}

int exit_code(const std::vector<const char*>& words) {
  const Command command = parse(words);
  return std::holds_alternative<ExitNow>(command) ? std::get<ExitNow>(command).exit_code : -1;
}

TEST(CommandLine, TakesTheContractOfTheDesign) {
  const Command enroll = parse({"enroll", "LSJ1.abc", "--dir", "station"});
  EXPECT_EQ(std::get<EnrollCommand>(enroll).token, "LSJ1.abc");
  const Command request = parse(
      {"request", "--dir", "station", "--order", "o1", "--generate", "100", "--out", "certs/"});
  const auto& wanted = std::get<RequestCommand>(request);
  EXPECT_EQ(wanted.order, "o1");
  EXPECT_EQ(wanted.generate, 100U);
  EXPECT_EQ(wanted.out, "certs");
  EXPECT_EQ(wanted.keys, "certs-keys");
  EXPECT_EQ(wanted.timeout, std::chrono::minutes(10));
}

TEST(CommandLine, TakesATokenFromStandardInputOrAFile) {
  EXPECT_EQ(std::get<EnrollCommand>(parse({"enroll", "-", "--dir", "d"})).token, "-");
  EXPECT_EQ(
      std::get<EnrollCommand>(parse({"enroll", "--token-file", "f", "--dir", "d"})).token_file,
      "f");
}

TEST(CommandLine, TakesTheSourceOfDeviceIds) {
  const auto from = [](const char* word) {
    return std::get<RequestCommand>(parse({"request",
                                           "--dir",
                                           "d",
                                           "--out",
                                           "o",
                                           "--csr-dir",
                                           "c",
                                           "--device-id-from",
                                           word}))
        .device_id_from;
  };
  EXPECT_EQ(from("any"), DeviceIdFrom::Any);
  EXPECT_EQ(from("file-name"), DeviceIdFrom::FileName);
  EXPECT_EQ(from("common-name"), DeviceIdFrom::CommonName);
  EXPECT_EQ(from("serial-number"), DeviceIdFrom::SerialNumber);
}

TEST(CommandLine, ExplainsItself) {
  EXPECT_EQ(exit_code({"--help"}), 0);
  EXPECT_EQ(exit_code({"--version"}), 0);
  EXPECT_EQ(exit_code({"request", "--help"}), 0);
}

TEST(CommandLine, NamesAnUnknownWordAndListsWhatThereIs) {
  testing::internal::CaptureStderr();
  const std::array<const char*, 2> words = {"linesign-station", "enrol"};
  static_cast<void>(parse_command_line(static_cast<int>(words.size()), words.data()));
  EXPECT_NE(testing::internal::GetCapturedStderr().find(
                "linesign-station has no \"enrol\"; it has: enroll, request, status"),
            std::string::npos);
}

class WrongWords : public testing::TestWithParam<std::vector<const char*>> {};

TEST_P(WrongWords, AreAUsageError) { EXPECT_EQ(exit_code(GetParam()), 64); }

using Arguments = std::vector<const char*>;
INSTANTIATE_TEST_SUITE_P(
    Lines,
    WrongWords,
    testing::Values(
        Arguments{},
        Arguments{"dance"},
        Arguments{"enroll", "--dir", "d"},
        Arguments{"enroll", "T", "--token-file", "f", "--dir", "d"},
        Arguments{"enroll", "T"},
        Arguments{"request", "--dir", "d", "--out", "o"},
        Arguments{"request", "--dir", "d", "--csr", "c"},
        Arguments{"request", "--dir", "d", "--out", "o", "--csr", "c", "--generate", "1"},
        Arguments{"request", "--dir", "d", "--out", "o", "--generate", "0"},
        Arguments{"request", "--dir", "d", "--out", "o", "--csr", "c", "--device-id-from", "mac"},
        Arguments{"request",
                  "--dir",
                  "d",
                  "--out",
                  "o",
                  "--csr",
                  "c",
                  "--device-id",
                  "a",
                  "--device-id-from",
                  "file-name"},
        Arguments{"request",
                  "--dir",
                  "d",
                  "--out",
                  "o",
                  "--generate",
                  "1",
                  "--device-id-from",
                  "file-name"},
        Arguments{"request", "--dir", "d", "--out", "o", "--generate", "x"},
        Arguments{"request", "--dir", "d", "--out", "o", "--csr-dir", "c", "--device-id", "a"},
        Arguments{"request", "--dir", "d", "--out", "o", "--csr", "c", "--device-id", "a b"},
        Arguments{"request", "--dir", "d", "--out", "o", "--csr", "c", "--order", "a/b"},
        Arguments{"request", "--dir", "d", "--out", "o", "--generate", "1", "--key-type", "DSA"},
        Arguments{"request", "--dir", "d", "--out", "o", "--generate", "1", "--keys", "o/"},
        Arguments{"request", "--dir", "d", "--out", "o", "--generate", "1", "--timeout", "10"},
        Arguments{"status"}));

}  // namespace
}  // namespace linesign::client
