// CloudJson: the shapes of /v1/cloud and /v1/ledger, for both of their sides.
//
// Shape    times, hashes and absent values as in admin_json.h; certificates are base64 of the DER
//          item          {issuance_id, device_id, order, serial, certificate, state, steps,
//          attempts,
//                         committed_at, issuer}; serial in hex; issuer: place of the CA that signed
//                         it in the reply's `issuers`: [{certificate}]
//          booking       {issuance_id, state, steps, attempts, code, reason, certificate_id}
//          task          {id, target, object_key, aws_task_id, state, first_issuance,
//                         last_issuance, lines, sha256, created_at, updated_at, reason}
//          registration  {issuance_id, device_id, order, state, steps, attempts, task_id, code,
//                         reason, certificate_id, updated_at, issuer}
//          certificate   {issuance_id, device_id, serial, committed_at, certificate, issuer}
//          target status {name, account, region, configured, feeds: [{order, active}], waiting,
//                         in_task, registered, handed_over, parked, parked_by_code:
//                         [{code, count}], oldest_waiting_at}
//          states        "expected", "waiting", "registered", "parked", "handed_over", "in_task";
//                        of tasks "planned", "uploaded", "started", "finished", "booked", "failed"
//          steps         the sum of 1 certificate, 2 thing, 4 principal, 8 policy, 16 thing group
// Errors   InputInvalid with the member that is missing, wrong or, in a request, not expected
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_ADMIN_API_CLOUD_JSON_H_
#define LINESIGN_APPLIANCE_ADMIN_API_CLOUD_JSON_H_

#include <string>
#include <string_view>
#include <vector>

#include "appliance/admin/api/cloud_service.h"

namespace linesign {

// Requests.
std::string to_json(const CloudPlan& plan);             // {targets: [{name, account, region}],
                                                        //  feeds: [{order, target}]}
std::string to_json(const CloudFeedRequest& request);   // {order, target, active}
std::string to_json(const CloudClaimRequest& request);  // {target, after, limit}
std::string to_json(const CloudBookRequest& request);   // {target, bookings: [booking]}
std::string to_json(
    const CloudReleaseRequest& request);  // {target, code or null, limit, number or null}
std::string to_json(const CloudListRequest& request);     // {target, state or null, after, limit}
std::string to_json(const CloudTasksRequest& request);    // {target}
std::string to_json(const BulkCreateRequest& request);    // {target, object_key}
std::string to_json(const BulkFillRequest& request);      // {task_id, lines}
std::string to_json(const BulkItemsRequest& request);     // {task_id, after, limit}
std::string to_json(const BulkUpdateRequest& request);    // {task_id, state, aws_task_id or null,
                                                          //  sha256 or null, reason}
std::string to_json(const BulkReturnRequest& request);    // {task_id, limit}
std::string to_json(const CertificatesRequest& request);  // {order, after, limit}

// Replies.
std::string to_json(const std::vector<CloudItem>& items);  // {items: [item], issuers}
std::string to_json(const CloudBooked& booked);            // {booked, unchanged,
                                                           //  refused: [{issuance_id, reason}]}
std::string to_json(uint64_t count);                       // {count}
std::string to_json(const std::vector<CloudTargetStatus>& targets);  // {targets: [target status]}
std::string to_json(const RegistrationPage& page);  // {registrations, issuers, next_after,
                                                    //  end}
std::string to_json(const BulkTask& task);
std::string to_json(const std::vector<BulkTask>& tasks);  // {tasks: [task]}
std::string to_json(const CertificatePage& page);         // {certificates, issuers, next_after,
                                                          //  end, first_open_intent or null,
                                                          //  newest}
std::string to_json(const std::vector<LedgerCa>& cas);    // {cas: [{certificate, first_used_at}]}

// For each of the types above.
template <typename T>
Result<T> from_json(std::string_view json);
template <>
Result<CloudPlan> from_json(std::string_view json);
template <>
Result<CloudFeedRequest> from_json(std::string_view json);
template <>
Result<CloudClaimRequest> from_json(std::string_view json);
template <>
Result<CloudBookRequest> from_json(std::string_view json);
template <>
Result<CloudReleaseRequest> from_json(std::string_view json);
template <>
Result<CloudListRequest> from_json(std::string_view json);
template <>
Result<CloudTasksRequest> from_json(std::string_view json);
template <>
Result<BulkCreateRequest> from_json(std::string_view json);
template <>
Result<BulkFillRequest> from_json(std::string_view json);
template <>
Result<BulkItemsRequest> from_json(std::string_view json);
template <>
Result<BulkUpdateRequest> from_json(std::string_view json);
template <>
Result<BulkReturnRequest> from_json(std::string_view json);
template <>
Result<CertificatesRequest> from_json(std::string_view json);
template <>
Result<std::vector<CloudItem>> from_json(std::string_view json);
template <>
Result<CloudBooked> from_json(std::string_view json);
template <>
Result<uint64_t> from_json(std::string_view json);
template <>
Result<std::vector<CloudTargetStatus>> from_json(std::string_view json);
template <>
Result<RegistrationPage> from_json(std::string_view json);
template <>
Result<BulkTask> from_json(std::string_view json);
template <>
Result<std::vector<BulkTask>> from_json(std::string_view json);
template <>
Result<CertificatePage> from_json(std::string_view json);
template <>
Result<std::vector<LedgerCa>> from_json(std::string_view json);

std::string_view to_string(RegistrationState state);
std::string_view to_string(BulkTaskState state);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_API_CLOUD_JSON_H_
