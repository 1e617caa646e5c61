// The source that a connection is counted for, of addresses that no machine of a test needs to
// have.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "stations/transport/tcp.h"

namespace {

std::optional<sockaddr_in6> peer_of_test;  // of every socket; empty: the real one's

}  // namespace

extern "C" int getpeername(int fd, sockaddr* address, socklen_t* size) noexcept {
  if (!peer_of_test.has_value())
    return static_cast<int>(::syscall(SYS_getpeername, fd, address, size));
  std::memcpy(address, &*peer_of_test, sizeof *peer_of_test);
  *size = sizeof *peer_of_test;
  return 0;
}

namespace linesign {
namespace {

SourceAddress source_of(const std::string& address) {
  peer_of_test.emplace();
  peer_of_test->sin6_family = AF_INET6;
  EXPECT_EQ(::inet_pton(AF_INET6, address.c_str(), &peer_of_test->sin6_addr), 1) << address;
  const SourceAddress source = peer_source(-1);
  peer_of_test.reset();
  return source;
}

TEST(PeerSource, IsOneForEachHalfOfAnIpv6Address) {
  EXPECT_EQ(source_of("2001:db8:1:2::1"), source_of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_NE(source_of("2001:db8:1:2::1"), source_of("2001:db8:1:3::1"));
  EXPECT_EQ(source_of("2001:db8:1:2::1"),
            (SourceAddress{0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01, 0x00, 0x02}));
}

TEST(PeerSource, IsTheIpv4AddressThatIsMappedInto6) {
  EXPECT_EQ(source_of("::ffff:192.0.2.7"), (SourceAddress{192, 0, 2, 7}));
  EXPECT_NE(source_of("::ffff:192.0.2.7"), source_of("::ffff:192.0.2.8"));
}

TEST(PeerSource, IsZerosWhenNobodyIsThere) { EXPECT_EQ(peer_source(-1), SourceAddress{}); }

}  // namespace
}  // namespace linesign
