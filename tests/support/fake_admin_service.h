// FakeAdminService: an appliance as the admin socket sees it, with stations that are only names.
//
// Threads  as AdminService; set the members on the loop's thread or before it runs
#ifndef LINESIGN_TESTS_SUPPORT_FAKE_ADMIN_SERVICE_H_
#define LINESIGN_TESTS_SUPPORT_FAKE_ADMIN_SERVICE_H_

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "appliance/admin/api/admin_service.h"
#include "tests/support/fake_cloud_service.h"

namespace linesign {

class FakeAdminService final : public AdminService {
 public:
  void status(std::function<void(Result<ApplianceStatus>)> reply) override {
    ++status_calls;
    if (is_silent) {
      kept_replies.push_back(std::move(reply));
      if (on_kept) on_kept();
      return;
    }
    ApplianceStatus answer = present_status;
    if (producing_after_calls > 0 && status_calls > producing_after_calls) {
      answer.producing = true;
      answer.obstacles.clear();
    }
    reply(std::move(answer));
  }

  void add_station(std::string name, std::function<void(Result<std::string>)> reply) override {
    if (has(name)) return reply(fail(ErrorCode::StationExists, name));
    names.push_back(name);
    if (is_mute_to_orders) return;
    reply("LSJ1.token-of-" + name);
  }

  void list_stations(std::function<void(Result<std::vector<StationListEntry>>)> reply) override {
    std::vector<StationListEntry> stations(names.size());
    for (size_t i = 0; i < names.size(); ++i) stations[i].record.name = names[i];
    reply(std::move(stations));
  }

  void revoke_station(std::string name, std::function<void(Result<StationRecord>)> reply) override {
    if (!has(name)) return reply(fail(ErrorCode::StationNotFound, name));
    StationRecord record;
    record.name = std::move(name);
    record.state = StationState::Revoked;
    if (is_mute_to_orders) return;
    reply(std::move(record));
  }

  void confirm_clock(bool is_back, std::function<void(Result<ClockEvent>)> reply) override {
    if (is_mute_to_orders) return;
    if (is_back != is_clock_behind) return reply(fail(ErrorCode::InputInvalid, "--back"));
    reply(ClockEvent{.kind = ClockEventKind::Confirmed, .clock_at = {}, .trusted_at = {}});
  }

  void trust_hsm(std::function<void(Result<uint64_t>)> reply) override {
    if (is_mute_to_orders) return;
    reply(std::exchange(quarantined, 0));
  }

  CloudService& cloud() override { return present_cloud; }

  FakeCloudService present_cloud;
  ApplianceStatus present_status;
  int producing_after_calls = 0;   // over 0: the status produces after so many calls
  bool is_silent = false;          // status() keeps its reply
  bool is_mute_to_orders = false;  // what changes something never gets its reply
  std::function<void()> on_kept;
  std::vector<std::function<void(Result<ApplianceStatus>)>> kept_replies;
  std::vector<std::string> names;
  int status_calls = 0;
  bool is_clock_behind = false;
  uint64_t quarantined = 0;

 private:
  bool has(const std::string& name) const {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
};

}  // namespace linesign

#endif  // LINESIGN_TESTS_SUPPORT_FAKE_ADMIN_SERVICE_H_
