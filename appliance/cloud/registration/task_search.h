// TaskSearch: which bulk task of the account has a manifest, after a start without an answer.
//
// AWS lists the ids of tasks in an order that it does not document, and says of each on request
// what it reads and since when. Tasks that ended are looked at from both ends of the list: a side
// that shows many in a row from before the manifest is left, and kMostLooks end the search. A task
// that is missed is no harm: the manifest is registered a second time, which changes nothing.
//
// Errors   of IotClient
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TASK_SEARCH_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TASK_SEARCH_H_

#include <string>

#include "appliance/cloud/aws/iot_client.h"

namespace linesign {

struct SoughtTask {
  std::string bucket;
  std::string key;
  UnixTime not_before{};  // by the clock of AWS: tasks from before it are others
};

struct FoundTask {
  std::string id;     // empty: none has the manifest
  std::string other;  // of find_running: another one that runs, in words
  int looks = 0;      // tasks that were asked for
};

Result<FoundTask> find_running(aws::IotClient& iot, const SoughtTask& sought);
Result<FoundTask> find_ended(aws::IotClient& iot, const SoughtTask& sought);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TASK_SEARCH_H_
