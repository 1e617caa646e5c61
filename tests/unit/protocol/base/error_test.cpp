#include "protocol/base/error.h"

#include <set>

#include <gtest/gtest.h>

#include "protocol/base/result.h"

namespace linesign {
namespace {

TEST(ErrorList, NamesAndNumbersAreUnique) {
  std::set<std::string_view> names;
  std::set<ErrorCode> codes;
  for (const ErrorInfo& info : error_list()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(codes.insert(info.code).second) << info.name;
  }
}

TEST(ErrorList, EachRowIsFoundByItsNumber) {
  for (const ErrorInfo& info : error_list()) {
    EXPECT_EQ(find_error_code(static_cast<uint32_t>(info.code)), info.code) << info.name;
    EXPECT_EQ(error_info(info.code).name, info.name);
  }
  EXPECT_FALSE(find_error_code(0));
  EXPECT_FALSE(find_error_code(65535));
}

TEST(ErrorList, ExitCodesAreThoseOfTheContract) {
  const std::set<int> allowed = {64, 65, 69, 70, 74, 75, 77, 78};
  for (const ErrorInfo& info : error_list())
    EXPECT_TRUE(allowed.contains(info.exit_code)) << info.name;
}

TEST(ErrorList, SentencesArePrintableAsciiAndShort) {
  for (const ErrorInfo& info : error_list()) {
    EXPECT_LE(info.sentence.size(), 160U) << info.name;
    for (const char c : info.sentence) EXPECT_TRUE(c >= ' ' && c <= '~') << info.name;
  }
}

TEST(Error, TextHasNameSentenceAndDetail) {
  EXPECT_EQ(Error(ErrorCode::CsrEmpty).to_string(), "CsrEmpty: The CSR is empty.");
  EXPECT_EQ(Error(ErrorCode::CsrEmpty, "why").to_string(), "CsrEmpty: The CSR is empty. (why)");
}

TEST(Error, ContextGoesInFrontAndKeepsCodeAndPlace) {
  const Error error(ErrorCode::Io, "disk");
  const Error more = error.with_context("writing a");
  EXPECT_EQ(more.code(), ErrorCode::Io);
  EXPECT_EQ(more.detail(), "writing a: disk");
  EXPECT_EQ(more.where().line(), error.where().line());
  EXPECT_EQ(Error(ErrorCode::Io).with_context("a").detail(), "a");
}

Result<int> half(int number) {
  if (number % 2 != 0) return fail(ErrorCode::InputInvalid, "odd");
  return number / 2;
}

Result<int> quarter(int number) {
  LS_TRY(const int first, half(number));
  LS_CHECK(half(first));
  return half(first);
}

TEST(Result, MacrosPassValuesAndErrorsOn) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(7).error().code(), ErrorCode::InputInvalid);
  EXPECT_EQ(quarter(6).error().detail(), "odd");
}

}  // namespace
}  // namespace linesign
