#include "appliance/cli/aws_text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "appliance/admin/api/json_fields.h"
#include "appliance/cli/advice.h"
#include "appliance/cli/status_text.h"
#include "appliance/cloud/targets/plan_check.h"
#include "protocol/base/bytes.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr size_t kMaxProgressBytes = 1024 * 1024;
constexpr std::chrono::seconds kStillRunning(15);
constexpr int kExitFailed = 65;
constexpr int kExitBlocked = 75;

constexpr std::array kAwsAdvice = {
    Advice{ErrorCode::AwsUnreachable,
           "Nothing, if the plant's internet is known to be away: it goes on by itself. Else check "
           "name resolution, firewall and proxy of this machine."},
    Advice{ErrorCode::AwsTimeout, "As for AwsUnreachable."},
    Advice{ErrorCode::AwsConnectionLost, "Nothing: it is asked again. If it lasts, the network."},
    Advice{ErrorCode::AwsThrottled,
           "Nothing: the pace is lowered. If it is always so, see quotas."},
    Advice{ErrorCode::AwsUnavailable, "Nothing: it goes on when AWS does."},
    Advice{ErrorCode::AwsNotTrusted,
           "Check ca_bundle of the target, and whether a proxy opens the network's TLS."},
    Advice{ErrorCode::AwsNotAws, "Log in to the network, or let this machine through its portal."},
    Advice{ErrorCode::AwsAnswerUnreadable,
           "Nothing: it is asked again. If it lasts, look for a proxy or gateway that changes "
           "answers."},
    Advice{ErrorCode::AwsClockSkew, "Set the system clock right (NTP)."},
    Advice{ErrorCode::AwsTaskRunning,
           "Nothing: AWS runs one at a time, and ours is next. If the line above names none of "
           "yours, ask who else works in the account."},
    Advice{
        ErrorCode::AwsRefused,
        "Read what AWS says above. No device gets through, so it is probably about the set-up: "
        "mend that, and production resumes. A device that is at fault itself is failed as soon as "
        "another one gets through."},
    Advice{ErrorCode::AwsThingForeign,
           "Read above whose thing it is. If things are made beforehand, set existing_things = "
           "\"adopt\"; else give the target a thing_name_prefix of its own, or the devices other "
           "ids."},
    Advice{ErrorCode::AwsCredentialsMissing,
           "Set profile or roles_anywhere of the target, or AWS_* of the uploader."},
    Advice{ErrorCode::AwsCredentialsFailed, "Mend the source that the line above names."},
    Advice{ErrorCode::AwsCredentialsExpired, "Renew the credentials; it goes on by itself."},
    Advice{ErrorCode::AwsCredentialsRefused, "Replace the credentials; it goes on by itself."},
    Advice{ErrorCode::AwsDenied,
           "Let the uploader's role do this call: docs/aws.md has its policy."},
    Advice{ErrorCode::AwsNotFound, "Make what is missing; `linesign aws preflight` lists it all."},
    Advice{ErrorCode::AwsConflict, "See `linesign aws preflight`."},
    Advice{ErrorCode::AwsQuota, "Ask AWS to raise the quota that the line above names."},
    Advice{ErrorCode::AwsSettings, "Correct [[aws.target]] and restart linesign-uploader."},
    Advice{ErrorCode::CloudTargetUnknown,
           "Restart linesignd: it learns its targets when it starts."},
    Advice{ErrorCode::CloudTargetMoved,
           "Give the account or region of the configuration a target of another name, then restart "
           "linesignd and linesign-uploader."},
    Advice{ErrorCode::AwsWrongRegion, "Name a bucket in the target's region."},
    Advice{ErrorCode::Io, "Free space in state_dir or export_dir; it goes on by itself."},
};

std::string field_line(std::string_view name, std::string_view value) {
  return fmt::format("  {:<11} {}\n", name, value);
}

TargetActivity read_target_activity(const json::Object& object) {
  TargetActivity read;
  read.target = json::text_of(object, "target");
  read.state = json::text_of(object, "state");
  read.since = json::time_of(object, "since");
  read.error = json::text_of(object, "error");
  read.detail = json::text_of(object, "detail");
  read.per_second = object.get("per_second").convert<double>();
  read.throttled = json::number_of<uint64_t>(object, "throttled");
  return read;
}

std::string_view name_of_code(uint32_t number) {
  const auto code = find_error_code(number);
  return code ? error_info(*code).name : "";
}

// Null: a name of another version.
const ErrorInfo* find_by_name(std::string_view name) {
  for (const ErrorInfo& each : error_list())
    if (each.name == name) return &each;
  return nullptr;
}

std::optional<int64_t> seconds_left(const CloudTargetStatus& status,
                                    const TargetActivity* activity) {
  if (activity == nullptr || activity->per_second <= 0) return std::nullopt;
  return std::llround(static_cast<double>(status.waiting + status.in_task) / activity->per_second);
}

