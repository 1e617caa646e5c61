// RawRequest: reads the requests of the signature vectors, which are text of HTTP/1.1 with paths
// and queries that are not encoded yet.
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_AWS_RAW_REQUEST_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_AWS_RAW_REQUEST_H_

#include <filesystem>
#include <string>
#include <vector>

#include "appliance/cloud/aws/http_message.h"

namespace linesign::aws::test {

struct RawRequest {
  std::string path;                   // as it stands there
  std::vector<QueryParameter> query;  // as it stands there
  HttpRequest request;                // the path as it stands there, the query encoded
};

RawRequest parse_raw_request(const std::string& text);

// Empty when there is no such file.
std::string read_vector(const std::filesystem::path& path);

std::filesystem::path vectors();  // the folder of all suites

// Folders below `suite` that hold a file with this ending, sorted.
std::vector<std::filesystem::path> cases_of(const std::string& suite, const std::string& ending);

std::string percent_decode(const std::string& text);

}  // namespace linesign::aws::test

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_AWS_RAW_REQUEST_H_
