// PendingConnections: connections that have not shown yet which station they are: TLS handshakes
// and enrolments. Anybody can open them, so they are bounded, in all and for each source address.
//
// Rule     at a bound one gives way: of the source that has the most (of the new one's own source
// at
//          the bound of a source) the oldest that has sent nothing, else the oldest. A source never
//          pushes out its own young handshakes: then the new one is refused
// Source   an IPv4 address, or the first 64 bits of an IPv6 address, which one host may have all of
// Threads  one at a time
#ifndef LINESIGN_STATIONS_LISTENER_PENDING_CONNECTIONS_H_
#define LINESIGN_STATIONS_LISTENER_PENDING_CONNECTIONS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "protocol/base/clock.h"
#include "stations/transport/tcp.h"

namespace linesign {

class PendingConnections final {
 public:
  struct Limits {
    size_t total = 512;
    size_t per_source = 128;
    std::chrono::milliseconds grace{2000};  // for which a handshake that moves is young
  };
  struct Admission {
    bool is_admitted = true;
    std::optional<uint64_t> gives_way;  // is forgotten already
  };

  explicit PendingConnections(Limits limits) : limits_(limits) {}

  // REQUIRES: numbers rise.
  Admission add(uint64_t number, const SourceAddress& source, SteadyTime now);
  // It has sent something.
  void note_bytes(uint64_t number);
  // One that is not here is fine.
  void remove(uint64_t number);
  size_t size() const { return entries_.size(); }

 private:
  // By number, and so by age.
  struct Source {
    std::set<uint64_t> silent;
    std::set<uint64_t> heard;
    size_t size() const { return silent.size() + heard.size(); }
  };
  using Sources = std::map<SourceAddress, Source>;
  struct Entry {
    Sources::iterator source;
    SteadyTime since;
  };

  const Source& fullest() const;
  static uint64_t oldest_of(const Source& source);
  std::optional<uint64_t> oldest_of_own(const Source& source, SteadyTime now) const;

  Limits limits_;
  Sources sources_;  // none is empty
  std::unordered_map<uint64_t, Entry> entries_;
};

}  // namespace linesign

#endif  // LINESIGN_STATIONS_LISTENER_PENDING_CONNECTIONS_H_