std::string waiting_value(const CloudTargetStatus& status, bool has_task, UnixTime now) {
  std::string value = count_text(status.waiting);
  if (status.in_task > 0)
    value += fmt::format(
        ", {} in a {}", count_text(status.in_task), has_task ? "task" : "file for a task");
  if (status.oldest_waiting_at)
    value += fmt::format(", oldest {}", elapsed_text(now - *status.oldest_waiting_at));
  return value;
}

std::string parked_value(const CloudTargetStatus& status) {
  std::vector<std::string> reasons;
  reasons.reserve(status.parked_by_code.size());
  for (const CloudParked& each : status.parked_by_code)
    reasons.push_back(
        fmt::format("{} {} {}", count_text(each.count), name_of_code(each.code), each.code));
  return fmt::format("{} ({}); `linesign aws parked --target {}` lists them",
                     count_text(status.parked),
                     fmt::join(reasons, ", "),
                     status.target.name);
}

std::string activity_lines(const CloudTargetStatus& status,
                           const TargetActivity& activity,
                           UnixTime now) {
  std::string value = fmt::format(
      "{} since {}, {:.1f}/s", activity.state, to_iso8601(activity.since), activity.per_second);
  if (const auto left = seconds_left(status, &activity); left && *left > 0)
    value += fmt::format(", {} left", elapsed_text(std::chrono::seconds(*left)));
  if (activity.throttled > 0)
    value += fmt::format(", throttled {} times", count_text(activity.throttled));
  std::string text = field_line("uploader", value);
  if (activity.error.empty()) return text;
  const ErrorInfo* const info = find_by_name(activity.error);
  text += field_line("held up by",
                     fmt::format("{} for {}: {} {}",
                                 activity.error,
                                 elapsed_text(now - activity.since),
                                 info != nullptr ? info->sentence : "",
                                 activity.detail));
  if (info != nullptr) text += field_line("what to do", aws_advice_for(info->code));
  return text;
}

std::string target_text(const CloudTargetStatus& status,
                        bool has_task,
                        const std::optional<UploaderActivity>& activity,
                        UnixTime now) {
  std::string text = fmt::format(
      "{}  {} {}{}\n",
      status.target.name,
      status.target.account,
      status.target.region,
      status.is_configured ? "" : "  (not in the configuration that linesignd was started with)");
  std::vector<std::string> orders;
  orders.reserve(status.feeds.size());
  for (const CloudFeedStatus& feed : status.feeds)
    orders.push_back(feed.order_id + (feed.is_active ? "" : " (stopped)"));
  text +=
      field_line("orders", orders.empty() ? "none" : fmt::format("{}", fmt::join(orders, ", ")));
  text += field_line("registered", count_text(status.registered));
  if (status.handed_over > 0) text += field_line("handed over", count_text(status.handed_over));
  text += field_line("waiting", waiting_value(status, has_task, now));
  if (status.parked > 0) text += field_line("parked", parked_value(status));
  const TargetActivity* const doing = activity ? activity->find(status.target.name) : nullptr;
  if (activity && activity->is_running(now) && doing != nullptr)
    text += activity_lines(status, *doing, now);
  return text;
}

json::Object::Ptr target_json(const CloudTargetStatus& status, const TargetActivity* doing) {
  json::Object::Ptr object = json::make_object();
  object->set("target", status.target.name);
  object->set("account", status.target.account);
  object->set("region", status.target.region);
  object->set("configured", status.is_configured);
  object->set("orders", json::list_of(status.feeds, [](const CloudFeedStatus& feed) {
                json::Object::Ptr row = json::make_object();
                row->set("order", feed.order_id);
                row->set("active", feed.is_active);
                return row;
              }));
  object->set("registered", status.registered);
  object->set("handed_over", status.handed_over);
  object->set("waiting", status.waiting);
  object->set("in_task", status.in_task);
  object->set("parked", status.parked);
  object->set("parked_by_code", json::list_of(status.parked_by_code, [](const CloudParked& parked) {
                json::Object::Ptr row = json::make_object();
                row->set("code", parked.code);
                row->set("name", std::string(name_of_code(parked.code)));
                row->set("count", parked.count);
                return row;
              }));
  object->set("oldest_waiting_at", json::time_or_null(status.oldest_waiting_at));
  object->set("state", doing != nullptr ? doing->state : "");
  object->set("since", doing != nullptr ? json::time_or_null(doing->since) : Poco::Dynamic::Var());
  object->set("error", doing != nullptr ? doing->error : "");
  object->set("detail", doing != nullptr ? doing->detail : "");
  object->set("per_second", doing != nullptr ? doing->per_second : 0.0);
  object->set("throttled", doing != nullptr ? doing->throttled : 0);
  const auto left = seconds_left(status, doing);
  object->set("seconds_left", left ? Poco::Dynamic::Var(*left) : Poco::Dynamic::Var());
  return object;
}

}  // namespace

bool UploaderActivity::is_running(UnixTime now) const {
  const bool has_ended =
      !targets.empty() &&
      std::all_of(targets.begin(), targets.end(), [](const TargetActivity& each) {
        return each.state == "ended";
      });
  return !has_ended && now - written_at <= kStillRunning;
}

