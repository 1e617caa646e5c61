#include "stations/transport/tcp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

namespace linesign {
namespace {

UniqueFd connect_to(uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

UniqueFd accept_one(int listening_fd) {
  pollfd waiting{listening_fd, POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 5000), 1);
  auto accepted = accept_tcp(listening_fd);
  EXPECT_TRUE(accepted);
  return std::move(accepted).value();
}

int option_of(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, option, &value, &size), 0);
  return value;
}

TEST(Tcp, PortZeroGivesAFreePort) {
  const UniqueFd listening = listen_tcp("127.0.0.1:0").value();
  EXPECT_NE(local_port(listening.get()).value(), 0);
  EXPECT_NE(::fcntl(listening.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(listening.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(accept_tcp(listening.get()).error(), AcceptEnd::NobodyWaits);
}

TEST(Tcp, AcceptedSocketsAreSetUp) {
  const UniqueFd listening = listen_tcp("127.0.0.1:0").value();
  const UniqueFd client = connect_to(local_port(listening.get()).value());
  const UniqueFd accepted = accept_one(listening.get());
  EXPECT_NE(::fcntl(accepted.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(accepted.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(option_of(accepted.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option_of(accepted.get(), SOL_SOCKET, SO_KEEPALIVE), 1);
}

TEST(Tcp, ASecondListenerOnThePortIsRefused) {
  const UniqueFd first = listen_tcp("127.0.0.1:0").value();
  const std::string address = "127.0.0.1:" + std::to_string(local_port(first.get()).value());
  const auto second = listen_tcp(address);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::ListenFailed);
  EXPECT_EQ(second.error().detail(),
            "cannot listen on " + address +
                ": another program uses this port; stop it, or choose another port");
}

TEST(Tcp, AnAddressThatIsNoneIsRefused) {
  for (const char* address : {"", "127.0.0.1", "127.0.0.1:99999", "256.0.0.1:1", "203.0.113.1:1"}) {
    const auto listening = listen_tcp(address);
    ASSERT_FALSE(listening) << address;
    EXPECT_EQ(listening.error().code(), ErrorCode::ListenFailed);
  }
}

TEST(Tcp, SaysWhyItCannotListen) {
  const auto why = [](const char* address) { return listen_tcp(address).error().detail(); };
  EXPECT_EQ(why("203.0.113.1:1"),
            "cannot listen on 203.0.113.1:1: this machine has no such address; list its addresses "
            "with `ip address`");
  EXPECT_EQ(why("no-such-host.invalid:7443"),
            "cannot listen on no-such-host.invalid:7443: this host name cannot be resolved here");
}

TEST(Tcp, TransfersTellHowTheyEnded) {
  const UniqueFd listening = listen_tcp("127.0.0.1:0").value();
  UniqueFd client = connect_to(local_port(listening.get()).value());
  const UniqueFd accepted = accept_one(listening.get());
  Bytes buffer(1 << 20);
  EXPECT_EQ(read_socket(accepted.get(), buffer).state, SocketState::WouldBlock);
  Transfer sent;
  size_t total = 0;
  do {
    sent = write_socket(accepted.get(), buffer);
    total += sent.bytes;
  } while (sent.state == SocketState::Fine);
  EXPECT_EQ(sent.state, SocketState::WouldBlock);
  EXPECT_GT(total, 0U);
  client.reset();  // with unread bytes: a reset
  pollfd waiting{accepted.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&waiting, 1, 5000), 1);
  EXPECT_EQ(read_socket(accepted.get(), buffer).state, SocketState::Closed);
  EXPECT_EQ(write_socket(accepted.get(), buffer).state, SocketState::Closed);  // and no SIGPIPE
}

}  // namespace
}  // namespace linesign
