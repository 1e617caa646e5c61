#include "stations/transport/tls_time.h"

#include <ctime>

#include "stations/transport/tls_errors.h"

namespace linesign {

Result<UnixTime> to_unix_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1)
    return fail(take_openssl_error(ErrorCode::InputInvalid, "validity"));
  return UnixTime(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace linesign
