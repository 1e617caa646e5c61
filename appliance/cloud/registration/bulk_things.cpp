#include "appliance/cloud/registration/bulk_things.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>

#include "appliance/cloud/registration/provisioning_template.h"
#include "appliance/cloud/targets/thing_name_rule.h"

namespace linesign {
namespace {

constexpr size_t kLookThreads = 8;  // as of way direct

class Search final {
 public:
  Search(const BulkThingsPlan& plan, const std::vector<CloudItem>& items)
      : plan_(plan), items_(items) {}

  void work(aws::IotClient& iot) {
    while (const CloudItem* item = next()) note(*item, look_at(iot, *item));
  }

  Result<ForeignThings> take() {
    if (failure_) return fail(*failure_);
    return std::move(foreign_);
  }

 private:
  const CloudItem* next() {
    const std::lock_guard lock(mutex_);
    return failure_ || next_ == items_.size() ? nullptr : &items_[next_++];
  }

  void note(const CloudItem& item, const Result<void>& seen) {
    if (seen.has_value()) return;
    const ErrorCode code = seen.error().code();
    const std::lock_guard lock(mutex_);
    if (code == ErrorCode::AwsThingForeign || code == ErrorCode::DeviceIdNotAllowed) {
      foreign_.emplace(item.issuance_id, seen.error());
    } else {
      failure_ = seen.error();
    }
  }

  Result<void> look_at(aws::IotClient& iot, const CloudItem& item) const {
    const DeviceFields fields = fields_of(item);
    const auto values = fill_in(plan_.parameters, fields);
    if (!values.has_value()) return {};  // no line can be made of it, which is told elsewhere
    const auto wanted = thing_of(plan_.template_body, *values);
    if (!wanted) return {};
    LS_CHECK(check_thing_name(wanted->name, plan_.thing_name_prefix));
    if (plan_.existing_things == ExistingThings::Adopt) return {};
    const auto there = iot.describe_thing(wanted->name);
    if (!there.has_value() && there.error().code() == ErrorCode::AwsNotFound) return {};
    if (!there.has_value()) return fail(there.error());
    const ThingClaim claim{wanted->name,
                           plan_.certificate_arn + fields.certificate_id,
                           item.certificate_der,
                           plan_.issuers};
    LS_TRY(const ThingPrincipals principals, find_principals(iot, claim));
    const bool is_same =
        there->thing.type == wanted->type && there->thing.attributes == wanted->attributes;
    LS_CHECK(is_same ? check_not_foreign(principals, claim) : check_ours(principals, claim));
    for (const aws::CertificateSummary& former : principals.former)
      LS_CHECK(switch_off(iot, former));
    return {};
  }

  const BulkThingsPlan& plan_;
  const std::vector<CloudItem>& items_;
  std::mutex mutex_;
  size_t next_ = 0;
  ForeignThings foreign_;
  std::optional<Error> failure_;
};

}  // namespace

Result<ForeignThings> find_foreign(const aws::Session& session,
                                   const BulkThingsPlan& plan,
                                   const std::vector<CloudItem>& items) {
  Search search(plan, items);
  std::vector<aws::IotClient> clients;
  for (size_t i = 0; i < std::min(kLookThreads, items.size()); ++i) {
    LS_TRY(aws::IotClient iot, session.iot());
    clients.push_back(std::move(iot));
  }
  {
    std::vector<std::jthread> crew;
    crew.reserve(clients.size());
    for (aws::IotClient& iot : clients) crew.emplace_back([&search, &iot] { search.work(iot); });
  }
  return search.take();
}

}  // namespace linesign
