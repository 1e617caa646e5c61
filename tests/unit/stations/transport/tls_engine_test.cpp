#include "stations/transport/tls_engine.h"

#include <gtest/gtest.h>

#include "tests/support/tls_fixtures.h"
#include "tests/unit/stations/transport/tls_pair.h"

namespace linesign {
namespace {

using test::TlsLeaf;
using test::TlsPair;
using test::TlsTestCa;

class TlsEngineTest : public testing::Test {
 protected:
  TlsPair pair() const {
    return TlsPair(TlsContext::for_appliance(server_.credential(), ca_.pem()).value(),
                   TlsContext::for_station(station_.credential(), ca_.pem()).value());
  }
  TlsPair open_pair() const {
    TlsPair both = pair();
    both.pump();
    EXPECT_TRUE(both.server.engine->is_open() && both.client.engine->is_open());
    return both;
  }

  TlsTestCa ca_;
  TlsLeaf server_ = ca_.issue_server();
  TlsLeaf station_ = ca_.issue({});
};

Bytes pattern(size_t size) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * 31 + i / 251);
  return bytes;
}

TEST_F(TlsEngineTest, CarriesBytesBothWays) {
  TlsPair both = open_pair();
  const Bytes large = pattern(1'000'000);
  ASSERT_TRUE(both.client.engine->send(large));
  ASSERT_TRUE(both.server.engine->send(pattern(10)));
  both.pump();
  EXPECT_EQ(both.server.received, large);
  EXPECT_EQ(both.client.received, pattern(10));
}

TEST_F(TlsEngineTest, UsesLargeRecords) {
  TlsPair both = open_pair();
  const size_t plaintext_bytes = 10 * 16384;
  ASSERT_TRUE(both.server.engine->send(pattern(plaintext_bytes)));
  // Ten records of 5 bytes header, 1 byte type and 16 bytes tag.
  EXPECT_EQ(both.server.engine->output().size(), plaintext_bytes + 10 * 22);
}

TEST_F(TlsEngineTest, TakesCiphertextByteByByte) {
  TlsPair both = pair();
  const auto trickle = [](test::TlsSide& from, test::TlsSide& to) {
    const Bytes ciphertext = to_bytes(from.engine->output());
    from.engine->drop_output(ciphertext.size());
    for (size_t i = 0; i < ciphertext.size(); ++i) {
      ASSERT_TRUE(to.engine->receive(ByteView(ciphertext).subspan(i, 1), to.received));
    }
    EXPECT_FALSE(to.engine->is_mid_record());
  };
  trickle(both.client, both.server);
  trickle(both.server, both.client);
  trickle(both.client, both.server);
  ASSERT_TRUE(both.server.engine->is_open() && both.client.engine->is_open());
  ASSERT_TRUE(both.client.engine->send(pattern(300)));
  trickle(both.client, both.server);
  EXPECT_EQ(both.server.received, pattern(300));
}

TEST_F(TlsEngineTest, KnowsWhenItStandsInsideARecord) {
  TlsPair both = open_pair();
  ASSERT_TRUE(both.client.engine->send(pattern(100)));
  const Bytes record = to_bytes(both.client.engine->output());
  for (size_t i = 0; i + 1 < record.size(); ++i) {
    ASSERT_TRUE(both.server.engine->receive(ByteView(record).subspan(i, 1), both.server.received));
    EXPECT_TRUE(both.server.engine->is_mid_record()) << i;
  }
  ASSERT_TRUE(both.server.engine->receive(ByteView(record).last(1), both.server.received));
  EXPECT_FALSE(both.server.engine->is_mid_record());
  EXPECT_EQ(both.server.received, pattern(100));
}

TEST_F(TlsEngineTest, NoTicketIsEverSent) {
  TlsPair both = open_pair();
  EXPECT_TRUE(both.server.engine->output().empty());
}

TEST_F(TlsEngineTest, CloseIsToldToTheOtherSide) {
  TlsPair both = open_pair();
  ASSERT_TRUE(both.server.engine->send(pattern(5)));
  both.server.engine->close();
  both.pump();
  EXPECT_TRUE(both.client.engine->is_peer_closed());
  EXPECT_EQ(both.client.received, pattern(5));
  EXPECT_FALSE(both.server.engine->is_peer_closed());
  EXPECT_FALSE(both.server.engine->send(pattern(1)));
}

TEST_F(TlsEngineTest, WhatIsNotTlsIsRefusedWithTheReason) {
  TlsPair both = pair();
  Bytes plaintext;
  const auto received =
      both.server.engine->receive(as_bytes("GET / HTTP/1.1\r\nHost: appliance\r\n\r\n"), plaintext);
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error().code(), ErrorCode::TlsFailed);
  EXPECT_FALSE(received.error().detail().empty());
  EXPECT_TRUE(plaintext.empty());
}

TEST_F(TlsEngineTest, AChangedByteEndsTheConnectionWithAnAlert) {
  TlsPair both = open_pair();
  ASSERT_TRUE(both.client.engine->send(pattern(100)));
  Bytes record = to_bytes(both.client.engine->output());
  record[50] ^= 1U;
  const auto received = both.server.engine->receive(record, both.server.received);
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error().code(), ErrorCode::TlsFailed);
  EXPECT_TRUE(both.server.received.empty());
  EXPECT_FALSE(both.server.engine->output().empty());
}

TEST_F(TlsEngineTest, RandomBytesNeverOpenIt) {
  uint32_t state = 1;
  const TlsContext context = TlsContext::for_appliance(server_.credential(), ca_.pem()).value();
  for (int round = 0; round < 2000; ++round) {
    const auto engine = std::move(TlsEngine::create(context)).value();
    Bytes noise(64);
    for (uint8_t& byte : noise) {
      state = state * 1664525 + 1013904223;
      byte = static_cast<uint8_t>(state >> 24U);
    }
    noise[0] = 0x16;  // a handshake record, so that more than the first byte is looked at
    Bytes plaintext;
    (void)engine->receive(noise, plaintext).has_value();
    ASSERT_FALSE(engine->is_open());
    ASSERT_TRUE(plaintext.empty());
  }
}

}  // namespace
}  // namespace linesign
