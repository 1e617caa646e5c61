// UniqueFd: owns one file descriptor and closes it.
#ifndef LINESIGN_PROTOCOL_BASE_UNIQUE_FD_H_
#define LINESIGN_PROTOCOL_BASE_UNIQUE_FD_H_

#include <utility>

namespace linesign {

class UniqueFd final {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_UNIQUE_FD_H_
