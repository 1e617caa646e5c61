// Digests of what is sent, and the text forms that AWS wants them in.
//
// Errors   Io: a file that is read for its digest; CryptoFailed
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_DIGESTS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_DIGESTS_H_

#include <string>
#include <string_view>

#include "protocol/base/bytes.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign::aws {

Sha256 sha256(ByteView bytes);

// Of a file from its beginning to `size_bytes`, in constant memory. Borrows the descriptor.
Result<Sha256> sha256_of_file(int fd, uint64_t size_bytes);

Sha256 hmac_sha256(ByteView key, std::string_view text);

// RFC 4648 section 4: with padding.
std::string to_base64(ByteView bytes);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_DIGESTS_H_
