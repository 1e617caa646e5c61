// SessionFixture: a Session with a fake service, and the station's side of its bytes.
#ifndef LINESIGN_TESTS_UNIT_STATIONS_SESSION_SESSION_FIXTURE_H_
#define LINESIGN_TESTS_UNIT_STATIONS_SESSION_SESSION_FIXTURE_H_

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "stations/session/session.h"
#include "tests/support/fake_station_service.h"
#include "tests/support/station_messages.h"

namespace linesign::test {

class SessionFixture : public testing::Test {
 protected:
  void open() {
    session_ = Session::for_station(host_, {.id = 7, .name = "jig-7"}, [this] { ++outputs_; });
  }
  void open_and_greet() {
    open();
    send(hello());
    ASSERT_EQ(take().size(), 1U);
  }

  void send(const ToAppliance& message) { session_->receive(frame_of(message)); }

  // What the session said since the last call.
  std::vector<ToStation> take() {
    auto messages = messages_in(session_->output().view());
    session_->output().drop(session_->output().size());
    return messages;
  }
  ToStation take_one() {
    auto messages = take();
    EXPECT_EQ(messages.size(), 1U);
    return messages.empty() ? ToStation() : messages.front();
  }
  void expect_goodbye(ErrorCode code) {
    EXPECT_EQ(goodbye_code(take_one()), code);
    EXPECT_TRUE(session_->is_closing());
  }

  FakeStationService service_;
  SessionHost host_{service_, {.window = 4, .software = "linesign/test"}};
  int outputs_ = 0;
  std::shared_ptr<Session> session_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_UNIT_STATIONS_SESSION_SESSION_FIXTURE_H_
