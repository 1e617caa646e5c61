#include "appliance/records/cloud_records.h"

namespace linesign {

std::string_view cut_reason(std::string_view reason) {
  if (reason.size() <= kMaxCloudReasonBytes) return reason;
  size_t end = kMaxCloudReasonBytes;
  while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xc0) == 0x80) --end;
  return reason.substr(0, end);
}

}  // namespace linesign
