#include "protocol/wire/join_token.h"

#include <gtest/gtest.h>

namespace linesign {
namespace {

JoinToken sample(std::string address = "10.1.2.3:7443") {
  JoinToken token;
  token.expires_at = UnixTime(std::chrono::seconds(1'800'000'000));
  token.ca_fingerprint.fill(0xaa);
  token.secret = SecretBytes(Bytes(kJoinSecretBytes, 0x55));
  token.address = std::move(address);
  return token;
}

std::string with_raw(Bytes raw) { return "LSJ1." + to_base64url(raw); }

Bytes raw_of(const JoinToken& token) {
  return from_base64url(encode_join_token(token).substr(5)).value();
}

TEST(JoinToken, GoesThereAndBack) {
  for (const std::string address : {"10.1.2.3:7443", "[2001:db8::1]:1", "line-7.plant:65535"}) {
    const JoinToken token = sample(address);
    const auto decoded = decode_join_token(encode_join_token(token));
    ASSERT_TRUE(decoded) << decoded.error().to_string();
    EXPECT_EQ(decoded->expires_at, token.expires_at);
    EXPECT_EQ(decoded->ca_fingerprint, token.ca_fingerprint);
    EXPECT_TRUE(equal(decoded->secret.reveal(), token.secret.reveal()));
    EXPECT_EQ(decoded->address, address);
  }
}

TEST(JoinToken, IsReadAsMailAndEditorsLeaveIt) {
  const std::string text = encode_join_token(sample());
  const std::string wrapped =
      text.substr(0, 40) + "\r\n  " + text.substr(40, 40) + "\n" + text.substr(80);
  for (const std::string& each : {text + "\n",
                                  "\xef\xbb\xbf" + text,
                                  "\"" + text + "\"",
                                  "`" + text + "`",
                                  " \t'" + wrapped + "' \r\n"}) {
    const auto decoded = decode_join_token(each);
    ASSERT_TRUE(decoded) << each;
    EXPECT_EQ(encode_join_token(*decoded), text);
  }
}

TEST(JoinToken, HasTheBytesOfTheDocument) {
  const Bytes raw = raw_of(sample("a:1"));
  EXPECT_EQ(to_hex(raw),
            "01"
            "000000006b49d200" +
                std::string(64, 'a') + std::string(64, '5') + "613a31");
}

TEST(JoinToken, RefusesEveryCut) {
  const std::string text = encode_join_token(sample());
  for (size_t size = 0; size < text.size(); ++size) {
    const auto decoded = decode_join_token(std::string_view(text).substr(0, size));
    // A cut inside the port's digits leaves a shorter port, which is a token of its own.
    if (decoded) {
      EXPECT_TRUE(sample().address.starts_with(decoded->address));
      continue;
    }
    EXPECT_EQ(decoded.error().code(), ErrorCode::TokenInvalid);
  }
}

TEST(JoinToken, RefusesOtherVersionsPrefixesAndLengths) {
  Bytes other_version = raw_of(sample());
  other_version[0] = 2;
  EXPECT_FALSE(decode_join_token(with_raw(other_version)));
  EXPECT_FALSE(decode_join_token("LSJ2." + encode_join_token(sample()).substr(5)));
  EXPECT_FALSE(decode_join_token(encode_join_token(sample()) + "="));
  EXPECT_FALSE(decode_join_token(encode_join_token(sample(std::string(400, 'a') + ":1"))));
  Bytes far_future = raw_of(sample());
  far_future[1] = 0xff;
  EXPECT_FALSE(decode_join_token(with_raw(far_future)));
}

TEST(JoinToken, RefusesWhatIsNoHostAndPort) {
  for (const std::string address : {"host",
                                    ":7443",
                                    "host:",
                                    "host:0",
                                    "host:65536",
                                    "host:123456",
                                    "host:7x",
                                    "ho st:1",
                                    "ho\nst:1"}) {
    const auto decoded = decode_join_token(encode_join_token(sample(address)));
    ASSERT_FALSE(decoded) << address;
    EXPECT_EQ(decoded.error().code(), ErrorCode::TokenInvalid);
  }
}

}  // namespace
}  // namespace linesign
