// Priority: which work goes first where there is more than one at a time.
#ifndef LINESIGN_APPLIANCE_LEDGER_PRIORITY_H_
#define LINESIGN_APPLIANCE_LEDGER_PRIORITY_H_

#include <chrono>
#include <cstdint>

namespace linesign {

// Urgent: somebody waits for this one, while most of the work is for those who want many.
enum class Priority : uint8_t { Normal, Urgent };

// After urgent work more is likely to come. For so long batches at the signers, which cannot be
// interrupted, are kept short, which costs a little throughput.
constexpr std::chrono::seconds kUrgentMemory(1);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_PRIORITY_H_
