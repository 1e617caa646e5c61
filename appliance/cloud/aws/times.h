// Times: the three forms of a time that AWS uses.
//
// Threads  no state, safe anywhere
// Source   RFC 9110 section 5.6.7 (Date); ISO 8601 in credentials; Signature Version 4
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_TIMES_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_TIMES_H_

#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/clock.h"

namespace linesign::aws {

// "20150830T123600Z"
std::string to_amz_date(UnixTime time);

// "Sun, 30 Aug 2015 12:36:00 GMT"
std::optional<UnixTime> parse_http_date(std::string_view text);

// "2015-08-30T12:36:00Z", with fractions and offsets too; fractions are cut off.
std::optional<UnixTime> parse_iso8601(std::string_view text);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_TIMES_H_
