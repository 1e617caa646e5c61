// Faults that a test begins and ends while programs run: one page of a file, mapped by each of
// them, so that it is read and counted also where files can no longer be opened.
//
//   8 bytes          the number of this plan; odd while it is written
//   3,832 bytes      words, ended by a zero byte: "CALL[:FIRST[-[LAST]]]=ACTION[@PART]"
//   16 x 16 bytes    of each word: calls that it was asked about, faults that it made
//
// Calls are counted from 1 over all processes. With PART only those whose subject (a path) contains
// it. tests/support/fault_plan.py writes the same.
//
// Threads  safe
#ifndef LINESIGN_TESTS_SUPPORT_FAULT_PLAN_H_
#define LINESIGN_TESTS_SUPPORT_FAULT_PLAN_H_

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace linesign::testing {

class FaultPlan final {
 public:
  // `variable` of the environment names the file; it may be set later.
  explicit FaultPlan(const char* variable) : variable_(variable) {}

  // What this call is told to do; empty: nothing. `subject` is asked for only if it matters.
  std::string next(std::string_view call, const std::function<std::string()>& subject = {});

  // A new plan in the file, which is made if it is not there.
  static bool write(const char* file, std::string_view words);

 private:
  struct Page;
  struct Rule {
    std::string call;
    std::string action;
    std::string part;
    uint64_t first = 1;
    uint64_t last = UINT64_MAX;
  };
  static Page* map(const char* file, bool is_new);
  static Rule parse(const std::string& word);
  bool read_plan();

  const char* variable_;
  std::mutex mutex_;
  Page* page_ = nullptr;
  uint64_t number_ = 0;
  std::vector<Rule> rules_;
};

}  // namespace linesign::testing

#endif  // LINESIGN_TESTS_SUPPORT_FAULT_PLAN_H_
