// ReportJson: the reports of ceremony and doctor for scripts: the same members as the structs.
//
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_CLI_REPORT_JSON_H_
#define LINESIGN_APPLIANCE_CLI_REPORT_JSON_H_

#include <string>

#include "hsm/ceremony/ceremony.h"
#include "hsm/ceremony/doctor.h"

namespace linesign {

std::string to_json(const CeremonyReport& report);
std::string to_json(const DoctorReport& report);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLI_REPORT_JSON_H_
