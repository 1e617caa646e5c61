#include "protocol/wire/join_token.h"

#include <algorithm>
#include <iterator>

namespace linesign {
namespace {

constexpr std::string_view kPrefix = "LSJ1.";
constexpr uint8_t kVersion = 1;
constexpr size_t kExpiryBytes = 8;
constexpr size_t kFixedBytes = 1 + kExpiryBytes + sizeof(Sha256) + kJoinSecretBytes;
constexpr size_t kMaxTextBytes = 512;
constexpr int64_t kLatestExpiry = 253402300799;  // 9999-12-31T23:59:59Z

// Visible ASCII only: the address is shown to people and used in a socket call.
bool is_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view port = text.substr(colon + 1);
  if (port.empty() || port.size() > 5) return false;
  if (!std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return false;
  const int number = std::stoi(std::string(port));
  return number >= 1 && number <= 65535 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Result<JoinToken> parse(ByteView raw) {
  if (raw.size() <= kFixedBytes) return fail(ErrorCode::TokenInvalid, "too short");
  if (raw[0] != kVersion) return fail(ErrorCode::TokenInvalid, "made by another version");
  JoinToken token;
  uint64_t expires_at = 0;
  for (const uint8_t byte : raw.subspan(1, kExpiryBytes)) expires_at = (expires_at << 8U) | byte;
  if (expires_at > static_cast<uint64_t>(kLatestExpiry))
    return fail(ErrorCode::TokenInvalid, "expiry out of range");
  token.expires_at = UnixTime(std::chrono::seconds(static_cast<int64_t>(expires_at)));
  const ByteView fingerprint = raw.subspan(1 + kExpiryBytes, sizeof(Sha256));
  std::copy(fingerprint.begin(), fingerprint.end(), token.ca_fingerprint.begin());
  token.secret =
      SecretBytes(to_bytes(raw.subspan(1 + kExpiryBytes + sizeof(Sha256), kJoinSecretBytes)));
  token.address = as_text(raw.subspan(kFixedBytes));
  if (!is_address(token.address)) return fail(ErrorCode::TokenInvalid, "no host:port in it");
  return token;
}

// What mail, chat and editors add: line breaks and blanks anywhere, a byte order mark, quotes.
std::string without_wrapping(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::string plain;
  plain.reserve(text.size());  // no copy of the secret is left behind by growing
  std::copy_if(text.begin(), text.end(), std::back_inserter(plain), [](char c) {
    return std::string_view(" \t\r\n\"'`<>").find(c) == std::string_view::npos;
  });
  return plain;
}

Result<JoinToken> decode_plain(std::string_view text) {
  if (text.size() > kMaxTextBytes) return fail(ErrorCode::TokenInvalid, "too long");
  if (!text.starts_with(kPrefix))
    return fail(ErrorCode::TokenInvalid, "a join token starts with LSJ1.");
  auto raw = from_base64url(text.substr(kPrefix.size()));
  if (!raw) return fail(ErrorCode::TokenInvalid, "not base64url");
  auto token = parse(*raw);
  wipe(*raw);
  return token;
}

}  // namespace

std::string encode_join_token(const JoinToken& token) {
  Bytes raw;
  raw.reserve(kFixedBytes + token.address.size());
  raw.push_back(kVersion);
  const auto expires_at = static_cast<uint64_t>(token.expires_at.time_since_epoch().count());
  for (const unsigned shift : {56U, 48U, 40U, 32U, 24U, 16U, 8U, 0U})
    raw.push_back(static_cast<uint8_t>((expires_at >> shift) & 0xffU));
  raw.insert(raw.end(), token.ca_fingerprint.begin(), token.ca_fingerprint.end());
  const ByteView secret = token.secret.reveal();
  raw.insert(raw.end(), secret.begin(), secret.end());
  const ByteView address = as_bytes(token.address);
  raw.insert(raw.end(), address.begin(), address.end());
  std::string text(kPrefix);
  text += to_base64url(raw);
  wipe(raw);
  return text;
}

Result<JoinToken> decode_join_token(std::string_view text) {
  if (text.size() > 2 * kMaxTextBytes) return fail(ErrorCode::TokenInvalid, "too long");
  std::string plain = without_wrapping(text);
  auto token = decode_plain(plain);
  wipe(std::span(reinterpret_cast<uint8_t*>(plain.data()), plain.size()));
  return token;
}

}  // namespace linesign
