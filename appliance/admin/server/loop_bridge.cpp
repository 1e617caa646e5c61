#include "appliance/admin/server/loop_bridge.h"

#include <fmt/format.h>

namespace linesign {

LoopBridge::LoopBridge(EventLoop& loop,
                       AdminService& service,
                       std::chrono::milliseconds reply_timeout)
    : loop_(loop), reply_timeout_(reply_timeout), shared_(std::make_shared<Shared>()) {
  shared_->service = &service;
}

AdminService* LoopBridge::Shared::service_if_open() {
  const std::lock_guard lock(mutex);
  return service;
}

bool LoopBridge::is_closed() const { return shared_->service_if_open() == nullptr; }

void LoopBridge::close() {
  const std::lock_guard lock(shared_->mutex);
  shared_->service = nullptr;
  shared_->changed.notify_all();
}

Error LoopBridge::closed_error() {
  return Error(ErrorCode::AdminUnavailable, "linesignd is shutting down");
}

Error LoopBridge::timeout_error() const {
  return Error(ErrorCode::AdminUnavailable,
               fmt::format("no answer within {} ms", reply_timeout_.count()));
}

}  // namespace linesign