const TargetActivity* UploaderActivity::find(std::string_view target) const {
  const auto found = std::find_if(targets.begin(), targets.end(), [&](const TargetActivity& each) {
    return each.target == target;
  });
  return found != targets.end() ? &*found : nullptr;
}

std::optional<UploaderActivity> read_activity(const std::filesystem::path& state_dir) {
  const auto bytes = read_file(state_dir / "progress.json", kMaxProgressBytes);
  if (!bytes.has_value()) return std::nullopt;
  auto activity = json::parse_as<UploaderActivity>(as_text(*bytes), [](const json::Object& object) {
    UploaderActivity read;
    read.written_at = json::time_of(object, "written_at");
    json::for_each_object(object, "targets", [&read](const json::Object& row) {
      read.targets.push_back(read_target_activity(row));
    });
    return read;
  });
  if (!activity.has_value()) return std::nullopt;
  return std::move(*activity);
}

std::string aws_status_text(const AwsStatus& status,
                            const std::optional<UploaderActivity>& activity,
                            UnixTime now) {
  if (status.targets.empty() && status.not_known_yet.empty())
    return "no [[aws.target]] is configured\n";
  std::string text;
  for (const CloudTargetStatus& each : status.targets)
    text += target_text(each, !status.without_task.contains(each.target.name), activity, now);
  for (const std::string& each : status.not_known_yet)
    text += fmt::format("{}: {}\n", each, kNotKnownYet);
  if (!activity) {
    text += "linesign-uploader has not worked here yet, or what it says cannot be read.\n";
  } else if (!activity->is_running(now)) {
    text += fmt::format("linesign-uploader does not run; it was last seen {} ago.\n",
                        elapsed_text(now - activity->written_at));
  }
  return text;
}

std::string aws_status_json(const AwsStatus& status,
                            const std::optional<UploaderActivity>& activity,
                            UnixTime now) {
  json::Object::Ptr object = json::make_object();
  const bool is_running = activity && activity->is_running(now);
  object->set("uploader", !activity ? "unknown" : is_running ? "running" : "not running");
  object->set("targets", json::list_of(status.targets, [&](const CloudTargetStatus& each) {
                return target_json(each, is_running ? activity->find(each.target.name) : nullptr);
              }));
  Poco::JSON::Array::Ptr not_known_yet = Poco::makeShared<Poco::JSON::Array>();
  for (const std::string& each : status.not_known_yet) not_known_yet->add(each);
  object->set("not_known_yet", not_known_yet);
  return json::stringify(*object);
}

int aws_check_exit_code(const AwsStatus& status,
                        const std::optional<UploaderActivity>& activity,
                        UnixTime now) {
  const auto& targets = status.targets;
  const bool has_failed =
      std::any_of(targets.begin(), targets.end(), [](const auto& each) { return each.parked > 0; });
  if (has_failed) return kExitFailed;
  const bool is_running = activity && activity->is_running(now);
  const bool is_blocked =
      std::any_of(targets.begin(), targets.end(), [&](const CloudTargetStatus& each) {
        const TargetActivity* const doing = is_running ? activity->find(each.target.name) : nullptr;
        const bool is_idle = doing == nullptr && each.waiting + each.in_task > 0;
        return is_idle || (doing != nullptr && !doing->error.empty());
      });
  return is_blocked || !status.not_known_yet.empty() ? kExitBlocked : 0;
}

std::string parked_text(const std::vector<ParkedDevices>& parked) {
  std::string text;
  for (const auto& [target, devices] : parked)
    for (const CloudRegistration& each : devices)
      text += fmt::format("{}  {}  number {}  {}  {} {}: {}\n",
                          target,
                          each.device_id,
                          each.issuance_id,
                          to_iso8601(each.updated_at),
                          each.code,
                          name_of_code(each.code),
                          each.reason);
  return text.empty() ? "no device has failed\n" : text;
}

std::string parked_json(const std::vector<ParkedDevices>& parked) {
  Poco::JSON::Array::Ptr rows = Poco::makeShared<Poco::JSON::Array>();
  for (const auto& [target, devices] : parked) {
    for (const CloudRegistration& each : devices) {
      json::Object::Ptr row = json::make_object();
      row->set("target", target);
      row->set("number", each.issuance_id);
      row->set("device_id", each.device_id);
      row->set("order", each.order_id);
      row->set("code", each.code);
      row->set("name", std::string(name_of_code(each.code)));
      row->set("reason", each.reason);
      row->set("attempts", each.attempts);
      row->set("since", to_iso8601(each.updated_at));
      rows->add(row);
    }
  }
  json::Object::Ptr object = json::make_object();
  object->set("parked", rows);
  return json::stringify(*object);
}

std::string_view aws_advice_for(ErrorCode code) {
  const auto* const row = std::find_if(kAwsAdvice.begin(),
                                       kAwsAdvice.end(),
                                       [code](const Advice& each) { return each.code == code; });
  return row != kAwsAdvice.end() ? row->text : advice_for(code);
}

}  // namespace linesign
