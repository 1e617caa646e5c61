// Ids: the names that travel through the whole system, each checked once where it enters.
//
// Limits   the check_ functions hold them; an unchecked string is a std::string, never one of these
// Threads  plain values
#ifndef LINESIGN_PROTOCOL_BASE_IDS_H_
#define LINESIGN_PROTOCOL_BASE_IDS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign {

constexpr size_t kMaxDeviceIdBytes = 64;  // ub-common-name, RFC 5280 appendix A
constexpr size_t kMaxOrderIdBytes = 64;
constexpr size_t kMaxStationNameBytes = 64;
constexpr size_t kRequestIdBytes = 16;
constexpr size_t kSerialBytes = 16;
constexpr size_t kMaxCsrBytes = 8192;

using RequestId = std::array<uint8_t, kRequestIdBytes>;
using Sha256 = std::array<uint8_t, 32>;
using SerialNumber = std::array<uint8_t, kSerialBytes>;  // big-endian, first byte 0x40..0x7f

// 1 to 64 of A-Z a-z 0-9 . _ : - and the first one a letter or digit, so that the id is a legal
// common name, file name and AWS thing name part. Error: DeviceIdInvalid.
Result<void> check_device_id(std::string_view id);

// Same characters without ':'. Errors: FieldInvalid; StationNameInvalid.
Result<void> check_order_id(std::string_view id);
Result<void> check_station_name(std::string_view name);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_IDS_H_
