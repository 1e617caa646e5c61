#include "appliance/config/address.h"

#include <algorithm>
#include <charconv>

namespace linesign {
namespace {

constexpr size_t kMaxHostBytes = 253;

bool is_host_character(char c) {
  const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return is_letter || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool is_v6_character(char c) {
  const bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  return is_hex || c == ':' || c == '.';
}

// An address and, for a link-local one, "%" and a network interface (RFC 4007 section 11).
bool is_v6_host(std::string_view host) {
  const size_t percent = host.find('%');
  const std::string_view address = host.substr(0, percent);
  if (!std::all_of(address.begin(), address.end(), is_v6_character)) return false;
  if (percent == std::string_view::npos) return true;
  const std::string_view interface = host.substr(percent + 1);
  return !interface.empty() && std::all_of(interface.begin(), interface.end(), is_host_character);
}

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || rest != end) return std::nullopt;
  return port;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  if (!port.has_value()) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool is_v6 = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (is_v6) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.size() > kMaxHostBytes) return std::nullopt;
  if (is_v6 ? !is_v6_host(host) : !std::all_of(host.begin(), host.end(), is_host_character))
    return std::nullopt;
  return Address{std::string(host), *port};
}

bool lacks_interface(std::string_view host) {
  if (host.size() < 5 || host[4] != ':' || host.find('%') != std::string_view::npos) return false;
  const auto is_one_of = [](char c, std::string_view set) {
    return set.find(c) != std::string_view::npos;
  };
  return is_one_of(host[0], "fF") && is_one_of(host[1], "eE") && is_one_of(host[2], "89abAB");
}

bool is_wildcard(std::string_view host) { return host == "0.0.0.0" || host == "::"; }

}  // namespace linesign
