// Targets, and which order goes where.
#include <algorithm>

#include <fmt/format.h>

#include "appliance/ledger/ledger_cloud_implementation.h"

namespace linesign {
namespace {

constexpr int64_t kNotConfigured = 0;
constexpr size_t kMaxFeeds = 1000;
constexpr size_t kAccountDigits = 12;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxCloudTextBytes &&
         std::all_of(text.begin(), text.end(), is_name_character);
}

bool is_account(std::string_view text) {
  return text.size() == kAccountDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

CloudTargetRow read_target(const Statement& row) {
  return {.id = row.integer(0),
          .target = {.name = std::string(row.text(1)),
                     .account = std::string(row.text(2)),
                     .region = std::string(row.text(3))},
          .is_configured = row.integer(4) != kNotConfigured};
}

}  // namespace

Result<CloudTargetRow> LedgerCloud::Implementation::target_of(std::string_view name) {
  std::optional<CloudTargetRow> found;
  LS_CHECK(sql_[CloudSql::TargetByName].query(
      [&](const Statement& row) { found = read_target(row); }, name));
  if (!found.has_value())
    return fail(ErrorCode::CloudTargetUnknown, std::string(name.substr(0, kMaxCloudTextBytes)));
  return std::move(*found);
}

Result<std::vector<CloudTargetRow>> LedgerCloud::Implementation::all_targets() {
  std::vector<CloudTargetRow> targets;
  LS_CHECK(sql_[CloudSql::Targets].query(
      [&](const Statement& row) { targets.push_back(read_target(row)); }));
  return targets;
}

Result<std::vector<CloudFeedRow>> LedgerCloud::Implementation::feeds_of(int64_t target_id) {
  std::vector<CloudFeedRow> feeds;
  const auto read = [&](const Statement& row) {
    feeds.push_back({.order_id = row.integer(0),
                     .is_active = row.integer(1) != 0,
                     .next_issuance_id = row.integer(2),
                     .taken = row.integer(3)});
  };
  LS_CHECK(sql_[CloudSql::FeedsOfTarget].query(read, target_id));
  return feeds;
}

Result<int64_t> LedgerCloud::Implementation::id_of_order(std::string_view name) {
  LS_TRY(const OrderRow* order, ledger_->find_order(name));
  if (order == nullptr)
    return fail(ErrorCode::OrderUnknown, std::string(name.substr(0, kMaxOrderIdBytes)));
  return order->id;
}

// Everything that can be wrong, before anything is written.
Result<void> LedgerCloud::Implementation::check_plan(const CloudPlan& plan) {
  if (plan.targets.size() > kMaxCloudTargets || plan.feeds.size() > kMaxFeeds)
    return fail(ErrorCode::InputInvalid, "too many targets or feeds");
  for (const CloudTarget& target : plan.targets) {
    if (!is_name(target.name) || !is_account(target.account) || !is_name(target.region))
      return fail(ErrorCode::InputInvalid,
                  "a target has a name, an account of 12 digits and a region");
    const auto known = target_of(target.name);
    if (!known.has_value() && known.error().code() == ErrorCode::CloudTargetUnknown) continue;
    if (!known.has_value()) return fail(known.error());
    const CloudTarget& old = known->target;
    if (old.account != target.account || old.region != target.region)
      return fail(ErrorCode::CloudTargetMoved,
                  fmt::format("{} was account {} in {}, is account {} in {}",
                              target.name,
                              old.account,
                              old.region,
                              target.account,
                              target.region));
  }
  for (const CloudFeed& feed : plan.feeds) {
    LS_CHECK(id_of_order(feed.order_id));
    const bool is_named =
        std::any_of(plan.targets.begin(), plan.targets.end(), [&](const auto& target) {
          return target.name == feed.target;
        });
    if (!is_named)
      return fail(ErrorCode::CloudTargetUnknown, feed.target.substr(0, kMaxCloudTextBytes));
  }
  return {};
}

Result<void> LedgerCloud::Implementation::set_plan(const CloudPlan& plan, UnixTime now) {
  LS_CHECK(check_plan(plan));
  LS_CHECK(sql_[CloudSql::UnconfigureTargets].execute());
  for (const CloudTarget& target : plan.targets) {
    LS_CHECK(sql_[CloudSql::SaveTarget].execute(std::string_view(target.name),
                                                std::string_view(target.account),
                                                std::string_view(target.region),
                                                to_seconds(now)));
  }
  LS_CHECK(sql_[CloudSql::StopPlannedFeeds].execute());
  for (const CloudFeed& feed : plan.feeds) {
    LS_TRY(const int64_t order_id, id_of_order(feed.order_id));
    LS_TRY(const CloudTargetRow target, target_of(feed.target));
    LS_CHECK(sql_[CloudSql::PlanFeed].execute(order_id, target.id, to_seconds(now)));
  }
  return {};
}

Result<void> LedgerCloud::Implementation::set_feed(const CloudFeed& feed,
                                                   bool is_active,
                                                   UnixTime now) {
  LS_TRY(const int64_t order_id, id_of_order(feed.order_id));
  LS_TRY(const CloudTargetRow target, target_of(feed.target));
  LS_CHECK(sql_[CloudSql::SetFeed].execute(
      order_id, target.id, static_cast<int64_t>(is_active), to_seconds(now)));
  return {};
}

}  // namespace linesign
