// ManifestLine: one device in the files that others read.
//
// Shape    NDJSON: one object of texts per line, names in byte order, no spaces, \n at the end.
//          CSV (RFC 4180, with \n): device_id,order,serial,certificate_id,committed_at,
//          ca_certificate_id
// Limits   AWS IoT takes lines of up to 256,000 characters and values of up to 4,096
// Threads  no state, safe anywhere
// Source   AWS IoT Developer Guide, "Bulk registration"; RFC 8259 section 7
#ifndef LINESIGN_APPLIANCE_CLOUD_MANIFEST_MANIFEST_LINE_H_
#define LINESIGN_APPLIANCE_CLOUD_MANIFEST_MANIFEST_LINE_H_

#include <string>
#include <string_view>

#include "appliance/cloud/manifest/device_fields.h"

namespace linesign {

constexpr size_t kMaxParameterBytes = 4096;

// Error: InputInvalid: a value that AWS does not take.
Result<std::string> ndjson_line(const TextMap& values);
// Of texts with fields. Error also: ConfigRange.
Result<std::string> device_line(const TextMap& parameters, const CloudItem& item);

std::string csv_header();
std::string csv_line(const CloudItem& item);

// With its quotes.
std::string json_text(std::string_view text);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_MANIFEST_MANIFEST_LINE_H_
