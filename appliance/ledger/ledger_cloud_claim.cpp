// How certificates come into the outbox, and out of it.
#include <algorithm>

#include "appliance/ledger/ledger_cloud_implementation.h"

namespace linesign {
namespace {

// Issuances that one call looks at for one feed.
constexpr int64_t kMaxScanned = 2000;
constexpr int64_t kMinBatch = 50;

struct ScannedIssuance {
  int64_t id = 0;
  int64_t order_id = 0;
  bool has_certificate = false;
};

}  // namespace

Result<std::vector<CloudItem>> LedgerCloud::Implementation::claim(std::string_view target,
                                                                  uint64_t after,
                                                                  uint32_t limit,
                                                                  UnixTime now) {
  LS_CHECK(check_limit(limit, kMaxCloudItems));
  LS_TRY(const CloudTargetRow row, target_of(target));
  LS_CHECK(take_in(row.id, after, limit, now));
  std::vector<CloudItem> items;
  LS_CHECK(sql_[CloudSql::WaitingItems].query(
      [&](const Statement& item) { items.push_back(read_cloud_item(item)); },
      row.id,
      to_row_id(after),
      static_cast<int64_t>(limit)));
  return items;
}

Result<void> LedgerCloud::Implementation::take_in(int64_t target_id,
                                                  uint64_t after,
                                                  uint32_t wanted,
                                                  UnixTime now) {
  CloudTally tally;
  LS_CHECK(settle_expected(target_id, tally, now));
  int64_t waiting = 0;
  LS_CHECK(
      sql_[CloudSql::CountWaiting].query([&](const Statement& row) { waiting = row.integer(0); },
                                         target_id,
                                         to_row_id(after),
                                         static_cast<int64_t>(wanted)));
  const int64_t missing = static_cast<int64_t>(wanted) - waiting;
  LS_TRY(const std::vector<CloudFeedRow> feeds, feeds_of(target_id));
  // Each of them as much as if it were the only one, so that the oldest come first.
  for (const CloudFeedRow& feed : feeds)
    if (feed.is_active && missing > 0) LS_CHECK(take_from(feed, target_id, missing, tally, now));
  return tally.save(sql_, target_id);
}

// Intents that were open when it was their turn, and are not any more.
Result<void> LedgerCloud::Implementation::settle_expected(int64_t target_id,
                                                          CloudTally& tally,
                                                          UnixTime now) {
  std::vector<std::pair<int64_t, bool>> settled;
  LS_CHECK(sql_[CloudSql::SettledExpected].query(
      [&](const Statement& row) { settled.emplace_back(row.integer(0), row.integer(1) != 0); },
      target_id,
      int64_t{kMaxCloudMoves}));
  RegistrationRow expected;
  expected.state = RegistrationState::Expected;
  const RegistrationRow waiting;
  for (const auto& [id, has_certificate] : settled)
    LS_CHECK(has_certificate ? save_row(target_id, id, expected, waiting, tally, now)
                             : drop_void(target_id, id, tally));
  return {};
}

Result<void> LedgerCloud::Implementation::drop_void(int64_t target_id,
                                                    int64_t issuance_id,
                                                    CloudTally& tally) {
  LS_CHECK(sql_[CloudSql::DropExpected].execute(target_id, issuance_id));
  LS_CHECK(sql_[CloudSql::UntakeVoid].execute(target_id, issuance_id));
  tally.remove(RegistrationState::Expected);
  return {};
}

Result<void> LedgerCloud::Implementation::take_from(
    const CloudFeedRow& feed, int64_t target_id, int64_t wanted, CloudTally& tally, UnixTime now) {
  const int64_t batch = std::max(wanted, kMinBatch);
  int64_t next = feed.next_issuance_id;
  int64_t taken = 0;
  int64_t waiting = 0;
  std::vector<ScannedIssuance> rows;
  for (int64_t scanned = 0; waiting < wanted && scanned < kMaxScanned;) {
    rows.clear();
    const auto read = [&](const Statement& row) {
      rows.push_back({row.integer(0), row.integer(1), row.integer(2) != 0});
    };
    LS_CHECK(sql_[CloudSql::ScanIssuances].query(read, next, batch));
    for (const ScannedIssuance& row : rows) {
      next = row.id + 1;
      if (row.order_id != feed.order_id) continue;
      const auto state =
          row.has_certificate ? RegistrationState::Waiting : RegistrationState::Expected;
      LS_TRY(const int64_t added,
             sql_[CloudSql::AddRegistration].execute(
                 target_id, row.id, static_cast<int64_t>(state), to_seconds(now)));
      if (added == 0) continue;
      ++taken;
      tally.add(state);
      if (row.has_certificate) ++waiting;
    }
    scanned += static_cast<int64_t>(rows.size());
    if (static_cast<int64_t>(rows.size()) < batch) break;
  }
  if (next == feed.next_issuance_id) return {};
  LS_CHECK(sql_[CloudSql::AdvanceFeed].execute(feed.order_id, target_id, next, taken));
  return {};
}

}  // namespace linesign
