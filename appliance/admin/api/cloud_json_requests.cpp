// What the tools ask.
#include <algorithm>
#include <array>
#include <utility>

#include "appliance/admin/api/cloud_fields.h"

namespace linesign {
namespace json {
namespace {

constexpr std::array<std::pair<RegistrationState, std::string_view>, 6> kRegistrationStates = {{
    {RegistrationState::Expected, "expected"},
    {RegistrationState::Waiting, "waiting"},
    {RegistrationState::Registered, "registered"},
    {RegistrationState::Parked, "parked"},
    {RegistrationState::HandedOver, "handed_over"},
    {RegistrationState::InTask, "in_task"},
}};

constexpr std::array<std::pair<BulkTaskState, std::string_view>, 6> kTaskStates = {{
    {BulkTaskState::Planned, "planned"},
    {BulkTaskState::Uploaded, "uploaded"},
    {BulkTaskState::Started, "started"},
    {BulkTaskState::Finished, "finished"},
    {BulkTaskState::Booked, "booked"},
    {BulkTaskState::Failed, "failed"},
}};

template <typename Table, typename State>
std::string_view name_in(const Table& table, State state) {
  const auto row =
      std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.first == state; });
  return row != table.end() ? row->second : "unknown";
}

template <typename Table>
auto state_in(const Table& table, const Object& object, const std::string& key) {
  const std::string name = text_of(object, key);
  const auto row =
      std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.second == name; });
  if (row == table.end()) wrong("a known state is expected", key);
  return row->first;
}

std::string target_of(const Object& object) {
  return text_of(object, "target", kMaxCloudTextBytes);
}

CloudFeed read_feed(const Object& object) {
  return {text_of(object, "order", kMaxOrderIdBytes), target_of(object)};
}

Object::Ptr booking_object(const CloudBooking& booking) {
  Object::Ptr object = make_object();
  object->set("issuance_id", booking.issuance_id);
  object->set("state", std::string(to_string(booking.state)));
  object->set("steps", booking.steps);
  object->set("attempts", booking.attempts);
  object->set("code", booking.code);
  object->set("reason", std::string(cut_reason(booking.reason)));
  object->set("certificate_id", hash_or_null(booking.certificate_id));
  return object;
}

CloudBooking read_booking(const Object& object) {
  expect_members(object,
                 {"issuance_id", "state", "steps", "attempts", "code", "reason", "certificate_id"});
  CloudBooking booking;
  booking.issuance_id = number_of<uint64_t>(object, "issuance_id");
  booking.state = registration_state_of(object, "state");
  booking.steps = number_of<uint32_t>(object, "steps");
  booking.attempts = number_of<uint32_t>(object, "attempts");
  booking.code = number_of<uint32_t>(object, "code");
  booking.reason = text_of(object, "reason");
  booking.certificate_id = optional_hash_of(object, "certificate_id");
  return booking;
}

}  // namespace

RegistrationState registration_state_of(const Object& object, const std::string& key) {
  return state_in(kRegistrationStates, object, key);
}

BulkTaskState task_state_of(const Object& object, const std::string& key) {
  return state_in(kTaskStates, object, key);
}

Object::Ptr target_object(const CloudTarget& target) {
  Object::Ptr object = make_object();
  object->set("name", target.name);
  object->set("account", target.account);
  object->set("region", target.region);
  return object;
}

CloudTarget read_target(const Object& object) {
  return {text_of(object, "name", kMaxCloudTextBytes),
          text_of(object, "account", kMaxCloudTextBytes),
          text_of(object, "region", kMaxCloudTextBytes)};
}

}  // namespace json

using namespace json;  // NOLINT(google-build-using-namespace): a file of this folder's JSON

std::string_view to_string(RegistrationState state) { return name_in(kRegistrationStates, state); }
std::string_view to_string(BulkTaskState state) { return name_in(kTaskStates, state); }

std::string to_json(const CloudPlan& plan) {
  Object::Ptr object = make_object();
  object->set("targets", list_of(plan.targets, target_object));
  object->set("feeds", list_of(plan.feeds, [](const CloudFeed& feed) {
                Object::Ptr row = make_object();
                row->set("order", feed.order_id);
                row->set("target", feed.target);
                return row;
              }));
  return stringify(*object);
}

