#include "tests/support/test_station.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

namespace linesign::test {

TestStation::TestStation(uint16_t port, const TlsContext* context)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  // A fixed one: by itself the kernel may take tens of megabytes for a station that does not read.
  const int receive_bytes = 256 * 1024;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  closed_ = ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0;
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (context != nullptr) tls_ = std::move(TlsEngine::create(*context)).value();
}

bool TestStation::shake_hands() {
  while (flush() && !tls_->is_open() && read_some()) {
  }
  return flush() && tls_->is_open();
}

bool TestStation::greet() {
  if (!shake_hands()) return false;
  send(hello());
  const auto welcome = receive();
  return welcome && welcome->has_welcome();
}

bool TestStation::flush() {
  const Bytes ciphertext = to_bytes(tls_->output());
  tls_->drop_output(ciphertext.size());
  return send_raw(ciphertext) && !error_;
}

Bytes TestStation::encrypt(ByteView plaintext) {
  EXPECT_TRUE(tls_->send(plaintext));
  Bytes ciphertext = to_bytes(tls_->output());
  tls_->drop_output(ciphertext.size());
  return ciphertext;
}

void TestStation::send_plaintext(ByteView plaintext) { send_raw(encrypt(plaintext)); }

bool TestStation::send_raw(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
  return true;
}

bool TestStation::wait_readable(std::chrono::milliseconds time) const {
  pollfd waiting{socket_.get(), POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(time.count())) == 1;
}

bool TestStation::read_some() {
  if (closed_ || error_) return false;
  if (!wait_readable(kPatience)) {
    ADD_FAILURE() << "the appliance said nothing";
    closed_ = true;
    return false;
  }
  Bytes buffer(64 * 1024);
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  closed_ = got <= 0;
  if (closed_) return false;
  const ByteView ciphertext = ByteView(buffer).first(static_cast<size_t>(got));
  if (tls_ == nullptr) return true;
  count_records(ciphertext);
  const auto taken = tls_->receive(ciphertext, plaintext_);
  if (!taken) error_ = taken.error();
  return true;
}

std::optional<ToStation> TestStation::receive() {
  for (;;) {
    const auto body = reader_.next();
    if (body && body->has_value()) {
      ToStation message;
      EXPECT_TRUE(decode_body(**body, message));
      return message;
    }
    while (plaintext_.empty()) {
      if (!read_some() && plaintext_.empty()) return std::nullopt;
    }
    reader_.append(plaintext_);
    plaintext_.clear();
  }
}

std::vector<ToStation> TestStation::receive_until_closed() {
  std::vector<ToStation> messages;
  while (auto message = receive()) messages.push_back(std::move(*message));
  return messages;
}

void TestStation::count_records(ByteView ciphertext) {
  for (const uint8_t byte : ciphertext) {
    if (record_bytes_left_ > 0) {
      --record_bytes_left_;
      continue;
    }
    record_header_.push_back(byte);
    if (record_header_.size() < 5) continue;
    record_bytes_left_ = static_cast<size_t>((record_header_[3] << 8U) | record_header_[4]);
    record_header_.clear();
    ++records_;
  }
}

}  // namespace linesign::test
