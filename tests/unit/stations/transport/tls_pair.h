// TlsPair: two engines that talk to each other over memory.
#ifndef LINESIGN_TESTS_UNIT_STATIONS_TRANSPORT_TLS_PAIR_H_
#define LINESIGN_TESTS_UNIT_STATIONS_TRANSPORT_TLS_PAIR_H_

#include <memory>
#include <optional>

#include "stations/transport/tls_engine.h"

namespace linesign::test {

struct TlsSide {
  std::unique_ptr<TlsEngine> engine;
  Bytes received;
  std::optional<Error> error;
};

struct TlsPair {
  TlsPair(const TlsContext& server_context, const TlsContext& client_context) {
    server.engine = std::move(TlsEngine::create(server_context)).value();
    client.engine = std::move(TlsEngine::create(client_context)).value();
  }

  // Carries ciphertext both ways until neither side has any.
  void pump() {
    while (carry(client, server) || carry(server, client)) {
    }
  }

  static bool carry(TlsSide& from, TlsSide& to) {
    const Bytes ciphertext = to_bytes(from.engine->output());
    from.engine->drop_output(ciphertext.size());
    if (ciphertext.empty()) return false;
    if (to.error) return true;
    const auto taken = to.engine->receive(ciphertext, to.received);
    if (!taken) to.error = taken.error();
    return true;
  }

  TlsSide server;
  TlsSide client;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_UNIT_STATIONS_TRANSPORT_TLS_PAIR_H_
