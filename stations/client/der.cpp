#include "stations/client/der.h"

#include <algorithm>

#include <openssl/evp.h>

namespace linesign::client {
namespace {

// Header of a value: how long it is and how long the content is.
struct Header {
  size_t header_bytes;
  size_t content_bytes;
};

std::optional<Header> read_header(ByteView bytes) {
  if (bytes.size() < 2 || (bytes[0] & 0x1fU) == 0x1fU) return {};
  if (bytes[1] < 0x80) return Header{2, bytes[1]};
  const size_t length_bytes = bytes[1] & 0x7fU;
  if (length_bytes == 0 || length_bytes > 3 || bytes.size() < 2 + length_bytes) return {};
  if (bytes[2] == 0) return {};
  size_t content_bytes = 0;
  for (size_t i = 0; i < length_bytes; ++i) content_bytes = content_bytes << 8U | bytes[2 + i];
  if (content_bytes < 0x80) return {};
  return Header{2 + length_bytes, content_bytes};
}

void append(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

void append_header(Bytes& out, uint8_t tag, size_t content_bytes) {
  out.push_back(tag);
  if (content_bytes < 0x80) {
    out.push_back(static_cast<uint8_t>(content_bytes));
    return;
  }
  const unsigned length_bytes = content_bytes < 0x100 ? 1 : content_bytes < 0x10000 ? 2 : 3;
  out.push_back(static_cast<uint8_t>(0x80U | length_bytes));
  for (unsigned i = length_bytes; i-- > 0;)
    out.push_back(static_cast<uint8_t>((content_bytes >> (8 * i)) & 0xffU));
}

// The one outer SEQUENCE, nothing after it, opened.
std::optional<DerReader> open_sequence(ByteView der) {
  DerReader outer(der);
  const auto value = outer.next(kDerSequence);
  if (!value || !outer.at_end()) return {};
  return DerReader(value->content);
}

std::string to_text(const DerValue& value) {
  if (value.tag != kDerBmpString) return std::string(as_text(value.content));
  std::string text;
  for (size_t i = 0; i + 1 < value.content.size(); i += 2) {
    const bool one_byte = value.content[i] == 0 && value.content[i + 1] < 0x80;
    text.push_back(one_byte ? static_cast<char>(value.content[i + 1]) : '?');
  }
  return text;
}

}  // namespace

std::optional<DerValue> DerReader::next() {
  const auto header = read_header(rest_);
  if (!header || rest_.size() - header->header_bytes < header->content_bytes) return {};
  const ByteView whole = rest_.first(header->header_bytes + header->content_bytes);
  rest_ = rest_.subspan(whole.size());
  return DerValue{whole[0], whole.subspan(header->header_bytes), whole};
}

std::optional<DerValue> DerReader::next(uint8_t tag) {
  if (rest_.empty() || rest_[0] != tag) return {};
  return next();
}

bool DerReader::skip_if(uint8_t tag) { return next(tag).has_value(); }

std::optional<CsrOutline> outline_csr(ByteView der) {
  auto request = open_sequence(der);
  if (!request) return {};
  const auto info = request->next(kDerSequence);
  if (!info || !request->next(kDerSequence) || !request->next(kDerBitString) || !request->at_end())
    return {};
  DerReader fields(info->content);
  if (!fields.skip_if(kDerInteger)) return {};
  const auto subject = fields.next(kDerSequence);
  const auto spki = fields.next(kDerSequence);
  if (!subject || !spki) return {};
  return CsrOutline{subject->whole, spki->whole};
}

ByteView key_in_csr(ByteView der) {
  const auto outline = outline_csr(der);
  return outline ? outline->spki : ByteView();
}

std::optional<CertificateOutline> outline_certificate(ByteView der) {
  auto certificate = open_sequence(der);
  if (!certificate) return {};
  const auto tbs = certificate->next(kDerSequence);
  const auto algorithm = certificate->next(kDerSequence);
  const auto signature = certificate->next(kDerBitString);
  if (!tbs || !algorithm || !signature || !certificate->at_end()) return {};
  if (signature->content.size() < 2 || signature->content[0] != 0) return {};

  DerReader fields(tbs->content);
  fields.skip_if(0xa0);                         // version
  if (!fields.skip_if(kDerInteger)) return {};  // serialNumber
  const auto inner_algorithm = fields.next(kDerSequence);
  if (!inner_algorithm || !equal(inner_algorithm->whole, algorithm->whole)) return {};
  const auto issuer = fields.next(kDerSequence);
  if (!issuer || !fields.skip_if(kDerSequence)) return {};  // validity
  const auto subject = fields.next(kDerSequence);
  const auto spki = fields.next(kDerSequence);
  if (!subject || !spki) return {};
  return CertificateOutline{tbs->whole,
                            issuer->whole,
                            subject->whole,
                            spki->whole,
                            algorithm->whole,
                            signature->content.subspan(1)};
}

std::optional<std::string> find_attribute(ByteView name, ByteView wanted) {
  auto relative_names = open_sequence(name);
  while (relative_names && !relative_names->at_end()) {
    const auto relative_name = relative_names->next(kDerSet);
    if (!relative_name) return {};
    DerReader attributes(relative_name->content);
    while (!attributes.at_end()) {
      const auto attribute = attributes.next(kDerSequence);
      if (!attribute) return {};
      DerReader parts(attribute->content);
      const auto type = parts.next(kDerOid);
      const auto value = parts.next();
      if (!type || !value) return {};
      if (equal(type->content, wanted)) return to_text(*value);
    }
  }
  return {};
}

std::optional<std::string> find_common_name(ByteView name) {
  return find_attribute(name, kDerCommonNameType);
}

Bytes der_value(uint8_t tag, ByteView content) { return der_value(tag, {content}); }

Bytes der_value(uint8_t tag, std::initializer_list<ByteView> parts) {
  size_t content_bytes = 0;
  for (const ByteView part : parts) content_bytes += part.size();
  Bytes out;
  out.reserve(content_bytes + 5);
  append_header(out, tag, content_bytes);
  for (const ByteView part : parts) append(out, part);
  return out;
}

std::string to_pem(std::string_view label, ByteView der) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr size_t kLineBytes = 48;  // 64 characters
  std::string pem;
  pem.reserve(der.size() * 4 / 3 + der.size() / kLineBytes + 2 * label.size() + 48);
  pem.append("-----BEGIN ").append(label).append("-----\n");
  while (!der.empty()) {
    const ByteView line = der.first(std::min(kLineBytes, der.size()));
    der = der.subspan(line.size());
    for (size_t i = 0; i < line.size(); i += 3) {
      const size_t left = line.size() - i;
      const unsigned group = static_cast<unsigned>(line[i]) << 16U |
                             (left > 1 ? static_cast<unsigned>(line[i + 1]) << 8U : 0U) |
                             (left > 2 ? static_cast<unsigned>(line[i + 2]) : 0U);
      pem.push_back(kAlphabet[group >> 18U]);
      pem.push_back(kAlphabet[(group >> 12U) & 63U]);
      pem.push_back(left > 1 ? kAlphabet[(group >> 6U) & 63U] : '=');
      pem.push_back(left > 2 ? kAlphabet[group & 63U] : '=');
    }
    pem.push_back('\n');
  }
  pem.append("-----END ").append(label).append("-----\n");
  return pem;
}

std::optional<Bytes> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return {};
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  if (text.find('=') < text.size() - padding) return {};
  Bytes bytes(text.size() / 4 * 3);
  const ByteView from = as_bytes(text);
  const int length = EVP_DecodeBlock(bytes.data(), from.data(), static_cast<int>(from.size()));
  if (length < 0) return {};
  bytes.resize(static_cast<size_t>(length) - padding);
  return bytes;
}

}  // namespace linesign::client
