#include "tests/unit/appliance/cloud/aws/raw_request.h"

#include <algorithm>
#include <sstream>

#include "protocol/base/file.h"
#include "tests/support/source_tree.h"

namespace linesign::aws::test {

std::filesystem::path vectors() {
  return linesign::test::test_data_dir() / "aws-sig-v4-test-suite";
}

std::string read_vector(const std::filesystem::path& path) {
  const auto content = read_file(path, 1024 * 1024);
  if (!content.has_value()) return {};
  std::string text;
  for (const char c : as_text(*content)) {
    if (c != '\r') text += c;
  }
  return text;
}

std::vector<std::filesystem::path> cases_of(const std::string& suite, const std::string& ending) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(vectors() / suite)) {
    if (entry.path().filename().string().ends_with(ending))
      folders.push_back(entry.path().parent_path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::string percent_decode(const std::string& text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = i + 2 < text.size() && text[i] == '%' ? from_hex(text.substr(i + 1, 2))
                                                            : std::optional<Bytes>();
    if (byte) i += 2;
    decoded += byte ? static_cast<char>(byte->front()) : text[i];
  }
  return decoded;
}

RawRequest parse_raw_request(const std::string& text) {
  RawRequest raw;
  std::istringstream in(text);
  std::string line;
  std::getline(in, line);
  const size_t first = line.find(' ');
  const size_t last = line.rfind(" HTTP/");
  const std::string target = line.substr(first + 1, last - first - 1);
  const size_t mark = std::min(target.find('?'), target.size());
  raw.path = target.substr(0, mark);
  std::istringstream query(mark < target.size() ? target.substr(mark + 1) : "");
  for (std::string parameter; std::getline(query, parameter, '&');) {
    const size_t equals = std::min(parameter.find('='), parameter.size());
    raw.query.push_back(
        {percent_decode(parameter.substr(0, equals)),
         equals < parameter.size() ? percent_decode(parameter.substr(equals + 1)) : ""});
  }
  HttpRequest& request = raw.request;
  request.method = line.substr(0, first);
  request.url.path = raw.path;
  request.url.query = encode_query(raw.query);
  while (std::getline(in, line) && !line.empty()) {
    if (line.front() == ' ') {
      request.headers.back().value += "\n" + line;  // a folded header
      continue;
    }
    const size_t colon = line.find(':');
    request.headers.push_back({line.substr(0, colon), line.substr(colon + 1)});
    if (to_lower(request.headers.back().name) == "host")
      request.url.host = request.headers.back().value;
  }
  request.body.assign(std::istreambuf_iterator<char>(in), {});
  return raw;
}

}  // namespace linesign::aws::test
