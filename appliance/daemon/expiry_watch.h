// ExpiryWatch: when the certificates end that production needs; warns in the log in time.
//
// Each warning is logged when it is reached (kExpiryWarningDays), and at the start; one that leaves
// more time than the last one about the same thing, a day after that at the earliest.
//
// Threads  the event loop's thread only
#ifndef LINESIGN_APPLIANCE_DAEMON_EXPIRY_WATCH_H_
#define LINESIGN_APPLIANCE_DAEMON_EXPIRY_WATCH_H_

#include <map>
#include <memory>
#include <string>

#include "appliance/daemon/station_registry.h"
#include "appliance/enrollment/station_ca.h"
#include "appliance/records/certificate_expiry.h"
#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/profile.h"
#include "protocol/base/clock.h"
#include "protocol/event/event_loop.h"

namespace linesign {

class ExpiryWatch final {
 public:
  // Borrowed; all outlive this object.
  struct Parts {
    const Clock& clock;
    const CaCertificate& ca;
    const Profile& profile;
    const StationCa& station_ca;
    const StationRegistry& registry;
  };
  ExpiryWatch(EventLoop& loop, Parts parts);

  void start();
  ExpiryFigures figures() const;

 private:
  void look();

  Parts parts_;
  struct Told {
    int64_t days;
    SteadyTime at;
  };
  std::map<std::string, Told> told_;  // what was logged last, by what it is about
  std::unique_ptr<Timer> timer_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_EXPIRY_WATCH_H_
