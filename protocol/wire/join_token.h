// JoinToken: the one line of text with which a new station finds the appliance, knows that it is
// the right one, and may enrol once.
//
// Shape    "LSJ1." base64url( version u8 = 1 | expires_at u64 | fingerprint[32] | secret[32] |
//          address, UTF-8 host:port, the rest ); integers big-endian. At most 512 characters
// Errors   TokenInvalid
// Threads  plain values
// Source   docs/station-protocol.md
#ifndef LINESIGN_PROTOCOL_WIRE_JOIN_TOKEN_H_
#define LINESIGN_PROTOCOL_WIRE_JOIN_TOKEN_H_

#include <string>
#include <string_view>

#include "protocol/base/clock.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace linesign {

constexpr size_t kJoinSecretBytes = 32;

struct JoinToken {
  UnixTime expires_at{};
  Sha256 ca_fingerprint{};  // of the station CA's certificate
  SecretBytes secret;       // kJoinSecretBytes
  std::string address;      // host:port
};

std::string encode_join_token(const JoinToken& token);
// Ignores a byte order mark, quotes, blanks and line breaks: tokens come by mail and chat.
Result<JoinToken> decode_join_token(std::string_view text);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_WIRE_JOIN_TOKEN_H_
