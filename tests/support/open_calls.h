// open() and open64() of a library that stands in front of the C library: both end in one function
// of the file that includes this.
#ifndef LINESIGN_TESTS_SUPPORT_OPEN_CALLS_H_
#define LINESIGN_TESTS_SUPPORT_OPEN_CALLS_H_

#include <fcntl.h>

#include <cstdarg>

namespace {

// `call`: the name of the C library's function that is to do it.
int open_instead(const char* call, const char* path, int flags, mode_t mode);

}  // namespace

#define LS_OPEN_CALL(name)                                                 \
  int name(const char* path, int flags, ...) {                             \
    va_list more;                                                          \
    va_start(more, flags);                                                 \
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0; \
    va_end(more);                                                          \
    return open_instead(#name, path, flags, mode);                         \
  }
extern "C" {
LS_OPEN_CALL(open)
LS_OPEN_CALL(open64)
}
#undef LS_OPEN_CALL

#endif  // LINESIGN_TESTS_SUPPORT_OPEN_CALLS_H_
