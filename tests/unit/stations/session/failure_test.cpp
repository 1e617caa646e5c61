#include "stations/session/failure.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace linesign {
namespace {

TEST(Failure, OnlyRefusalsAreForEver) {
  for (const ErrorInfo& info : error_list()) {
    const Error error(info.code);
    EXPECT_EQ(wire_status(error) == station::v1::STATUS_REFUSED, info.kind == ErrorKind::Refuse)
        << info.name;
    station::v1::Failure failure;
    fill_failure(failure, error, {});
    EXPECT_EQ(failure.code(), static_cast<uint32_t>(info.code));
    EXPECT_EQ(failure.name(), info.name);
    EXPECT_EQ(failure.retry_after_ms() > 0, info.kind != ErrorKind::Refuse) << info.name;
  }
}

TEST(Failure, MessageIsOnePrintableLineOfBoundedLength) {
  station::v1::Failure failure;
  fill_failure(failure, Error(ErrorCode::FieldInvalid, "a\nb\xff" + std::string(5000, 'x')), {});
  EXPECT_EQ(failure.message().size(), kMaxFailureTextBytes);
  EXPECT_TRUE(std::all_of(failure.message().begin(), failure.message().end(), [](char c) {
    return c >= ' ' && c <= '~';
  }));
  EXPECT_NE(failure.message().find("a?b?"), std::string::npos);
}

TEST(Failure, RetryTimeIsClampedToItsField) {
  station::v1::Failure failure;
  fill_failure(failure, Error(ErrorCode::Busy), std::chrono::hours(24 * 365));
  EXPECT_EQ(failure.retry_after_ms(), 0xffffffffU);
}

}  // namespace
}  // namespace linesign
