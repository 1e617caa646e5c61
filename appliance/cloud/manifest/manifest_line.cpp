#include "appliance/cloud/manifest/manifest_line.h"

#include <fmt/format.h>

#include "hsm/x509/csr.h"

namespace linesign {
namespace {

// Only these two can stand in an id, and only in a spreadsheet do they matter.
std::string csv_text(std::string_view text) {
  if (text.find_first_of(",\"\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char each : text) {
    if (each == '"') quoted += '"';
    quoted += each;
  }
  return quoted + '"';
}

}  // namespace

std::string json_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char each : text) {
    if (each == '\n') {
      quoted += "\\n";
    } else if (static_cast<unsigned char>(each) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(each));
    } else {
      if (each == '"' || each == '\\') quoted += '\\';
      quoted += each;
    }
  }
  return quoted + '"';
}

Result<std::string> ndjson_line(const TextMap& values) {
  std::string line = "{";
  for (const auto& [name, value] : values) {
    if (value.size() > kMaxParameterBytes)
      return fail(ErrorCode::InputInvalid,
                  fmt::format("the parameter {} has {} bytes, AWS IoT takes {}",
                              name,
                              value.size(),
                              kMaxParameterBytes));
    if (line.size() > 1) line += ',';
    line += json_text(name) + ':' + json_text(value);
  }
  return line + "}\n";
}

Result<std::string> device_line(const TextMap& parameters, const CloudItem& item) {
  LS_TRY(const TextMap values, fill_in(parameters, fields_of(item)));
  return ndjson_line(values);
}

std::string csv_header() {
  return "device_id,order,serial,certificate_id,committed_at,ca_certificate_id\n";
}

std::string csv_line(const CloudItem& item) {
  return fmt::format("{},{},{},{},{},{}\n",
                     csv_text(item.device_id),
                     csv_text(item.order_id),
                     to_hex(item.serial),
                     to_hex(sha256(item.certificate_der)),
                     to_iso8601(item.committed_at),
                     issuer_id(item));
}

}  // namespace linesign
