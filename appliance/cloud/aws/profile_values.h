// ProfileValues: the small rules of AWS's shared files: what white space is, and which values
// cannot be what their key says.
//
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_PROFILE_VALUES_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_PROFILE_VALUES_H_

#include <string>
#include <string_view>

namespace linesign::aws {

// Bytes of the white space that a text begins with, as Python's str.strip() knows it; 0: none.
size_t leading_space(std::string_view text);
// Without the white space around it.
std::string_view strip(std::string_view text);

bool is_utf8(std::string_view text);

bool is_secret_key(std::string_view key);  // aws_secret_access_key, aws_session_token

// Why a value can never be one of this key; empty: it can, or linesign does not read this key.
std::string_view value_fault(std::string_view key, std::string_view value);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_PROFILE_VALUES_H_
