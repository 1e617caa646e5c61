#include "tests/support/fault_plan.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace linesign::testing {

struct FaultPlan::Page {
  struct Counters {
    std::atomic<uint64_t> calls;
    std::atomic<uint64_t> hits;
  };
  std::atomic<uint64_t> number;
  std::array<char, 3832> words;
  std::array<Counters, 16> counters;
};

// Not by open() and ftruncate(): those may be calls that are broken.
FaultPlan::Page* FaultPlan::map(const char* file, bool is_new) {
  static_assert(sizeof(Page) == 4096);
  const int flags = O_RDWR | O_CLOEXEC | (is_new ? O_CREAT : 0);
  const int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, file, flags, 0600));
  if (fd < 0) return nullptr;
  void* page = MAP_FAILED;
  if (is_new ? ::syscall(SYS_ftruncate, fd, sizeof(Page)) == 0
             : ::lseek(fd, 0, SEEK_END) >= static_cast<off_t>(sizeof(Page)))
    page = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return page == MAP_FAILED ? nullptr : static_cast<Page*>(page);
}

FaultPlan::Rule FaultPlan::parse(const std::string& word) {
  Rule rule;
  const size_t equals = word.find('=');
  const std::string call = word.substr(0, equals);
  const size_t colon = call.find(':');
  rule.call = call.substr(0, colon);
  if (colon != std::string::npos) {
    char* end = nullptr;
    rule.first = std::strtoull(call.c_str() + colon + 1, &end, 10);
    if (*end != '-') rule.last = rule.first;
    if (*end == '-' && end[1] != '\0') rule.last = std::strtoull(end + 1, nullptr, 10);
  }
  if (equals != std::string::npos) rule.action = word.substr(equals + 1);
  if (const size_t at = rule.action.find('@'); at != std::string::npos) {
    rule.part = rule.action.substr(at + 1);
    rule.action.resize(at);
  }
  return rule;
}

// False while there is none, or another one is being written.
bool FaultPlan::read_plan() {
  if (page_ == nullptr) {
    const char* file = std::getenv(variable_);
    if (file != nullptr) page_ = map(file, false);
    if (page_ == nullptr) return false;
  }
  const uint64_t number = page_->number.load(std::memory_order_acquire);
  if (number == number_) return true;
  if (number % 2 != 0) return false;
  const auto copy = page_->words;
  // Adds nothing, and is not done before the words are read: ThreadSanitizer knows no fences.
  if (page_->number.fetch_add(0) != number) return false;
  rules_.clear();
  std::istringstream words(std::string(copy.data(), ::strnlen(copy.data(), copy.size())));
  for (std::string word; words >> word && rules_.size() < page_->counters.size();)
    rules_.push_back(parse(word));
  number_ = number;
  return true;
}

std::string FaultPlan::next(std::string_view call, const std::function<std::string()>& subject) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!read_plan()) return {};
  for (size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    if (rule.call != call) continue;
    if (!rule.part.empty() && subject().find(rule.part) == std::string::npos) continue;
    const uint64_t number = page_->counters.at(i).calls.fetch_add(1) + 1;
    if (number < rule.first || number > rule.last) continue;
    page_->counters.at(i).hits.fetch_add(1);
    return rule.action;
  }
  return {};
}

bool FaultPlan::write(const char* file, std::string_view words) {
  Page* page = map(file, true);
  if (page == nullptr || words.size() >= page->words.size()) return false;
  page->number.fetch_add(1);
  page->words.fill('\0');
  std::memcpy(page->words.data(), words.data(), words.size());
  for (auto& each : page->counters) {
    each.calls = 0;
    each.hits = 0;
  }
  page->number.fetch_add(1, std::memory_order_release);
  return ::munmap(page, sizeof(Page)) == 0;
}

}  // namespace linesign::testing
