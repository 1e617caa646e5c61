// IotClient: the calls to AWS IoT's control plane that registration needs.
//
// Each may be sent again after a lost answer, except start_task. Lists give one page.
//
// Errors   of Client. AwsNotFound: there is nothing of this name. AwsExists: something else of this
//          name. AwsConflict, AwsQuota, AwsRefused: the detail begins with the code of AWS.
//          AwsAnswerUnreadable: a member is missing from an answer
// Threads  one thread at a time
// Source   AWS IoT API Reference
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_IOT_CLIENT_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_IOT_CLIENT_H_

#include <string>
#include <vector>

#include "appliance/cloud/aws/client.h"
#include "appliance/cloud/aws/iot_types.h"
#include "appliance/cloud/aws/json.h"

namespace linesign::aws {

constexpr int kLargestPage = 250;

class IotClient final {
 public:
  IotClient(ClientParts parts, Endpoint endpoint)
      : client_(std::move(parts)), endpoint_(std::move(endpoint)) {}

  // What AWS said when the last call failed.
  const std::optional<ServiceError>& service_error() const { return client_.service_error(); }

  UnixTime server_time() const { return client_.server_time(endpoint_); }

  // --- CA certificates (iot_ca.cpp)

  // 64 hex digits; the common name of a verification certificate.
  Result<std::string> registration_code();
  Result<Registered> register_ca(const CaRegistration& ca);
  Result<CaDescription> describe_ca(const std::string& id);
  Result<void> update_ca(const std::string& id, const CaUpdate& update);
  Result<void> delete_ca(const std::string& id);
  Result<Page<CertificateSummary>> list_cas(const std::string& marker = {},
                                            int page_size = kLargestPage);

  // --- device certificates (iot_certificates.cpp)

  // `ca_pem` is needed only where several CAs have one subject; empty: none.
  Result<Registered> register_certificate(const std::string& pem,
                                          const std::string& ca_pem,
                                          CertificateStatus status);
  // Needs no CA in the account; the mode becomes SNI_ONLY.
  Result<Registered> register_certificate_without_ca(const std::string& pem,
                                                     CertificateStatus status);
  Result<CertificateDescription> describe_certificate(const std::string& id);
  Result<void> update_certificate(const std::string& id, CertificateStatus status);
  Result<Page<CertificateSummary>> list_certificates_by_ca(const std::string& ca_id,
                                                           const std::string& marker = {},
                                                           int page_size = kLargestPage);
  Result<Page<CertificateSummary>> list_certificates(const std::string& marker = {},
                                                     int page_size = kLargestPage);

  // --- things and policies (iot_things.cpp)

  // Same name and same form: no error. Same name and another form: AwsExists.
  Result<ThingDescription> create_thing(const Thing& thing);
  Result<ThingDescription> describe_thing(const std::string& name);
  // Its type becomes this one; attributes are added or replaced, others stay.
  Result<void> update_thing(const Thing& thing);
  // `exclusive`: the certificate may belong to this thing only.
  Result<void> attach_thing_principal(const std::string& thing,
                                      const std::string& certificate_arn,
                                      bool exclusive);
  // Takes effect a little later.
  Result<void> detach_thing_principal(const std::string& thing, const std::string& certificate_arn);
  Result<Page<std::string>> list_thing_principals(const std::string& thing,
                                                  const std::string& next = {});
  // To a certificate's or a thing group's ARN.
  Result<void> attach_policy(const std::string& policy, const std::string& target_arn);
  Result<Page<PolicySummary>> list_attached_policies(const std::string& target_arn,
                                                     const std::string& marker = {});
  Result<void> add_thing_to_group(const std::string& thing, const std::string& group);
  Result<PolicyDescription> get_policy(const std::string& name);
  Result<ThingTypeDescription> describe_thing_type(const std::string& name);
  Result<ThingGroupDescription> describe_thing_group(const std::string& name);

  // --- bulk registration, templates, the account (iot_tasks.cpp)

  // The task's id. Not sent again when the answer is lost: look for a task with the same key.
  Result<std::string> start_task(const TaskStart& task);
  Result<TaskDescription> describe_task(const std::string& id);
  // Ids; TaskStatus::Other: of all.
  Result<Page<std::string>> list_tasks(TaskStatus status, const std::string& next = {});
  // Presigned URLs, valid for a short time: fetch at once, never log.
  Result<Page<std::string>> list_task_reports(const std::string& id,
                                              ReportType type,
                                              const std::string& next = {});
  Result<void> stop_task(const std::string& id);
  // The ARN.
  Result<std::string> create_template(const ProvisioningTemplate& provisioning);
  Result<ProvisioningTemplate> describe_template(const std::string& name);
  // "iot:Data-ATS" -> the account's host.
  Result<std::string> describe_endpoint(const std::string& type);

 private:
  Call new_call(std::string operation, std::string method, std::vector<std::string> path) const;
  // The answer's body. `member`: a text or an object that must be there; null: none.
  Result<JsonObject> ask(Call call, const char* member = nullptr);
  Result<void> order(const Call& call);  // the answer says nothing
  Result<Registered> register_with(const Call& call);
  Result<Page<CertificateSummary>> list_with(Call call, const std::string& marker, int page_size);

  Client client_;
  const Endpoint endpoint_;
};

// Adds a body to a call.
void set_json(Call& call, const JsonObject& body);

// "true" or "false".
std::string flag_text(bool flag);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_IOT_CLIENT_H_
