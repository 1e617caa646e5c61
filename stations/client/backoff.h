// Backoff: how long to wait before the next try to connect: 0.1 s, doubled each time, up to 5 s,
// and scattered, so that a hall full of stations does not come back in the same instant.
//
// Threads  one thread at a time
#ifndef LINESIGN_STATIONS_CLIENT_BACKOFF_H_
#define LINESIGN_STATIONS_CLIENT_BACKOFF_H_

#include <chrono>
#include <random>

#include "protocol/base/error.h"

namespace linesign::client {

class Backoff final {
 public:
  static constexpr std::chrono::milliseconds kFirst{100};
  static constexpr std::chrono::milliseconds kLongest{5000};

  // The same, but longer after an error that says that there are too many connections. Not if it
  // ended a session: then that one gave way to another, and nothing is full.
  std::chrono::milliseconds next_after(const Error& why, bool had_session);
  // Between half and all of the present step; the next step is twice as long.
  std::chrono::milliseconds next();
  void reset() { step_ = kFirst; }

  // `time` and up to a quarter more.
  std::chrono::milliseconds scatter(std::chrono::milliseconds time);

 private:
  std::chrono::milliseconds step_ = kFirst;
  std::minstd_rand random_{std::random_device{}()};
};

// How long to wait after TryLater: what the appliance asked for, within 10 ms and 60 s.
std::chrono::milliseconds retry_delay(std::chrono::milliseconds asked);

// May connecting again help?
bool is_worth_reconnecting(const Error& error);

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_BACKOFF_H_
