// Units: durations and sizes as people write them in linesign.toml, and back.
//
// Shape    durations "500ms" "10s" "5m" "2h" "30d" "20y" (365 days); sizes "0B" "64KiB" "256MiB"
//          "2GiB"; whole numbers only
// Threads  no state, safe anywhere
#ifndef LINESIGN_PROTOCOL_SETTINGS_UNITS_H_
#define LINESIGN_PROTOCOL_SETTINGS_UNITS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace linesign {

// For messages: the units that the parsers below know.
constexpr std::string_view kDurationUnits = "ms, s, m, h, d, y";
constexpr std::string_view kSizeUnits = "B, KiB, MiB, GiB, TiB";

// Absent without a number, without a known unit, or when the value does not fit.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
std::optional<uint64_t> parse_size(std::string_view text);

// In the largest unit that keeps it a whole number: 90000 ms is "90s". A value that a parser above
// gave is read back as the same value.
std::string format_duration(std::chrono::milliseconds duration);
std::string format_size(uint64_t size_bytes);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_SETTINGS_UNITS_H_
