#include "appliance/records/certificate_expiry.h"

#include <string_view>

#include <fmt/format.h>

#include "protocol/base/expiry.h"

namespace linesign {
namespace {

// As a certificate without an end has it (RFC 5280 section 4.1.2.5).
constexpr UnixTime kNoEnd{std::chrono::seconds(253402300799)};

std::string_view what_to_do(const CertificateEnd& certificate) {
  if (certificate.name == "CA") return "plan its successor: docs/operations.md, Certificates end";
  if (certificate.name == "TLS certificate") return "restart linesignd: the start renews it";
  return "stations must enrol anew before then: docs/operations.md, Certificates end";
}

}  // namespace

std::vector<ExpiryWarning> expiry_warnings(const ExpiryFigures& figures, UnixTime now) {
  std::vector<ExpiryWarning> warnings;
  for (const CertificateEnd& each : figures.certificates) {
    const auto due = expiry_warning(each.not_after, now);
    if (!due.has_value()) continue;
    warnings.push_back(
        {each.name,
         *due,
         fmt::format(
             "the {} {}; {}", each.name, expiry_text(each.not_after, now), what_to_do(each))});
  }
  if (figures.devices_cut_at.has_value())
    warnings.push_back({"device certificates",
                        180,
                        fmt::format("device certificates end with the CA, at {}, before the "
                                    "validity in [profile] is over",
                                    to_iso8601(*figures.devices_cut_at))});
  if (figures.stations_ending > 0 && figures.next_station.has_value())
    warnings.push_back(
        {"stations",
         expiry_warning(figures.next_station->not_after, now).value_or(0),
         fmt::format("{} station certificates end soon, the first is that of {}, which {}; invite "
                     "and enrol those stations again (`linesign station list`)",
                     figures.stations_ending,
                     figures.next_station->name,
                     expiry_text(figures.next_station->not_after, now))});
  if (figures.stations_ended > 0)
    warnings.push_back({"stations that ended",
                        0,
                        fmt::format("{} station certificates have ended: those stations cannot "
                                    "connect until they enrol again (`linesign station list`)",
                                    figures.stations_ended)});
  return warnings;
}

std::optional<UnixTime> cut_at(UnixTime ca_not_after,
                               std::optional<std::chrono::seconds> validity,
                               UnixTime now) {
  if (!validity.has_value())
    return ca_not_after < kNoEnd ? std::optional(ca_not_after) : std::nullopt;
  const bool is_cut = (ca_not_after - now) * 10 < *validity * 9;
  return is_cut ? std::optional(ca_not_after) : std::nullopt;
}

}  // namespace linesign
