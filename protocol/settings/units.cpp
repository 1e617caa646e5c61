#include "protocol/settings/units.h"

#include <array>
#include <charconv>
#include <limits>
#include <span>

#include <fmt/format.h>

namespace linesign {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

// Ascending, so that formatting can walk back from the largest.
constexpr std::array<Unit, 6> kDurations = {{
    {"ms", 1},
    {"s", 1000},
    {"m", 60ULL * 1000},
    {"h", 3600ULL * 1000},
    {"d", 24ULL * 3600 * 1000},
    {"y", 365ULL * 24 * 3600 * 1000},
}};

constexpr std::array<Unit, 5> kSizes = {{
    {"B", 1},
    {"KiB", 1ULL << 10},
    {"MiB", 1ULL << 20},
    {"GiB", 1ULL << 30},
    {"TiB", 1ULL << 40},
}};

std::optional<uint64_t> parse(std::string_view text, std::span<const Unit> units, uint64_t limit) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view name(rest, static_cast<size_t>(end - rest));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    if (number > limit / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

std::string format(uint64_t value, std::span<const Unit> units) {
  for (size_t i = units.size(); i-- > 1;) {
    if (value != 0 && value % units[i].factor == 0)
      return fmt::format("{}{}", value / units[i].factor, units[i].name);
  }
  return fmt::format("{}{}", value, units.front().name);
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto limit = static_cast<uint64_t>(std::chrono::milliseconds::max().count());
  const auto value = parse(text, kDurations, limit);
  if (!value.has_value()) return std::nullopt;
  return std::chrono::milliseconds(static_cast<int64_t>(*value));
}

std::optional<uint64_t> parse_size(std::string_view text) {
  return parse(text, kSizes, std::numeric_limits<uint64_t>::max());
}

std::string format_duration(std::chrono::milliseconds duration) {
  if (duration.count() < 0) return "-" + format_duration(-duration);
  return format(static_cast<uint64_t>(duration.count()), kDurations);
}

std::string format_size(uint64_t size_bytes) { return format(size_bytes, kSizes); }

}  // namespace linesign
