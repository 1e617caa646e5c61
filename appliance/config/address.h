// Address: "host:port", "[v6]:port" or "[v6%interface]:port" as it stands in the configuration.
//
// Limits   host 1 to 253 bytes (RFC 1035 section 2.3.4), so that a join token can hold it
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_CONFIG_ADDRESS_H_
#define LINESIGN_APPLIANCE_CONFIG_ADDRESS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace linesign {

struct Address {
  std::string host;  // without brackets, with its %interface
  uint16_t port = 0;
};

// Absent unless it has this form; the host is not looked up.
std::optional<Address> parse_address(std::string_view text);

// Is the host a link-local address (fe80::/10) without the interface that it needs?
bool lacks_interface(std::string_view host);

// Does the host stand for every interface, so that nobody can connect to it by this name?
bool is_wildcard(std::string_view host);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CONFIG_ADDRESS_H_
