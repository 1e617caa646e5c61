#include "hsm/signer/batch_loop.h"

#include <algorithm>

#include <google/protobuf/arena.h>
#include <google/protobuf/unknown_field_set.h>

namespace linesign {
namespace {

using google::protobuf::Arena;
using google::protobuf::Message;
using signer::v1::FromSigner;
using signer::v1::ToSigner;

// Both programs are of one build: a field that this one does not know is no newer version.
bool has_unknown_fields(const Message& message) {
  return !message.GetReflection()->GetUnknownFields(message).empty();
}

Result<void> parse_batch(ByteView packet, ToSigner& batch) {
  if (!batch.ParseFromArray(packet.data(), static_cast<int>(packet.size())) ||
      has_unknown_fields(batch))
    return fail(ErrorCode::SignerProtocol, "a message cannot be read");
  const int count = batch.items_size() + batch.checks_size();
  if (count == 0 || count > kMaxBatchItemsAccepted)
    return fail(ErrorCode::SignerProtocol, "a message has no item or too many");
  const auto is_unreadable = [](const auto& item) { return has_unknown_fields(item); };
  if (std::any_of(batch.items().begin(), batch.items().end(), is_unreadable) ||
      std::any_of(batch.checks().begin(), batch.checks().end(), is_unreadable))
    return fail(ErrorCode::SignerProtocol, "an item cannot be read");
  return {};
}

Result<void> flush(const SignerChannel& channel, FromSigner& answer) {
  if (answer.results().empty() && answer.checks().empty()) return {};
  LS_CHECK(channel.send(answer));
  answer.clear_results();
  answer.clear_checks();
  return {};
}

Result<void> check_batch(const SignerChannel& channel,
                         SigningWorker& worker,
                         const ToSigner& batch,
                         FromSigner& answer) {
  for (const auto& item : batch.checks()) {
    auto done = worker.check(item, *answer.add_checks());
    if (!done) answer.mutable_checks()->RemoveLast();
    if (!done || answer.checks_size() == kMaxResultsPerPacket) LS_CHECK(flush(channel, answer));
    if (!done) return done;
  }
  return flush(channel, answer);
}

Result<void> process_batch(const SignerChannel& channel,
                           SigningWorker& worker,
                           const ToSigner& batch,
                           std::chrono::milliseconds max_result_age,
                           FromSigner& answer) {
  using std::chrono::steady_clock;
  auto oldest = steady_clock::now();  // an upper limit of the age of the first result
  for (const auto& item : batch.items()) {
    const auto start = steady_clock::now();
    if (answer.results().empty()) oldest = start;
    auto done = worker.process(item, *answer.add_results());
    if (!done) answer.mutable_results()->RemoveLast();
    // The next one will take about as long as this one.
    const auto now = steady_clock::now();
    const bool full = answer.results_size() == kMaxResultsPerPacket ||
                      now - oldest + (now - start) > max_result_age;
    auto sent = full || !done ? flush(channel, answer) : Result<void>();
    if (!done || !sent) return done ? sent : done;
  }
  return flush(channel, answer);
}

}  // namespace

Result<void> run_batches(const SignerChannel& channel,
                         SigningWorker& worker,
                         std::chrono::milliseconds max_result_age) {
  Bytes buffer;
  Arena arena;  // keeps its memory from batch to batch
  for (;;) {
    LS_TRY(const std::optional<ByteView> packet, channel.receive(buffer));
    if (!packet) return {};
    auto* batch = Arena::CreateMessage<ToSigner>(&arena);
    auto* answer = Arena::CreateMessage<FromSigner>(&arena);
    LS_CHECK(parse_batch(*packet, *batch));
    LS_CHECK(check_batch(channel, worker, *batch, *answer));
    LS_CHECK(process_batch(channel, worker, *batch, max_result_age, *answer));
    arena.Reset();
  }
}

}  // namespace linesign
