// Everything that reads what came from AWS, or from something that pretends to be it: one answer as
// head and body, and the same bytes as every other form. What is said about it stays printable.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "appliance/cloud/aws/child_process.h"
#include "appliance/cloud/aws/json.h"
#include "appliance/cloud/aws/profile_file.h"
#include "appliance/cloud/aws/service_error.h"
#include "appliance/cloud/aws/times.h"
#include "appliance/cloud/aws/xml.h"
#include "appliance/cloud/registration/csv_reader.h"
#include "appliance/cloud/registration/report_line.h"
#include "protocol/base/bytes.h"

namespace aws = linesign::aws;

namespace {

void check_line(const std::string& text) {
  const bool is_printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (!is_printable || text.size() > 2000) std::abort();
}

// "name: value" lines up to an empty one, then the body.
aws::HttpResponse to_response(std::string_view text) {
  aws::HttpResponse response;
  response.status = 400;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) break;
    response.headers.push_back(
        {aws::to_lower(line.substr(0, colon)), std::string(line.substr(colon + 2))});
  }
  response.body = text;
  return response;
}

void check_url(std::string_view text) {
  const auto url = aws::parse_url(text);
  if (!url) return;
  const std::string again = aws::to_string(*url);
  const auto same = aws::parse_url(again);
  if (!same || aws::to_string(*same) != again) std::abort();
}

// Reports of bulk registration, and tables in their place.
void check_report(std::string_view text) {
  if (const auto line = linesign::read_report_line(std::string(text)); line && line->failure)
    check_line(line->failure->words);
  check_line(linesign::read_report_failure(text.substr(0, 40), text).words);
  std::istringstream in{std::string(text)};
  linesign::CsvReader table(in);
  if (!table.header()) return;
  for (auto row = table.next(); row && *row; row = table.next())
    if ((*row)->empty() || table.line() == 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = linesign::as_text({data, size});
  const aws::HttpResponse response = to_response(text);
  aws::is_foreign(response);
  for (const aws::Service service : {aws::Service::Iot, aws::Service::S3}) {
    const aws::ServiceError error = aws::read_service_error(response, service);
    check_line(aws::to_error(error, "Call").detail());
  }
  aws::xml_text(text, {"Error", "Code"});
  if (const auto object = aws::JsonObject::parse(std::string(text))) {
    object->time("creationDate");
    object->texts("principals");
    object->objects("certificates");
    object->text_map("attributes");
  }
  check_url(text);
  check_report(text);
  aws::parse_http_date(text);
  aws::parse_iso8601(text);
  const aws::ProfileFile file = aws::ProfileFile::parse(text, "config");
  if (const auto* const section = file.find("default")) static_cast<void>(section->check());
  if (const auto words = aws::split_words(text)) {
    if (words->empty()) std::abort();
  }
  return 0;
}
