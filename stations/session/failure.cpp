#include "stations/session/failure.h"

#include <algorithm>
#include <limits>
#include <string>

namespace linesign {
namespace {

// A detail may quote what a station sent; proto3 strings must be UTF-8, and logs one line.
std::string printable(std::string text) {
  if (text.size() > kMaxFailureTextBytes) text.resize(kMaxFailureTextBytes);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

uint32_t to_wire_ms(std::chrono::milliseconds wanted) {
  const auto time = wanted.count() > 0 ? wanted : kDefaultRetryAfter;
  constexpr auto kMost = static_cast<int64_t>(std::numeric_limits<uint32_t>::max());
  return static_cast<uint32_t>(std::min<int64_t>(time.count(), kMost));
}

}  // namespace

station::v1::Status wire_status(const Error& error) {
  return error.kind() == ErrorKind::Refuse ? station::v1::STATUS_REFUSED
                                           : station::v1::STATUS_TRY_LATER;
}

void fill_failure(station::v1::Failure& failure,
                  const Error& error,
                  std::chrono::milliseconds retry_after) {
  const ErrorInfo& info = error_info(error.code());
  const bool refused = wire_status(error) == station::v1::STATUS_REFUSED;
  failure.set_code(static_cast<uint32_t>(info.code));
  failure.set_name(info.name.data(), info.name.size());
  if (refused && !error.detail().empty()) {
    failure.set_message(printable(std::string(info.sentence) + " (" + error.detail() + ")"));
  } else {
    failure.set_message(info.sentence.data(), info.sentence.size());
  }
  if (!refused) failure.set_retry_after_ms(to_wire_ms(retry_after));
}

}  // namespace linesign
