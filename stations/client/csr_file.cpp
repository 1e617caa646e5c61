// load_csr: a CSR from a file: DER or PEM, also as editors, shells and mail have changed it.
#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <openssl/pem.h>

#include "protocol/base/file.h"
#include "protocol/base/plain_text.h"
#include "stations/client/der.h"
#include "stations/client/station_client.h"

namespace linesign {
namespace {

// certtool writes the CSR in words above the PEM block; UTF-16 doubles that.
constexpr size_t kMaxFileBytes = 128 * 1024;
constexpr std::string_view kPemBegin = "-----BEGIN ";
constexpr std::string_view kDashes = "-----";

tl::unexpected<Error> malformed(std::string what) {
  return fail(ErrorCode::CsrMalformed, std::move(what));
}

bool is_csr_label(std::string_view label) {
  return label == PEM_STRING_X509_REQ || label == PEM_STRING_X509_REQ_OLD;
}

// Base64 as it comes out of JSON, source code or a quoted mail: line breaks may be blanks or the
// two characters \n, and lines may be quoted.
std::string without_line_breaks(std::string_view text) {
  std::string base64;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool is_escape =
        text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == 'n' || text[at + 1] == 'r');
    if (is_escape)
      ++at;
    else if (std::string_view(" \t\r\n\"',").find(text[at]) == std::string_view::npos)
      base64.push_back(text[at]);
  }
  return base64;
}

struct PemBlock {
  std::string_view label;
  std::string_view body;
};

// The next block; `text` is left behind it.
Result<PemBlock> take_block(std::string_view& text) {
  text.remove_prefix(text.find(kPemBegin) + kPemBegin.size());
  const size_t label_end = text.find(kDashes);
  if (label_end == std::string_view::npos) return malformed("the BEGIN line is cut off");
  PemBlock block{text.substr(0, label_end), {}};
  const std::string end = fmt::format("-----END {}-----", block.label);
  text.remove_prefix(label_end + kDashes.size());
  const size_t body_end = text.find(end);
  if (body_end == std::string_view::npos)
    return malformed(fmt::format("the line '{}' is missing: the file is cut off", end));
  block.body = text.substr(0, body_end);
  text.remove_prefix(body_end + end.size());
  return block;
}

// The first block that is a CSR.
Result<Bytes> decode_pem(std::string_view text) {
  std::vector<std::string> others;
  while (text.find(kPemBegin) != std::string_view::npos) {
    LS_TRY(const PemBlock block, take_block(text));
    if (!is_csr_label(block.label)) {
      others.push_back(printable(block.label));
      continue;
    }
    auto der = client::decode_base64(without_line_breaks(block.body));
    if (!der) return malformed("the CERTIFICATE REQUEST block is not base64");
    return std::move(*der);
  }
  return malformed(
      fmt::format("the file holds {}, but no CERTIFICATE REQUEST", fmt::join(others, ", ")));
}

// What editors and transfers put behind DER in a file. On the wire nothing of it is accepted.
void cut_padding(Bytes& der) {
  client::DerReader reader(der);
  const auto csr = reader.next(client::kDerSequence);
  if (!csr) return;
  const auto rest = ByteView(der).subspan(csr->whole.size());
  constexpr std::string_view kPadding("\r\n\0 \t\x1a", 6);
  if (as_text(rest).find_first_not_of(kPadding) == std::string_view::npos)
    der.resize(csr->whole.size());
}

Result<Bytes> decode(Bytes content) {
  const std::string text = plain_text(content);
  if (text.find(kPemBegin) != std::string::npos) return decode_pem(text);
  if (content.front() != client::kDerSequence) {
    auto der = client::decode_base64(without_line_breaks(text));
    if (!der) return malformed("the file is neither PEM nor DER");
    return std::move(*der);
  }
  cut_padding(content);
  return content;
}

}  // namespace

Result<LoadedCsr> load_csr(const std::filesystem::path& path) {
  LS_TRY(Bytes content, read_file(path, kMaxFileBytes));
  if (content.empty()) return fail(ErrorCode::CsrEmpty, path.string());
  auto der = decode(std::move(content));
  if (!der.has_value()) return fail(der.error().with_context(path.string()));
  LoadedCsr csr;
  csr.der = std::move(*der);
  if (csr.der.size() > kMaxCsrBytes) return fail(ErrorCode::CsrTooLarge, path.string());
  client::DerReader reader(csr.der);
  if (!reader.next(client::kDerSequence)) return fail(ErrorCode::CsrMalformed, path.string());
  if (!reader.at_end()) return fail(ErrorCode::CsrTrailingBytes, path.string());
  const auto outline = client::outline_csr(csr.der);
  if (!outline) return fail(ErrorCode::CsrMalformed, path.string());
  csr.common_name = client::find_common_name(outline->subject).value_or("");
  csr.serial_number =
      client::find_attribute(outline->subject, client::kDerSerialNumberType).value_or("");
  return csr;
}

}  // namespace linesign
