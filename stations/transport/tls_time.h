// TLS time: the validity of a certificate as UnixTime.
//
// Errors   InputInvalid
// Threads  no state, safe anywhere
#ifndef LINESIGN_STATIONS_TRANSPORT_TLS_TIME_H_
#define LINESIGN_STATIONS_TRANSPORT_TLS_TIME_H_

#include <openssl/asn1.h>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace linesign {

Result<UnixTime> to_unix_time(const ASN1_TIME* time);

}  // namespace linesign

#endif  // LINESIGN_STATIONS_TRANSPORT_TLS_TIME_H_
