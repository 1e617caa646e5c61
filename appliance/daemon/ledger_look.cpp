#include "appliance/daemon/ledger_look.h"

#include <utility>

#include "appliance/ledger/ledger_cloud.h"

namespace linesign {
namespace {

Result<LedgerView> look_at(Ledger& ledger) {
  LedgerView view;
  LS_TRY(view.summary, ledger.summary());
  LS_TRY(view.backlog, ledger.cloud().backlog());
  return view;
}

}  // namespace

LedgerView LedgerLook::last_view() const {
  return {.summary = ledger_.last_summary(), .silent_since = silent_since_};
}

void LedgerLook::look(std::function<void(const LedgerView&)> reply) {
  // The one that found it silent still waits, and ends this.
  if (silent_since_) return reply(last_view());
  const auto waiting = std::make_shared<Waiting>();
  waiting->reply = std::move(reply);
  waiting->since = clock_.now();
  waiting->timer = loop_.make_timer([this, weak = std::weak_ptr<Waiting>(waiting)] {
    const auto late = weak.lock();
    if (late == nullptr) return;
    if (!silent_since_) silent_since_ = late->since;
    std::exchange(late->reply, nullptr)(last_view());
  });
  waiting->timer->start(patience_);
  ledger_.write<LedgerView>(look_at, [this, waiting](const Result<LedgerView>& view) {
    silent_since_.reset();
    waiting->timer.reset();
    if (const auto answer = std::exchange(waiting->reply, nullptr))
      answer(view.has_value() ? *view : last_view());
  });
}

}  // namespace linesign
