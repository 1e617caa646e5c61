#include "tests/unit/appliance/cloud/aws/local_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include <openssl/bio.h>
#include <openssl/pem.h>

namespace linesign::aws::test {
namespace {

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

SSL_CTX* make_context(const linesign::test::TlsLeaf& leaf) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  BIO* certificate = BIO_new_mem_buf(leaf.certificate_pem.data(), -1);
  BIO* key = BIO_new_mem_buf(leaf.private_key_pem.data(), -1);
  X509* x509 = PEM_read_bio_X509(certificate, nullptr, nullptr, nullptr);
  EVP_PKEY* pkey = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
  if (SSL_CTX_use_certificate(context, x509) != 1 || SSL_CTX_use_PrivateKey(context, pkey) != 1)
    std::abort();
  X509_free(x509);
  EVP_PKEY_free(pkey);
  BIO_free(certificate);
  BIO_free(key);
  return context;
}

size_t content_length(const std::string& head) {
  constexpr std::string_view kName = "Content-Length: ";
  const size_t at = head.find(kName);
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + kName.size()));
}

}  // namespace

// One accepted socket, perhaps with TLS on it.
class LocalServer::Connection final {
 public:
  Connection(int fd, SSL_CTX* context) : fd_(fd) {
    if (context == nullptr) return;
    ssl_.reset(SSL_new(context));
    SSL_set_fd(ssl_.get(), fd);
    is_open_ = SSL_accept(ssl_.get()) == 1;
  }

  bool read_request(ServerRequest& request) {
    request.head.clear();
    request.body.clear();
    while (is_open_ && buffer_.find("\r\n\r\n") == std::string::npos) fill();
    if (!is_open_) return false;
    const size_t end = buffer_.find("\r\n\r\n") + 4;
    request.head = buffer_.substr(0, end);
    buffer_.erase(0, end);
    if (request.head.find("Expect: 100-continue") != std::string::npos)
      write("HTTP/1.1 100 Continue\r\n\r\n");
    const size_t size = content_length(request.head);
    while (is_open_ && buffer_.size() < size) fill();
    if (!is_open_) return false;
    request.body = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return true;
  }

  void write(const std::string& text) {
    size_t done = 0;
    while (is_open_ && done < text.size()) {
      const auto size = static_cast<int>(text.size() - done);
      const auto written =
          ssl_
              ? SSL_write(ssl_.get(), text.data() + done, size)
              : static_cast<int>(::send(fd_, text.data() + done, text.size() - done, MSG_NOSIGNAL));
      is_open_ = written > 0;
      if (is_open_) done += static_cast<size_t>(written);
    }
  }

 private:
  void fill() {
    std::string piece(16 * 1024, '\0');
    const auto got = ssl_ ? SSL_read(ssl_.get(), piece.data(), static_cast<int>(piece.size()))
                          : static_cast<int>(::recv(fd_, piece.data(), piece.size(), 0));
    is_open_ = got > 0;
    if (is_open_) buffer_.append(piece, 0, static_cast<size_t>(got));
  }

  int fd_;
  std::unique_ptr<SSL, SslFree> ssl_;
  std::string buffer_;
  bool is_open_ = true;
};

LocalServer::LocalServer(Handler handler, const linesign::test::TlsLeaf* leaf)
    : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (leaf != nullptr) tls_.reset(make_context(*leaf));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), generic, &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

LocalServer::~LocalServer() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
}

void LocalServer::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    if (is_stopping_) {
      ::close(fd);
      return;
    }
    open_.insert(fd);
    const int number = ++connections_;
    threads_.emplace_back([this, fd, number] { serve(fd, number); });
  }
}

void LocalServer::serve(int fd, int number) {
  // Of this thread only: the product looks after its own.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  {
    Connection connection(fd, tls_.get());
    ServerRequest request;
    request.connection = number;
    while (connection.read_request(request)) {
      const std::string answer = handler_(request);
      connection.write(answer);
      if (answer.find("Content-Length: ") == std::string::npos) break;
    }
  }
  const std::lock_guard lock(mutex_);
  open_.erase(fd);
  ::close(fd);
}

std::string http_answer(int status, const std::string& body, const std::string& more_headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Reason\r\nx-amzn-RequestId: r1\r\n" +
         more_headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace linesign::aws::test
