#include "protocol/base/ids.h"

#include <algorithm>

namespace linesign {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_name(std::string_view text, size_t max_bytes, std::string_view punctuation) {
  if (text.empty() || text.size() > max_bytes || !is_alphanumeric(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alphanumeric(c) || punctuation.find(c) != std::string_view::npos;
  });
}

}  // namespace

Result<void> check_device_id(std::string_view id) {
  if (!is_name(id, kMaxDeviceIdBytes, "._:-")) return fail(ErrorCode::DeviceIdInvalid);
  return {};
}

Result<void> check_order_id(std::string_view id) {
  if (!is_name(id, kMaxOrderIdBytes, "._-")) return fail(ErrorCode::FieldInvalid, "order_id");
  return {};
}

Result<void> check_station_name(std::string_view name) {
  if (!is_name(name, kMaxStationNameBytes, "._-")) return fail(ErrorCode::StationNameInvalid);
  return {};
}

}  // namespace linesign
