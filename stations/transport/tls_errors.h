// TLS errors: what OpenSSL's error queue says, as an Error.
//
// Threads  the queue is the thread's own
#ifndef LINESIGN_STATIONS_TRANSPORT_TLS_ERRORS_H_
#define LINESIGN_STATIONS_TRANSPORT_TLS_ERRORS_H_

#include <string_view>

#include "protocol/base/result.h"

namespace linesign {

// Empties the queue into the detail: "doing: reason; reason".
Error take_openssl_error(ErrorCode code,
                         std::string_view doing,
                         std::source_location where = std::source_location::current());

}  // namespace linesign

#endif  // LINESIGN_STATIONS_TRANSPORT_TLS_ERRORS_H_
