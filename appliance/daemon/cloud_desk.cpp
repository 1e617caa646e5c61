#include "appliance/daemon/cloud_desk.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace linesign {
namespace {

constexpr const char* kDefaultOrder = "default";

}  // namespace

CloudPlan plan_of(const AwsConfig& config) {
  CloudPlan plan;
  for (const TargetConfig& target : config.targets)
    plan.targets.push_back({target.name, target.account, target.region});
  for (const std::string& target : config.targets_of_default_order)
    plan.feeds.push_back({kDefaultOrder, target});
  return plan;
}

std::vector<CloudTarget> take_moved(CloudPlan& plan, const std::vector<CloudTargetStatus>& known) {
  const auto is_moved = [&known](const CloudTarget& target) {
    return std::any_of(known.begin(), known.end(), [&](const CloudTargetStatus& each) {
      return each.target.name == target.name &&
             (each.target.account != target.account || each.target.region != target.region);
    });
  };
  std::vector<CloudTarget> moved;
  std::copy_if(plan.targets.begin(), plan.targets.end(), std::back_inserter(moved), is_moved);
  std::erase_if(plan.targets, is_moved);
  std::erase_if(plan.feeds, [&moved](const CloudFeed& feed) {
    return std::any_of(moved.begin(), moved.end(), [&](const CloudTarget& each) {
      return each.name == feed.target;
    });
  });
  return moved;
}

void set_rules(DeviceIdRules& rules, const std::vector<CloudTargetStatus>& targets) {
  for (const CloudTargetStatus& each : targets)
    for (const CloudFeedStatus& feed : each.feeds)
      rules.set(feed.order_id, each.target.name, each.is_configured && feed.is_active);
}

// Before the answer: who was told that an order goes to a target may rely on it.
void CloudDesk::renew_rules(Reply<void> reply) {
  status([this, reply = std::move(reply)](const Result<std::vector<CloudTargetStatus>>& targets) {
    if (targets.has_value()) set_rules(rules_, *targets);
    reply(targets.has_value() ? Result<void>() : fail(targets.error()));
  });
}

void CloudDesk::set_plan(CloudPlan plan, Reply<void> reply) {
  ledger_.write<void>([plan = std::move(plan), now = clock_.now()](
                          Ledger& ledger) { return ledger.cloud().set_plan(plan, now); },
                      [this, reply = std::move(reply)](const Result<void>& done) {
                        done.has_value() ? renew_rules(reply) : reply(done);
                      });
}

void CloudDesk::set_feed(CloudFeedRequest request, Reply<void> reply) {
  ledger_.write<void>(
      [request = std::move(request), now = clock_.now()](Ledger& ledger) {
        return ledger.cloud().set_feed(request.feed, request.is_active, now);
      },
      [this, reply = std::move(reply)](const Result<void>& done) {
        done.has_value() ? renew_rules(reply) : reply(done);
      });
}

void CloudDesk::claim(CloudClaimRequest request, Reply<std::vector<CloudItem>> reply) {
  ledger_.write<std::vector<CloudItem>>(
      [request = std::move(request), now = clock_.now()](Ledger& ledger) {
        return ledger.cloud().claim(request.target, request.after, request.limit, now);
      },
      std::move(reply));
}

void CloudDesk::book(CloudBookRequest request, Reply<CloudBooked> reply) {
  ledger_.write<CloudBooked>(
      [request = std::move(request), now = clock_.now()](Ledger& ledger) {
        return ledger.cloud().book(request.target, request.bookings, now);
      },
      std::move(reply));
}

void CloudDesk::release(CloudReleaseRequest request, Reply<uint64_t> reply) {
  ledger_.write<uint64_t>(
      [request = std::move(request), now = clock_.now()](Ledger& ledger) {
        if (request.number) return ledger.cloud().release_one(request.target, *request.number, now);
        return ledger.cloud().release(request.target, request.code, request.limit, now);
      },
      std::move(reply));
}

void CloudDesk::status(Reply<std::vector<CloudTargetStatus>> reply) {
  ledger_.write<std::vector<CloudTargetStatus>>(
      [](Ledger& ledger) { return ledger.cloud().status(); }, std::move(reply));
}

void CloudDesk::registrations(CloudListRequest request, Reply<RegistrationPage> reply) {
  ledger_.write<RegistrationPage>(
      [request = std::move(request)](Ledger& ledger) {
        return ledger.cloud().registrations(
            request.target, request.state, request.after, request.limit);
      },
      std::move(reply));
}

void CloudDesk::open_tasks(CloudTasksRequest request, Reply<std::vector<BulkTask>> reply) {
  ledger_.write<std::vector<BulkTask>>(
      [request = std::move(request)](Ledger& ledger) {
        return ledger.cloud().open_tasks(request.target);
      },
      std::move(reply));
}

void CloudDesk::create_task(BulkCreateRequest request, Reply<BulkTask> reply) {
  ledger_.write<BulkTask>(
      [request = std::move(request), now = clock_.now()](Ledger& ledger) {
        return ledger.cloud().create_task(request.target, request.object_key, now);
      },
      std::move(reply));
}

void CloudDesk::fill_task(BulkFillRequest request, Reply<BulkTask> reply) {
  ledger_.write<BulkTask>(
      [request, now = clock_.now()](Ledger& ledger) {
        return ledger.cloud().fill_task(request.task_id, request.lines, now);
      },
      std::move(reply));
}

void CloudDesk::task_items(BulkItemsRequest request, Reply<std::vector<CloudItem>> reply) {
  ledger_.write<std::vector<CloudItem>>(
      [request](Ledger& ledger) {
        return ledger.cloud().task_items(request.task_id, request.after, request.limit);
      },
      std::move(reply));
}

void CloudDesk::update_task(BulkUpdateRequest request, Reply<BulkTask> reply) {
  ledger_.write<BulkTask>(
      [request = std::move(request), now = clock_.now()](Ledger& ledger) {
        return ledger.cloud().update_task(request.task_id, request.change, now);
      },
      std::move(reply));
}

void CloudDesk::return_task_items(BulkReturnRequest request, Reply<uint64_t> reply) {
  ledger_.write<uint64_t>(
      [request, now = clock_.now()](Ledger& ledger) {
        return ledger.cloud().return_task_items(request.task_id, request.limit, now);
      },
      std::move(reply));
}

void CloudDesk::certificates(CertificatesRequest request, Reply<CertificatePage> reply) {
  ledger_.write<CertificatePage>(
      [request = std::move(request)](Ledger& ledger) {
        return ledger.cloud().certificates(request.order_id, request.after, request.limit);
      },
      std::move(reply));
}

void CloudDesk::cas(Reply<std::vector<LedgerCa>> reply) {
  ledger_.write<std::vector<LedgerCa>>([](Ledger& ledger) { return ledger.cloud().cas(); },
                                       std::move(reply));
}

}  // namespace linesign
