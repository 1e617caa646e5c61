// LocalServer: an HTTP server of this test on a port of its own, with or without TLS. It says what
// its handler says, byte by byte, so that it can also say what no server should.
//
// Threads  the handler is called by a thread for each connection
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_AWS_LOCAL_SERVER_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_AWS_LOCAL_SERVER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <openssl/ssl.h>

#include "protocol/base/unique_fd.h"
#include "tests/support/tls_fixtures.h"

namespace linesign::aws::test {

struct ServerRequest {
  std::string head;  // with its empty line
  std::string body;
  int connection = 0;  // counted from 1
};

class LocalServer final {
 public:
  // Bytes of the answer; empty: close the connection without one. A connection stays open after an
  // answer with Content-Length.
  using Handler = std::function<std::string(const ServerRequest&)>;

  explicit LocalServer(Handler handler, const linesign::test::TlsLeaf* leaf = nullptr);
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;
  ~LocalServer();

  int port() const { return port_; }
  int connections() const { return connections_; }

 private:
  class Connection;
  struct ContextFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  void accept_all();
  void serve(int fd, int number);

  const Handler handler_;
  std::unique_ptr<SSL_CTX, ContextFree> tls_;
  UniqueFd listener_;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  bool is_stopping_ = false;
  std::set<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// "HTTP/1.1 200 OK" with a request id and Content-Length.
std::string http_answer(int status, const std::string& body, const std::string& more_headers = {});

}  // namespace linesign::aws::test

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_AWS_LOCAL_SERVER_H_