template <>
Result<CloudPlan> from_json(std::string_view json) {
  return parse_as<CloudPlan>(json, [](const Object& object) {
    expect_members(object, {"targets", "feeds"});
    CloudPlan plan;
    for_each_object(object, "targets", [&](const Object& row) {
      expect_members(row, {"name", "account", "region"});
      plan.targets.push_back(read_target(row));
    });
    for_each_object(object, "feeds", [&](const Object& row) {
      expect_members(row, {"order", "target"});
      plan.feeds.push_back(read_feed(row));
    });
    return plan;
  });
}

std::string to_json(const CloudFeedRequest& request) {
  Object::Ptr object = make_object();
  object->set("order", request.feed.order_id);
  object->set("target", request.feed.target);
  object->set("active", request.is_active);
  return stringify(*object);
}

template <>
Result<CloudFeedRequest> from_json(std::string_view json) {
  return parse_as<CloudFeedRequest>(json, [](const Object& object) {
    expect_members(object, {"order", "target", "active"});
    return CloudFeedRequest{read_feed(object), flag_of(object, "active")};
  });
}

std::string to_json(const CloudClaimRequest& request) {
  Object::Ptr object = make_object();
  object->set("target", request.target);
  object->set("after", request.after);
  object->set("limit", request.limit);
  return stringify(*object);
}

template <>
Result<CloudClaimRequest> from_json(std::string_view json) {
  return parse_as<CloudClaimRequest>(json, [](const Object& object) {
    expect_members(object, {"target", "after", "limit"});
    return CloudClaimRequest{target_of(object),
                             number_of<uint64_t>(object, "after"),
                             number_of<uint32_t>(object, "limit")};
  });
}

std::string to_json(const CloudBookRequest& request) {
  Object::Ptr object = make_object();
  object->set("target", request.target);
  object->set("bookings", list_of(request.bookings, booking_object));
  return stringify(*object);
}

template <>
Result<CloudBookRequest> from_json(std::string_view json) {
  return parse_as<CloudBookRequest>(json, [](const Object& object) {
    expect_members(object, {"target", "bookings"});
    CloudBookRequest request;
    request.target = target_of(object);
    for_each_object(object, "bookings", [&](const Object& row) {
      request.bookings.push_back(read_booking(row));
    });
    return request;
  });
}

std::string to_json(const CloudReleaseRequest& request) {
  Object::Ptr object = make_object();
  object->set("target", request.target);
  object->set("code", number_or_null(request.code));
  object->set("limit", request.limit);
  object->set("number", number_or_null(request.number));
  return stringify(*object);
}

template <>
Result<CloudReleaseRequest> from_json(std::string_view json) {
  return parse_as<CloudReleaseRequest>(json, [](const Object& object) {
    expect_members(object, {"target", "code", "limit", "number"});
    return CloudReleaseRequest{target_of(object),
                               optional_number_of<uint32_t>(object, "code"),
                               number_of<uint32_t>(object, "limit"),
                               optional_number_of<uint64_t>(object, "number")};
  });
}

std::string to_json(const CloudListRequest& request) {
  Object::Ptr object = make_object();
  Poco::Dynamic::Var state;
  if (request.state.has_value()) state = std::string(to_string(*request.state));
  object->set("target", request.target);
  object->set("state", state);
  object->set("after", request.after);
  object->set("limit", request.limit);
  return stringify(*object);
}

template <>
Result<CloudListRequest> from_json(std::string_view json) {
  return parse_as<CloudListRequest>(json, [](const Object& object) {
    expect_members(object, {"target", "state", "after", "limit"});
    CloudListRequest request;
    request.target = target_of(object);
    if (!object.isNull("state")) request.state = registration_state_of(object, "state");
    request.after = number_of<uint64_t>(object, "after");
    request.limit = number_of<uint32_t>(object, "limit");
    return request;
  });
}

std::string to_json(const CertificatesRequest& request) {
  Object::Ptr object = make_object();
  object->set("order", request.order_id);
  object->set("after", request.after);
  object->set("limit", request.limit);
  return stringify(*object);
}

template <>
Result<CertificatesRequest> from_json(std::string_view json) {
  return parse_as<CertificatesRequest>(json, [](const Object& object) {
    expect_members(object, {"order", "after", "limit"});
    return CertificatesRequest{text_of(object, "order", kMaxOrderIdBytes),
                               number_of<uint64_t>(object, "after"),
                               number_of<uint32_t>(object, "limit")};
  });
}

}  // namespace linesign
